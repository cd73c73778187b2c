//! Why a weights file cannot be used.

use std::path::{Path, PathBuf};

use safetensors::tensor::Dtype;

use crate::parameters::ParameterError;
use crate::registry::Architecture;

/// Why a weights file cannot be used; each message is one line that names the file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", .path.display())]
pub struct WeightsError {
    /// The file, or `built-in weights`.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub fault: Fault,
}

impl WeightsError {
    pub(super) fn new(path: &Path, fault: Fault) -> Self {
        Self { path: path.to_owned(), fault }
    }
}

/// What is wrong with a weights file.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The system could not read it.
    #[error("cannot be read: {0}")]
    Read(#[source] std::io::Error),
    /// The bytes are not a whole safetensors file.
    #[error("damaged, or no safetensors file ({0}); copy or train it again")]
    Damaged(#[from] safetensors::SafeTensorError),
    /// A file of somebody else's.
    #[error("not written by Kiln, so it does not say what network it is of")]
    Foreign,
    /// A file of Kiln's where one of somebody else's was expected.
    #[error("written by Kiln, and names its network itself")]
    Kiln,
    /// The description cannot be understood.
    #[error("its `kiln` entry is damaged: {0}")]
    Description(String),
    /// The description has another version.
    #[error("format version {found}, but this build reads version {expected}; update Kiln")]
    Version {
        /// The file's version.
        found: u64,
        /// The version that this build reads.
        expected: u32,
    },
    /// An architecture that this build does not have.
    #[error("architecture `{0}` is not in this build")]
    Architecture(String),
    /// Weights of another network than the one that is to begin with them.
    #[error("weights of {found}, not of {expected}")]
    OtherArchitecture {
        /// The file's architecture.
        found: Architecture,
        /// The architecture that was asked for.
        expected: Architecture,
    },
    /// Names and number of classes disagree.
    #[error("{names} class names, but the network has {classes} classes")]
    ClassCount {
        /// Number of names.
        names: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A network without classes.
    #[error("it has no classes")]
    NoClasses,
    /// A preprocessing that contradicts itself.
    #[error(transparent)]
    Preprocess(#[from] kiln_data::preprocess::PreprocessError),
    /// The preprocessing does not give what the network takes.
    #[error("preprocessing gives {given:?}, but {architecture} takes {expected:?} [channels, height, width]")]
    Input {
        /// What the preprocessing gives.
        given: [usize; 3],
        /// What the network takes.
        expected: [usize; 3],
        /// The architecture.
        architecture: Architecture,
    },
    /// A file of PyTorch's that is damaged, or holds something else than weights.
    #[error(transparent)]
    Pth(#[from] kiln_pth::PthError),
    /// A file without the layer that gives the classes.
    #[error("no tensor `{head}`, the last layer of {architecture}: it is of another network")]
    NoHead {
        /// The architecture.
        architecture: Architecture,
        /// The tensor that is missing.
        head: &'static str,
    },
    /// A number of classes for which there are no usual names.
    #[error("{count} classes without names")]
    NoNames {
        /// Number of classes.
        count: usize,
    },
    /// A tensor of another number format.
    #[error("tensor `{name}` holds {found:?}, expected F32, F16 or BF16")]
    Dtype {
        /// The tensor's name.
        name: String,
        /// Its number format.
        found: Dtype,
    },
    /// A weight that is not a number.
    #[error("tensor `{name}` holds {value} at {index}: training went wrong, or the file is damaged")]
    NotFinite {
        /// The tensor's name.
        name: String,
        /// Place of the first such weight.
        index: usize,
        /// The weight.
        value: f32,
    },
    /// The tensors are not those of the architecture.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
}
