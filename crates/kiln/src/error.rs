//! Why something cannot be classified.

use std::path::PathBuf;

use kiln_backend::TargetError;
use kiln_data::picture::DecodeError;
use kiln_model::explain::ExplainError;
use kiln_model::weights::WeightsError;
use kiln_model::{Architecture, BatchShapeError};

/// Why something cannot be loaded or classified; each message is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The weights are missing, damaged or do not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The backend is not in this build, or has no such device.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// An architecture that there is not, such as a ResNet of 17 layers.
    #[error("there is no such network: {0:?}")]
    Architecture(Architecture),
    /// An option for weights that do not describe themselves, without the architecture that they are of.
    #[error("{option} goes with an architecture: weights that Kiln wrote say it themselves")]
    Option {
        /// The option.
        option: &'static str,
    },
    /// A file of a picture cannot be read.
    #[error("{}: cannot be read: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// A file is no picture, or damaged.
    #[error("{}: {source}", .path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// A picture without pixels.
    #[error("the picture has no pixels")]
    Empty,
    /// A tensor that does not fit the network.
    #[error(transparent)]
    Input(#[from] BatchShapeError),
    /// What cannot be explained.
    #[error(transparent)]
    Explain(#[from] ExplainError),
}
