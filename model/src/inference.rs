//! A network with its weights, ready to classify.

use std::sync::OnceLock;

use burn::tensor::{Tensor, TensorData};
use kiln_backend::Backend;
use kiln_data::{Normaliser, Preprocess};

use crate::compute::Compute;
use crate::network::Network;
use crate::parameters::{NamedTensor, load_state_dict};
use crate::plan::Plan;
use crate::registry::{Architecture, Sizes};
use crate::weights::{Weights, WeightsError};

/// A network on a device with fixed weights, and the normalisation that belongs to them: from pixels to logits.
#[derive(Debug)]
pub struct InferenceNetwork<B: Backend> {
    /// The network compiled for the CPU and its images' size.
    plan: Option<Plan>,
    /// The network as tensors. Beside a plan it is made when somebody asks for it.
    network: OnceLock<Box<Network<B>>>,
    pub(crate) sizes: Sizes,
    pass: Compute<B>,
    normaliser: Normaliser,
    pub(crate) architecture: Architecture,
    /// `[channels, height, width]` of an image that went through the preprocessing.
    pub(crate) shape: [usize; 3],
    /// What logits are divided by before they become probabilities.
    pub(crate) temperature: f64,
    pub(crate) device: B::Device,
}

/// Images of a shape that a network cannot take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchShapeError {
    /// The network cannot take such images.
    #[error("images of {found:?} [channels, height, width] do not fit {architecture}, made for {expected:?}")]
    Shape {
        /// Shape of an image `[C, H, W]`.
        found: [usize; 3],
        /// What the network was made for `[C, H, W]`.
        expected: [usize; 3],
        /// The network.
        architecture: Architecture,
    },
    /// Shape and numbers disagree.
    #[error("{found} numbers are not a batch of {shape:?} [images, channels, height, width]")]
    Length {
        /// How many numbers there are.
        found: usize,
        /// Shape of the batch `[N, C, H, W]`.
        shape: [usize; 4],
    },
}

impl<B: Backend> InferenceNetwork<B> {
    /// Puts weights on a device.
    ///
    /// # Errors
    /// If the tensors are not those of the architecture.
    pub fn new(weights: Weights, device: B::Device) -> Result<Self, WeightsError> {
        let preprocess = &weights.description().preprocess;
        let &Preprocess { channels, height, width, .. } = preprocess;
        let (normaliser, architecture) = (Normaliser::new(preprocess), weights.architecture());
        let shape = [channels, height, width];
        let temperature = weights.description().temperature.unwrap_or(1.);
        let (sizes, graph, tensors) = (weights.sizes(), weights.graph(), weights.into_tensors()?);
        let compiled = match B::SHARED && Plan::pays(&graph) {
            true => Plan::compile(&graph, tensors),
            false => Err(tensors),
        };
        let (plan, network) = match compiled {
            Ok(plan) => (Some(plan), OnceLock::new()),
            Err(tensors) => (None, network(architecture, &sizes, tensors, &device).into()),
        };
        let pass = Compute::with_fixed_weights(device.clone());
        Ok(Self { plan, network, sizes, pass, normaliser, architecture, shape, temperature, device })
    }

    /// The network as tensors.
    pub(crate) fn network(&self) -> &Network<B> {
        self.network.get_or_init(|| {
            let tensors = self.plan.as_ref().map_or_else(Vec::new, Plan::tensors);
            network(self.architecture, &self.sizes, tensors, &self.device)
        })
    }

    /// The logits `[N, classes]`, row by row, of a batch of pixels `[N, C, H, W]` as
    /// [`Preprocess::pixels`](kiln_data::Preprocess::pixels) gives them.
    ///
    /// # Errors
    /// If the pixels are not whole images.
    ///
    /// # Panics
    /// If the device fails.
    pub fn logits_of_pixels(&self, pixels: &[u8]) -> Result<Vec<f32>, BatchShapeError> {
        let (images, shape) = self.normalise(pixels)?;
        self.logits(images, shape)
    }

    /// Pixels `[N, C, H, W]` as the network takes them, with their shape.
    pub(crate) fn normalise(&self, pixels: &[u8]) -> Result<(Vec<f32>, [usize; 4]), BatchShapeError> {
        let [channels, height, width] = self.shape;
        let shape = [pixels.len() / (channels * height * width), channels, height, width];
        if shape.iter().product::<usize>() != pixels.len() {
            return Err(BatchShapeError::Length { found: pixels.len(), shape });
        }
        let mut images = vec![0.; pixels.len()];
        self.normaliser.normalise_into(pixels, &mut images);
        Ok((images, shape))
    }

    /// The logits `[N, classes]`, row by row, of a batch `[N, C, H, W]` that is normalised already. Height and width may be
    /// others than those of the preprocessing where the network takes them.
    ///
    /// # Errors
    /// If the images do not fit the network, or their numbers the shape.
    ///
    /// # Panics
    /// If the device fails.
    pub fn logits(&self, images: Vec<f32>, shape: [usize; 4]) -> Result<Vec<f32>, BatchShapeError> {
        let [count, channels, height, width] = shape;
        let found = [channels, height, width];
        if channels != self.shape[0] || !self.architecture.takes(found) {
            return Err(BatchShapeError::Shape { found, expected: self.shape, architecture: self.architecture });
        }
        if shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side)) != Some(images.len()) {
            return Err(BatchShapeError::Length { found: images.len(), shape });
        }
        if count == 0 {
            return Ok(Vec::new());
        }
        if let Some(plan) = self.plan.as_ref().filter(|plan| plan.input() == found) {
            return Ok(plan.run(&images));
        }
        let images = Tensor::from_data(TensorData::new(images, shape), &self.device);
        let logits = self.network().run(&self.pass, images).main.into_data().convert::<f32>();
        Ok(logits.into_vec::<f32>().unwrap_or_else(|error| unreachable!("converted to f32: {error:?}")))
    }
}

/// A network with these tensors, which were seen to be its own.
fn network<B: Backend>(
    architecture: Architecture,
    sizes: &Sizes,
    tensors: Vec<NamedTensor>,
    device: &B::Device,
) -> Box<Network<B>> {
    let network = architecture.init(sizes, device);
    Box::new(load_state_dict(network, tensors).unwrap_or_else(|error| unreachable!("checked before: {error}")))
}
