//! Training that begins with given weights: which of them fit, and which layers stay as they are.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::{Tensor, backend::Backend as BurnBackend};
use kiln_backend::Reference;

use crate::Network;
use crate::parameters::{NamedTensor, ParameterError, check_fit, load_state_dict, parameters, shapes, state_dict};
use crate::registry::{Architecture, Sizes};

/// The weights that a network begins with.
///
/// The last layer is left out if it is not there or was made for another number of classes, and auxiliary heads as far as
/// they are missing or of other shapes: all that keeps the network's own random values.
#[derive(Clone, Debug)]
pub struct InitialWeights {
    /// Those that the network has, too.
    tensors: Vec<NamedTensor>,
    left_out: Vec<String>,
}

impl InitialWeights {
    /// Finds out what of `tensors` fits a network of the architecture and sizes.
    ///
    /// # Errors
    /// If a tensor that must not be left out is missing or has the wrong shape, or one has no place in the network.
    pub fn new(architecture: Architecture, sizes: &Sizes, tensors: Vec<NamedTensor>) -> Result<Self, ParameterError> {
        let own = shapes(&architecture.init::<Reference>(sizes, &Default::default()));
        let shape_of = |name: &str| tensors.iter().find(|tensor| tensor.name == name).map(|tensor| &tensor.shape);
        let new_head = shape_of(architecture.head()).is_none_or(|shape| shape.first() != Some(&sizes.classes));
        let stays = |(name, shape): &(String, Vec<usize>)| {
            if is_auxiliary(name) {
                shape_of(name) != Some(shape)
            } else {
                new_head && belongs_to_head(name, architecture)
            }
        };
        let (random, own): (Vec<_>, Vec<_>) = own.into_iter().partition(stays);
        let left_out: Vec<_> = random.into_iter().map(|(name, _)| name).collect();
        // Auxiliary heads that the network does not have are no fault.
        let used =
            |name: &String| !left_out.contains(name) && (!is_auxiliary(name) || own.iter().any(|own| own.0 == *name));
        let tensors: Vec<_> = tensors.into_iter().filter(|tensor| used(&tensor.name)).collect();
        check_fit(own, &tensors)?;
        Ok(Self { tensors, left_out })
    }

    /// The names of the network's tensors that keep their random values.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// The network with these weights.
    ///
    /// # Panics
    /// If it is not of the architecture and sizes for which they were found to fit.
    pub fn apply<B: BurnBackend>(self, network: Network<B>) -> Network<B> {
        let Self { mut tensors, left_out } = self;
        if !left_out.is_empty() {
            tensors.extend(state_dict(&network).into_iter().filter(|own| left_out.contains(&own.name)));
        }
        load_state_dict(network, tensors).unwrap_or_else(|error| panic!("another network: {error}"))
    }
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

/// Why layers cannot be frozen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("leaves nothing to train: {architecture} has {layers} layers with weights")]
pub struct FreezeError {
    /// The network.
    pub architecture: Architecture,
    /// How many layers it has.
    pub layers: usize,
}

/// The network with some of its layers frozen.
///
/// # Errors
/// If none is left to train.
pub fn freeze<B: BurnBackend>(
    network: Network<B>,
    architecture: Architecture,
    which: Freeze,
) -> Result<Network<B>, FreezeError> {
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
        Freeze::First(count) if count >= layers.len() => {
            return Err(FreezeError { architecture, layers: layers.len() });
        }
        Freeze::First(count) => layers.truncate(count),
    }
    let frozen =
        |name: &str| name.rsplit_once('.').is_some_and(|(layer, _)| layers.iter().any(|frozen| frozen == layer));
    let ids = parameters(&network).into_iter().filter(|parameter| frozen(&parameter.name));
    let mut freezer = Freezer(ids.map(|parameter| parameter.id).collect());
    Ok(network.map(&mut freezer))
}

struct Freezer(HashSet<ParamId>);

impl<B: BurnBackend> ModuleMapper<B> for Freezer {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        if self.0.contains(&param.id) { param.set_require_grad(false) } else { param }
    }
}

/// Whether a tensor belongs to a head that only training uses.
pub(super) fn is_auxiliary(name: &str) -> bool {
    ["aux1.", "aux2.", "AuxLogits."].iter().any(|head| name.starts_with(head))
}
