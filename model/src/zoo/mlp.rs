//! The lecture's fully connected network, which the convolutional one is compared with: 575,050 parameters at 10
//! classes, 68 times as many, and it knows nothing of which pixels are neighbours.
//!
//! ```text
//! [N, 1, 28, 28] -> flatten 784 -> 512 -> 256 -> 128 -> 64 -> classes, ReLU between
//! ```

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Tensor, backend::Backend as BurnBackend};
use kiln_backend::Backend;

use crate::compute::Compute;
use crate::pass::Pass;

/// Widths of the hidden layers.
const HIDDEN: [usize; 4] = [512, 256, 128, 64];

/// Size of an [`Mlp`].
#[derive(Config, Debug)]
pub struct MlpConfig {
    /// Number of classes.
    #[config(default = 10)]
    pub classes: usize,
}

impl MlpConfig {
    /// A network with PyTorch's default initialisation: uniform within ±1/sqrt(fan-in).
    pub fn init<B: BurnBackend>(&self, device: &B::Device) -> Mlp<B> {
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        let [a, b, c, d] = HIDDEN;
        Mlp {
            fc1: linear(784, a),
            fc2: linear(a, b),
            fc3: linear(b, c),
            fc4: linear(c, d),
            fc5: linear(d, self.classes),
        }
    }
}

/// The lecture's fully connected network.
#[derive(Module, Debug)]
pub struct Mlp<B: BurnBackend> {
    /// 784 to 512.
    pub fc1: Linear<B>,
    /// 512 to 256.
    pub fc2: Linear<B>,
    /// 256 to 128.
    pub fc3: Linear<B>,
    /// 128 to 64.
    pub fc4: Linear<B>,
    /// 64 to the classes.
    pub fc5: Linear<B>,
}

impl<B: BurnBackend> Mlp<B> {
    /// Images `[N, 1, 28, 28]` to logits.
    pub fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> P::Row {
        let mut x = pass.flatten(x);
        for layer in [&self.fc1, &self.fc2, &self.fc3, &self.fc4] {
            x = pass.linear(x, layer, true);
        }
        pass.linear(x, &self.fc5, false)
    }
}

impl<B: Backend> Mlp<B> {
    /// Images `[N, 1, 28, 28]` to logits `[N, classes]`.
    ///
    /// # Panics
    /// If the images have another number of pixels.
    pub fn forward(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        self.run(&Compute::new(images.device()), images)
    }
}
