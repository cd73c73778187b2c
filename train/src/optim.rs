//! From gradients to new weights: clipping, optimizers, learning-rate schedules, averages.

pub mod ema;
pub mod gradients;
pub mod optimizer;
pub mod schedule;
