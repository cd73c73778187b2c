//! Weights files: safetensors with PyTorch's names and layouts, and one entry `kiln` that says all the rest.
//!
//! `load_state_dict(load_file(path))` works in PyTorch with the matching module.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::backend::Backend;
use kiln_backend::Reference;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::description::{Config, Description, FORMAT, Training};
use crate::foreign;
use crate::parameters::{NamedTensor, ParameterError, check_fit, parameters, shapes, with_parameters};
use crate::{Architecture, Network, Sizes};
use kiln_data::Preprocess;
use kiln_data::preprocess::ResizeMode;

/// The metadata entry that holds the description.
const ENTRY: &str = "kiln";

/// Why a weights file cannot be used; each message is one line that names the file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", .path.display())]
pub struct WeightsError {
    /// The file, or `built-in weights`.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a weights file.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The system could not read it.
    #[error("cannot be read: {0}")]
    Read(std::io::Error),
    /// The bytes are not a whole safetensors file.
    #[error("damaged, or no safetensors file ({0}); copy or train it again")]
    Damaged(String),
    /// A file of somebody else's.
    #[error("not written by Kiln, so it does not say what it is; name the network with --arch")]
    Foreign,
    /// A file of Kiln's where one of somebody else's was expected.
    #[error("written by Kiln, and names its network itself: leave out --arch")]
    Kiln,
    /// The description cannot be understood.
    #[error("its `kiln` entry is damaged: {0}")]
    Description(String),
    /// The description has another version.
    #[error("format version {found}, but this build reads version {FORMAT}; update Kiln")]
    Version {
        /// The file's version.
        found: u64,
    },
    /// An architecture that this build does not have.
    #[error("architecture `{0}` is not in this build; `infer models` lists those that are")]
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
    #[error("{0}")]
    Pth(String),
    /// A file without the layer that gives the classes.
    #[error("no tensor `{head}`, the last layer of {architecture}: --arch names another network")]
    NoHead {
        /// The architecture.
        architecture: Architecture,
        /// The tensor that is missing.
        head: &'static str,
    },
    /// A number of classes for which there are no usual names.
    #[error("{count} classes without names: give a file with one name a line with --classes")]
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
    #[error("{0}")]
    Parameters(ParameterError),
}

/// The bytes of a weights file; the same network and description give the same bytes.
///
/// # Errors
/// If a weight is not finite: such a file could not be read back.
pub fn to_bytes<B: Backend, M: Module<B>>(network: &M, description: &Description) -> Result<Vec<u8>, Fault> {
    encode(&parameters(network), Some(description))
}

/// Tensors as a safetensors file, with a description or without.
fn encode(tensors: &[NamedTensor], description: Option<&Description>) -> Result<Vec<u8>, Fault> {
    tensors.iter().try_for_each(check_finite)?;
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|tensor| tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
    let views = tensors.iter().zip(&bytes).map(|(tensor, bytes)| {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes);
        view.map(|view| (tensor.name.as_str(), view)).map_err(|error| Fault::Damaged(error.to_string()))
    });
    let views = views.collect::<Result<Vec<_>, _>>()?;
    let json =
        description.map(serde_json::to_string).transpose().map_err(|error| Fault::Description(error.to_string()))?;
    let metadata = json.map(|json| HashMap::from([(ENTRY.to_owned(), json)]));
    safetensors::serialize(views, metadata).map_err(|error| Fault::Damaged(error.to_string()))
}

/// Weights read and checked, not yet on a device.
#[derive(Clone, Debug)]
pub struct Weights {
    path: PathBuf,
    architecture: Architecture,
    description: Description,
    tensors: Vec<NamedTensor>,
}

/// Weights that training begins with.
#[derive(Clone, Debug)]
pub struct InitialWeights {
    /// Under PyTorch's names.
    pub tensors: Vec<NamedTensor>,
    /// GoogLeNet and Inception: whether they want images within ±1, see [`Sizes::transform_input`].
    pub transform_input: bool,
}

impl Weights {
    /// Reads a weights file.
    ///
    /// # Errors
    /// If it cannot be read, is damaged, or is not one of Kiln's.
    pub fn read(path: &Path) -> Result<Self, WeightsError> {
        let failed = |fault| WeightsError { path: path.to_owned(), fault };
        let bytes = std::fs::read(path).map_err(|error| failed(Fault::Read(error)))?;
        Self::from_bytes(&bytes, path)
    }

    /// Reads the bytes of a weights file; `path` stands in messages.
    ///
    /// # Errors
    /// If they are damaged or not Kiln's.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, WeightsError> {
        Self::parse(bytes, path).map_err(|fault| WeightsError { path: path.to_owned(), fault })
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self, Fault> {
        if foreign::is_pth(bytes) {
            return Err(Fault::Foreign);
        }
        let damaged = |error: safetensors::SafeTensorError| Fault::Damaged(error.to_string());
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let json = metadata.metadata().as_ref().and_then(|entries| entries.get(ENTRY)).ok_or(Fault::Foreign)?;
        let description = parse_description(json)?;
        let architecture: Architecture =
            description.architecture.parse().map_err(|_| Fault::Architecture(description.architecture.clone()))?;
        let (names, classes) = (description.classes.len(), description.config.classes);
        if names != classes {
            return Err(Fault::ClassCount { names, classes });
        }
        let Preprocess { channels, height, width, .. } = description.preprocess;
        let given = [channels, height, width];
        if !architecture.takes(given) {
            return Err(Fault::Input { given, expected: architecture.input(), architecture });
        }
        let tensors = foreign::read_safetensors(&file)?;
        tensors.iter().try_for_each(check_finite)?;
        Ok(Self { path: path.to_owned(), architecture, description, tensors })
    }

    /// Reads somebody else's file, `.safetensors`, `.pth` or `.pt`, of whose tensors only names and shapes are known:
    /// preprocessing is the architecture's own. Without class names, those of the ten digits or of ImageNet's thousand
    /// classes are taken, by the size of the last layer. `transform_input` is for GoogLeNet and Inception: whether they
    /// bring images normalised as ImageNet's within ±1, as torchvision's weights want it.
    ///
    /// # Errors
    /// If it cannot be read or is damaged, has no last layer of the architecture or none that fits the names, or is one of
    /// Kiln's, which says all of that itself.
    pub fn read_foreign(
        path: &Path,
        architecture: Architecture,
        classes: Option<Vec<String>>,
        transform_input: bool,
    ) -> Result<Self, WeightsError> {
        let parse = |bytes: &[u8]| {
            if describes_itself(bytes) {
                return Err(Fault::Kiln);
            }
            let mut tensors = foreign::read(bytes)?;
            foreign::rename(architecture, &mut tensors);
            tensors.iter().try_for_each(check_finite)?;
            let head = architecture.head();
            let count = tensors.iter().find(|tensor| tensor.name == head).and_then(|head| head.shape.first().copied());
            let count = count.ok_or(Fault::NoHead { architecture, head })?;
            let classes = classes.or_else(|| foreign::usual_classes(count)).ok_or(Fault::NoNames { count })?;
            if classes.len() != count {
                return Err(Fault::ClassCount { names: classes.len(), classes: count });
            }
            let transform_input = transform_input && architecture.has_auxiliary();
            let description = Description {
                architecture: architecture.name().to_owned(),
                config: Config { classes: count, transform_input },
                classes,
                format: FORMAT,
                preprocess: architecture.preprocess(),
                training: Training::default(),
            };
            Ok(Self { path: path.to_owned(), architecture, description, tensors })
        };
        let bytes = std::fs::read(path).map_err(Fault::Read);
        bytes.and_then(|bytes| parse(&bytes)).map_err(|fault| WeightsError { path: path.to_owned(), fault })
    }

    /// What a file of either kind gives an architecture whose training begins with it.
    ///
    /// # Errors
    /// If it cannot be read, is damaged, or says that it is of another architecture.
    pub fn initial(path: &Path, architecture: Architecture) -> Result<InitialWeights, WeightsError> {
        let parse = |bytes: &[u8]| {
            if describes_itself(bytes) {
                let weights = Self::parse(bytes, path)?;
                let found = weights.architecture;
                return if found == architecture {
                    let transform_input = weights.description.config.transform_input;
                    Ok(InitialWeights { tensors: weights.tensors, transform_input })
                } else {
                    Err(Fault::OtherArchitecture { found, expected: architecture })
                };
            }
            let mut tensors = foreign::read(bytes)?;
            foreign::rename(architecture, &mut tensors);
            tensors.iter().try_for_each(check_finite)?;
            Ok(InitialWeights { tensors, transform_input: architecture.has_auxiliary() })
        };
        let bytes = std::fs::read(path).map_err(Fault::Read);
        bytes.and_then(|bytes| parse(&bytes)).map_err(|fault| WeightsError { path: path.to_owned(), fault })
    }

    /// The same weights for pictures that are fitted in another way.
    #[must_use]
    pub fn fitting(mut self, mode: ResizeMode) -> Self {
        self.description.preprocess.set_resize_mode(mode);
        self
    }

    /// The bytes of a file with these weights: one of Kiln's, or a plain safetensors file, which only holds the tensors under
    /// PyTorch's names. The same weights give the same bytes.
    ///
    /// # Errors
    /// If the tensors are not those of the architecture, or cannot be put into such a file.
    pub fn to_bytes(&self, plain: bool) -> Result<Vec<u8>, WeightsError> {
        let description = (!plain).then_some(&self.description);
        let own = shapes(&self.architecture.init::<Reference>(&self.sizes(), &Default::default()));
        let bytes = check_fit(own, self.without_auxiliary())
            .map_err(Fault::Parameters)
            .and_then(|()| encode(&self.tensors, description));
        bytes.map_err(|fault| WeightsError { path: self.path.clone(), fault })
    }

    /// What the file says about itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The architecture.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// Where the weights came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the network is made for.
    pub fn sizes(&self) -> Sizes {
        let Description { config: Config { classes, transform_input }, preprocess, .. } = &self.description;
        let (&classes, &transform_input) = (classes, transform_input);
        Sizes { classes, channels: preprocess.channels, auxiliary: false, transform_input }
    }

    /// The network with these weights on a device.
    ///
    /// # Errors
    /// If the tensors are not those of the architecture.
    pub fn network<B: Backend>(&self, device: &B::Device) -> Result<Network<B>, WeightsError> {
        let network = self.architecture.init(&self.sizes(), device);
        let failed = |error| WeightsError { path: self.path.clone(), fault: Fault::Parameters(error) };
        with_parameters(network, self.without_auxiliary().cloned().collect()).map_err(failed)
    }

    /// The tensors without those of heads for training alone.
    fn without_auxiliary(&self) -> impl Iterator<Item = &NamedTensor> {
        self.tensors.iter().filter(|tensor| !foreign::is_auxiliary(&tensor.name))
    }
}

fn parse_description(json: &str) -> Result<Description, Fault> {
    let damaged = |error: serde_json::Error| Fault::Description(error.to_string());
    // The version comes first: another one may have other fields.
    let value: serde_json::Value = serde_json::from_str(json).map_err(damaged)?;
    let found = value.get("format").and_then(serde_json::Value::as_u64);
    match found {
        Some(found) if found == u64::from(FORMAT) => {}
        Some(found) => return Err(Fault::Version { found }),
        None => return Err(Fault::Description("no format version".to_owned())),
    }
    let description: Description = serde_json::from_value(value).map_err(damaged)?;
    description.preprocess.validate().map_err(|error| Fault::Description(error.to_string()))?;
    Ok(description)
}

/// Whether these are the bytes of a safetensors file with Kiln's entry.
fn describes_itself(bytes: &[u8]) -> bool {
    let metadata = SafeTensors::read_metadata(bytes).ok().and_then(|(_, metadata)| metadata.metadata().clone());
    metadata.is_some_and(|entries| entries.contains_key(ENTRY))
}

fn check_finite(tensor: &NamedTensor) -> Result<(), Fault> {
    match tensor.values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        Some((index, &value)) => Err(Fault::NotFinite { name: tensor.name.clone(), index, value }),
        None => Ok(()),
    }
}
