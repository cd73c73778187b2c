//! Networks, written once for every backend.
//!
//! A network is a short file that reads like its figure: [`LectureCnn`], [`Mlp`]. [`Architecture`] is the registry of
//! them all, [`Network`] any one of them, [`weights`] how they are kept in files, [`Tally`] how they are judged.

mod architecture;
mod description;
mod layers;
mod lecture_cnn;
mod mlp;
mod parameters;
mod summary;
mod tally;
pub mod weights;

pub use architecture::{Architecture, Network};
pub use description::{Config, Description, FORMAT, Training};
pub use layers::conv_block;
pub use lecture_cnn::{LectureCnn, LectureCnnConfig};
pub use mlp::{Mlp, MlpConfig};
pub use parameters::{NamedTensor, ParameterError, parameters, with_parameters};
pub use summary::{LayerSummary, Summary, Walk};
pub use tally::{Confusion, Prediction, Tally, softmax, top};
