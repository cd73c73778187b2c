//! A network on a device, from pixels to logits.

use burn::tensor::{Tensor, TensorData};
use kiln_backend::Backend;
use kiln_data::{Normaliser, Preprocess};
use kiln_model::Network;
use kiln_model::weights::{Weights, WeightsError};

/// A network with its weights and the normalisation that belongs to them.
pub struct Classifier<B: Backend> {
    network: Network<B>,
    normaliser: Normaliser,
    /// `[channels, height, width]` of an image.
    shape: [usize; 3],
    classes: usize,
    device: B::Device,
}

impl<B: Backend> Classifier<B> {
    /// Puts weights on a device.
    ///
    /// # Errors
    /// If the tensors are not those of the architecture.
    pub fn new(weights: &Weights, device: B::Device) -> Result<Self, WeightsError> {
        let preprocess = &weights.description().preprocess;
        let &Preprocess { channels, height, width, .. } = preprocess;
        Ok(Self {
            network: weights.clone().into_network(&device)?,
            normaliser: Normaliser::new(preprocess),
            shape: [channels, height, width],
            classes: weights.description().classes.len(),
            device,
        })
    }

    /// The logits of a batch, one row an image, from its pixels `[N, C, H, W]` as
    /// [`Preprocess::pixels`](kiln_data::Preprocess::pixels) gives them.
    ///
    /// # Panics
    /// If the pixels are not whole images, or the device fails.
    pub fn logits(&self, pixels: &[u8]) -> Vec<Vec<f32>> {
        let [channels, height, width] = self.shape;
        let count = pixels.len() / (channels * height * width);
        let mut images = vec![0.; pixels.len()];
        self.normaliser.normalise_into(pixels, &mut images);
        let data = TensorData::new(images, [count, channels, height, width]);
        let logits = self.network.forward(Tensor::from_data(data, &self.device)).into_data().convert::<f32>();
        let logits = logits.into_vec::<f32>().unwrap_or_else(|error| unreachable!("converted to f32: {error:?}"));
        logits.chunks(self.classes).map(<[f32]>::to_vec).collect()
    }
}
