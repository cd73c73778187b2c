//! Why a run cannot begin, go on or end well.

use std::io;
use std::path::{Path, PathBuf};

use kiln_cli::{Exit, Failure};
use kiln_data::DataError;
use kiln_model::ParameterError;
use kiln_model::weights::{Fault, WeightsError};

use crate::run_dir::checkpoint::CheckpointError;

/// Why a run cannot begin, go on or end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option that does not fit the others, the data or the run.
    #[error("{option}: {reason}")]
    Option {
        /// The option, with its value where that says more.
        option: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of options that cannot be used.
    #[error("{}: {reason}", .path.display())]
    OptionsFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A dashboard was asked for by name, and there is no terminal for it.
    #[error("dashboard: needs a terminal ({reason})")]
    NoTerminal {
        /// What there is instead.
        reason: String,
    },
    /// Another process trains the run.
    #[error("{}: another process is training this run", .run.display())]
    Locked {
        /// The run's folder.
        run: PathBuf,
    },
    /// The dataset cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The weights to begin with cannot be used, or those that were written cannot be read back.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The run's checkpoints cannot be read.
    #[error("{0}; nothing was changed")]
    Checkpoint(#[from] CheckpointError),
    /// A run that has weights or results, but no checkpoint to go on from.
    #[error("{}: no checkpoint, but the run has weights or results, so it cannot go on", .folder.display())]
    NoCheckpoint {
        /// The folder of its checkpoints.
        folder: PathBuf,
    },
    /// A checkpoint of another network, other data or other options.
    #[error("{}: {reason}; nothing was changed", .path.display())]
    OtherRun {
        /// The checkpoints, or the file of options that was changed.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// The tensors of a checkpoint are not those of the network.
    #[error("{}: {source}; nothing was changed", .path.display())]
    CheckpointTensors {
        /// The checkpoint.
        path: PathBuf,
        /// What does not fit.
        source: ParameterError,
    },
    /// Training diverged.
    #[error("the loss is not finite after iteration {iteration} (epoch {epoch}, batch {batch})")]
    NotFinite {
        /// Iterations done since the run began.
        iteration: usize,
        /// The epoch, from 1.
        epoch: usize,
        /// The batch within it, from 1.
        batch: usize,
    },
    /// Weights that a file cannot hold.
    #[error("the weights of epoch {epoch} cannot be kept: {fault}")]
    WeightsNotKept {
        /// The epoch, from 1.
        epoch: usize,
        /// What is wrong with them.
        fault: Fault,
    },
    /// Output that cannot be written.
    #[error("{}: cannot be written: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// What device, run folder and downloads fail with.
    #[error(transparent)]
    Program(#[from] Failure),
}

impl Error {
    pub(crate) fn option(option: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Option { option: option.into(), reason: reason.into() }
    }

    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.to_owned(), source }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Option { .. } => Self::new(Exit::Usage, format!("--{text}")),
            Error::NoTerminal { .. } => Self::new(Exit::Usage, format!("--{text}; use --dashboard plain")),
            Error::OptionsFile { .. } | Error::Locked { .. } => Self::new(Exit::Usage, text),
            Error::Data(error) => error.into(),
            Error::Weights(error) => error.into(),
            Error::NoCheckpoint { .. } => Self::new(
                Exit::Weights,
                format!("{text}; repeat it as a new one, giving --config the run's config.toml"),
            ),
            Error::Checkpoint(_) | Error::OtherRun { .. } | Error::CheckpointTensors { .. } => {
                Self::new(Exit::Weights, text)
            }
            Error::NotFinite { .. } => Self::new(Exit::Input, format!("{text}; try a lower --lr or --clip-grad")),
            Error::WeightsNotKept { .. } => Self::new(Exit::Input, format!("{text}; try a lower --lr")),
            Error::Write { .. } => Self::new(Exit::Output, text),
            Error::Program(failure) => failure,
        }
    }
}
