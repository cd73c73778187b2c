//! How well networks classify: exact counts and sums over images, never means of means, and what they say about images that
//! nobody has counted.

mod confusion;
mod interval;
mod judgement;
mod paired;
mod probabilities;
mod reliability;
mod sums;
mod temperature;

pub use confusion::{ClassScores, Confusion, MacroScores};
pub use interval::{Interval, wilson};
pub use judgement::Judgement;
pub use paired::Paired;
pub use probabilities::{RankedClass, log_softmax, softmax, top};
pub use reliability::{ReliabilityBin, expected_calibration_error, reliability};
pub use sums::Metrics;
pub use temperature::{TemperatureError, fit_temperature};
