//! Training that begins with somebody's weights: what of them fits, and what is to stay as it is.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::str::FromStr;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, backend::Backend as BurnBackend};
use kiln_backend::Reference;

use crate::foreign::is_auxiliary;
use crate::parameters::{NamedTensor, ParameterError, Path, parameters, shapes, with_parameters};
use crate::{Architecture, Network, Sizes};

/// Which tensors of a network keep their random values if it begins with `tensors`: its last layer if that was made for
/// another number of classes, and auxiliary heads that the tensors lack.
///
/// # Errors
/// If another tensor is missing or has the wrong shape, or one has no place in the network.
pub fn left_out(
    architecture: Architecture,
    sizes: &Sizes,
    tensors: &[NamedTensor],
) -> Result<Vec<String>, ParameterError> {
    let mut given: BTreeMap<_, _> = tensors.iter().map(|tensor| (tensor.name.as_str(), &tensor.shape)).collect();
    let mut left_out = Vec::new();
    for (name, expected) in shapes(&architecture.init::<Reference>(sizes, &Default::default())) {
        let found = given.remove(name.as_str());
        if found == Some(&expected) {
            continue;
        }
        match found {
            _ if belongs_to_head(&name, architecture) || is_auxiliary(&name) => left_out.push(name),
            Some(found) => return Err(ParameterError::Shape { name, found: found.clone(), expected }),
            None => return Err(ParameterError::Missing { name, expected }),
        }
    }
    match given.into_keys().find(|name| !is_auxiliary(name)) {
        Some(name) => Err(ParameterError::Unexpected { name: name.to_owned() }),
        None => Ok(left_out),
    }
}

/// The network with those of `tensors` that have its own names and are not [`left_out`].
///
/// # Errors
/// If a tensor that is not left out is missing or has the wrong shape.
pub fn initialise<B: BurnBackend>(
    network: Network<B>,
    tensors: Vec<NamedTensor>,
    left_out: &[String],
) -> Result<Network<B>, ParameterError> {
    let mut given: BTreeMap<_, _> = tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
    let own = parameters(&network).into_iter();
    let fitting = own.filter_map(|own| if left_out.contains(&own.name) { Some(own) } else { given.remove(&own.name) });
    with_parameters(network, fitting.collect())
}

/// Whether a tensor is part of the layer that gives the classes.
fn belongs_to_head(name: &str, architecture: Architecture) -> bool {
    let layer = architecture.head().trim_end_matches("weight");
    name.starts_with(layer)
}

/// Which layers training leaves as they are: their weights, and the statistics of their normalisations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freeze {
    /// All but the last one, which gives the classes, and auxiliary heads.
    Backbone,
    /// So many of those with weights, from the first one on, in the order of `infer models NAME`.
    First(usize),
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backbone => f.write_str("backbone"),
            Self::First(count) => write!(f, "{count}"),
        }
    }
}

impl FromStr for Freeze {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "backbone" => Ok(Self::Backbone),
            _ => text.parse().map(Self::First).map_err(|_| "expected `backbone` or a number of layers".to_owned()),
        }
    }
}

/// The network with some of its layers frozen.
pub fn freeze<B: BurnBackend>(network: Network<B>, architecture: Architecture, which: Freeze) -> Network<B> {
    let mut layers: Vec<String> = Vec::new();
    for (name, _) in shapes(&network) {
        let layer = name.rsplit_once('.').map_or("", |(layer, _)| layer).to_owned();
        if layers.last() != Some(&layer) {
            layers.push(layer);
        }
    }
    match which {
        Freeze::Backbone => layers.retain(|layer| {
            let first = format!("{layer}.");
            !belongs_to_head(&first, architecture) && !is_auxiliary(&first)
        }),
        Freeze::First(count) => layers.truncate(count),
    }
    network.map(&mut Freezer { path: Path::default(), layers: layers.into_iter().collect() })
}

struct Freezer {
    path: Path,
    layers: HashSet<String>,
}

impl<B: BurnBackend> ModuleMapper<B> for Freezer {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let name = self.path.name();
        let frozen = name.rsplit_once('.').is_some_and(|(layer, _)| self.layers.contains(layer));
        if frozen { param.set_require_grad(false) } else { param }
    }
}
