//! Weights in files: safetensors with PyTorch's names and layouts, and one entry `kiln` that says all the rest.
//!
//! `load_state_dict(load_file(path))` works in PyTorch with the matching module. PyTorch's own files, and safetensors files of
//! others, are read too.

mod description;
mod error;
mod file;
mod initial;
pub(crate) mod pretrained;
mod safetensors;
mod torch;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::backend::Backend;
use kiln_backend::Reference;
use kiln_data::Preprocess;

use crate::graph::Graph;
use crate::network::Network;
use crate::parameters::{NamedTensor, check_fit, load_state_dict, shapes, state_dict};
use crate::registry::{Architecture, Sizes};

use self::file::FileBytes;
use self::safetensors::decode_releasing;
pub use description::{Config, Description, FORMAT, Provenance};
pub use error::{Fault, WeightsError};
pub use initial::{Freeze, FreezeError, InitialWeights, freeze};
pub use pretrained::{Pretrained, WEIGHTS_URL};

pub use safetensors::{decode, encode};

/// The bytes of a weights file; the same network and description give the same bytes.
///
/// # Errors
/// If a weight is not finite: such a file could not be read back.
pub fn to_bytes<B: Backend, M: Module<B>>(network: &M, description: &Description) -> Result<Vec<u8>, Fault> {
    to_file(&state_dict(network), Some(description))
}

/// Tensors as a safetensors file, with a description or without.
fn to_file(tensors: &[NamedTensor], description: Option<&Description>) -> Result<Vec<u8>, Fault> {
    tensors.iter().try_for_each(check_finite)?;
    encode(tensors, description.map(Description::to_json))
}

/// Weights read and checked, not yet on a device.
#[derive(Clone, Debug)]
pub struct Weights {
    path: PathBuf,
    architecture: Architecture,
    description: Description,
    tensors: Vec<NamedTensor>,
    averaged: bool,
}

/// What is to be known of somebody else's file, which does not say it.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// The network.
    pub architecture: Architecture,
    /// Names of the classes; `None` for those of the ten digits or of ImageNet's thousand classes, by the size of the last
    /// layer.
    pub classes: Option<Vec<String>>,
    /// How its network wants pictures.
    pub preprocess: Preprocess,
    /// Whether to take averaged weights (EMA), which training scripts keep beside the last ones.
    pub averages: bool,
}

impl Foreign {
    /// A file of the architecture as torchvision trains and uses it.
    pub fn of(architecture: Architecture) -> Self {
        Self { architecture, classes: None, preprocess: architecture.preprocess(), averages: true }
    }
}

/// Tensors to begin training with.
#[derive(Clone, Debug)]
pub struct GivenTensors {
    /// Under PyTorch's names.
    pub tensors: Vec<NamedTensor>,
    /// Whether they are averages over training (EMA).
    pub averaged: bool,
}

impl Weights {
    /// Reads a weights file.
    ///
    /// # Errors
    /// If it cannot be read, is damaged, or is not one of Kiln's.
    pub fn read(path: &Path) -> Result<Self, WeightsError> {
        let parse = |bytes: FileBytes| Self::parse(&bytes, path, |part| bytes.release(part));
        let bytes = FileBytes::open(path).map_err(Fault::Read);
        bytes.and_then(parse).map_err(|fault| WeightsError::new(path, fault))
    }

    /// Reads the bytes of a weights file; `path` stands in messages.
    ///
    /// # Errors
    /// If they are damaged or not Kiln's.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, WeightsError> {
        Self::parse(bytes, path, |_| ()).map_err(|fault| WeightsError::new(path, fault))
    }

    fn parse(bytes: &[u8], path: &Path, release: impl Fn(&[u8])) -> Result<Self, Fault> {
        if torch::is_pth(bytes) {
            return Err(Fault::Foreign);
        }
        let (tensors, json) = decode_releasing(bytes, release)?;
        let description = Description::from_json(&json.ok_or(Fault::Foreign)?)?;
        let architecture: Architecture =
            description.architecture.parse().map_err(|_| Fault::Architecture(description.architecture.clone()))?;
        let (names, classes) = (description.classes.len(), description.config.classes);
        if names != classes {
            return Err(Fault::ClassCount { names, classes });
        }
        if classes == 0 {
            return Err(Fault::NoClasses);
        }
        check_input(architecture, &description.preprocess)?;
        tensors.iter().try_for_each(check_finite)?;
        Ok(Self { path: path.to_owned(), architecture, description, tensors, averaged: false })
    }

    /// Reads somebody else's file, `.safetensors`, `.pth` or `.pt`, of whose tensors only names and shapes are known.
    ///
    /// # Errors
    /// If it cannot be read or is damaged, has no last layer of the architecture or none that fits the names, or is one of
    /// Kiln's, which says all of that itself.
    pub fn read_foreign(path: &Path, foreign: Foreign) -> Result<Self, WeightsError> {
        let Foreign { architecture, classes, preprocess, averages } = foreign;
        preprocess.validate().map_err(|error| WeightsError::new(path, error.into()))?;
        check_input(architecture, &preprocess).map_err(|fault| WeightsError::new(path, fault))?;
        let parse = |bytes: FileBytes| {
            if safetensors::describes_itself(&bytes) {
                return Err(Fault::Kiln);
            }
            let read = torch::read(&bytes, architecture, averages, |part| bytes.release(part));
            let torch::ForeignTensors { tensors, averaged } = read?;
            tensors.iter().try_for_each(check_finite)?;
            let head = architecture.head();
            let count = tensors.iter().find(|tensor| tensor.name == head).and_then(|head| head.shape.first().copied());
            let count = count.ok_or(Fault::NoHead { architecture, head })?;
            if count == 0 {
                return Err(Fault::NoClasses);
            }
            let classes = classes.or_else(|| torch::usual_classes(count)).ok_or(Fault::NoNames { count })?;
            if classes.len() != count {
                return Err(Fault::ClassCount { names: classes.len(), classes: count });
            }
            let description = Description {
                architecture: architecture.name().to_owned(),
                config: Config { classes: count },
                classes,
                format: FORMAT,
                preprocess,
                temperature: None,
                training: Provenance::default(),
            };
            Ok(Self { path: path.to_owned(), architecture, description, tensors, averaged })
        };
        let bytes = FileBytes::open(path).map_err(Fault::Read);
        bytes.and_then(parse).map_err(|fault| WeightsError::new(path, fault))
    }

    /// The tensors that a file of either kind gives an architecture whose training begins with it; `averages` as in
    /// [`Foreign`].
    ///
    /// # Errors
    /// If it cannot be read, is damaged, or says that it is of another architecture.
    pub fn tensors_for(path: &Path, architecture: Architecture, averages: bool) -> Result<GivenTensors, WeightsError> {
        let parse = |bytes: FileBytes| {
            let release = |part: &[u8]| bytes.release(part);
            if safetensors::describes_itself(&bytes) {
                let weights = Self::parse(&bytes, path, release)?;
                let found = weights.architecture;
                return match found == architecture {
                    true => Ok(GivenTensors { tensors: weights.tensors, averaged: false }),
                    false => Err(Fault::OtherArchitecture { found, expected: architecture }),
                };
            }
            let torch::ForeignTensors { tensors, averaged } = torch::read(&bytes, architecture, averages, release)?;
            tensors.iter().try_for_each(check_finite)?;
            Ok(GivenTensors { tensors, averaged })
        };
        let bytes = FileBytes::open(path).map_err(Fault::Read);
        bytes.and_then(parse).map_err(|fault| WeightsError::new(path, fault))
    }

    /// The bytes of a file with these weights: one of Kiln's, or a plain safetensors file, which only holds the tensors under
    /// PyTorch's names. The same weights give the same bytes.
    ///
    /// # Errors
    /// If the tensors are not those of the architecture, or cannot be put into such a file.
    pub fn to_bytes(&self, plain: bool) -> Result<Vec<u8>, WeightsError> {
        let description = (!plain).then_some(&self.description);
        let own = shapes(&self.architecture.init::<Reference>(&self.sizes(), &Default::default()));
        let inference = self.tensors.iter().filter(|tensor| !initial::is_auxiliary(&tensor.name));
        let bytes =
            check_fit(own, inference).map_err(Fault::Parameters).and_then(|()| to_file(&self.tensors, description));
        bytes.map_err(|fault| WeightsError::new(&self.path, fault))
    }

    /// Random weights, which depend on the seed alone, for images that go through this preprocessing; the classes are those of
    /// torchvision's weights, or the ten digits.
    ///
    /// # Panics
    /// If the architecture takes no such images.
    pub fn random(architecture: Architecture, preprocess: Preprocess, seed: u64) -> Self {
        check_input(architecture, &preprocess).unwrap_or_else(|fault| panic!("{fault}"));
        let count = if architecture.pretrained().is_some() { 1000 } else { 10 };
        let sizes = Sizes { channels: preprocess.channels, ..architecture.sizes(count) };
        let network = architecture.seeded::<Reference>(&sizes, seed, &Default::default());
        let description = Description {
            architecture: architecture.name().to_owned(),
            config: Config { classes: count },
            classes: torch::usual_classes(count).unwrap_or_default(),
            format: FORMAT,
            preprocess,
            temperature: None,
            training: Provenance { seed, ..Provenance::default() },
        };
        Self {
            path: "random weights".into(),
            architecture,
            description,
            tensors: state_dict(&network),
            averaged: false,
        }
    }

    /// The same weights with another temperature, which their probabilities are then taken at.
    #[must_use]
    pub fn with_temperature(mut self, temperature: f64) -> Self {
        self.description.temperature = Some(temperature);
        self
    }

    /// What the file says about itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The architecture.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// Whether they are averages over training (EMA), which the file has beside the last weights.
    pub fn is_averaged(&self) -> bool {
        self.averaged
    }

    /// Where the weights came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the network is made for.
    pub fn sizes(&self) -> Sizes {
        let Description { config: Config { classes }, preprocess, .. } = &self.description;
        Sizes { classes: *classes, channels: preprocess.channels, auxiliary: false }
    }

    /// What their network does with an image that went through their preprocessing.
    pub fn graph(&self) -> Graph {
        let &Preprocess { channels, height, width, .. } = &self.description.preprocess;
        self.architecture.graph(&self.sizes(), [channels, height, width])
    }

    /// The tensors that inference needs, under PyTorch's names, in PyTorch's layouts and in the network's order.
    ///
    /// # Errors
    /// If they are not those of the architecture.
    pub fn into_tensors(self) -> Result<Vec<NamedTensor>, WeightsError> {
        let own = shapes(&self.architecture.init::<Reference>(&self.sizes(), &Default::default()));
        let mut tensors = self.tensors;
        tensors.retain(|tensor| !initial::is_auxiliary(&tensor.name));
        let place: HashMap<_, _> = own.iter().enumerate().map(|(place, (name, _))| (name.clone(), place)).collect();
        check_fit(own, &tensors).map_err(|error| WeightsError::new(&self.path, Fault::Parameters(error)))?;
        tensors.sort_by_key(|tensor| place[&tensor.name]);
        Ok(tensors)
    }

    /// The network with these weights on a device.
    ///
    /// # Errors
    /// If the tensors are not those of the architecture.
    pub fn into_network<B: Backend>(self, device: &B::Device) -> Result<Network<B>, WeightsError> {
        let network = self.architecture.init(&self.sizes(), device);
        let mut tensors = self.tensors;
        tensors.retain(|tensor| !initial::is_auxiliary(&tensor.name));
        load_state_dict(network, tensors).map_err(|error| WeightsError::new(&self.path, Fault::Parameters(error)))
    }
}

/// Whether the preprocessing gives images that the network takes.
fn check_input(architecture: Architecture, preprocess: &Preprocess) -> Result<(), Fault> {
    let given = [preprocess.channels, preprocess.height, preprocess.width];
    match architecture.takes(given) {
        true => Ok(()),
        false => Err(Fault::Input { given, expected: architecture.input(), architecture }),
    }
}

fn check_finite(tensor: &NamedTensor) -> Result<(), Fault> {
    match tensor.values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        Some((index, &value)) => Err(Fault::NotFinite { name: tensor.name.clone(), index, value }),
        None => Ok(()),
    }
}
