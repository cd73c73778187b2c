//! The lecture's convolutional network: 8,490 parameters that read digits at 98 to 99 %.
//!
//! ```text
//! [N,  1, 28, 28]  conv 5x5, 10 filters   -> [N, 10, 24, 24]
//!                  max-pool 2, ReLU       -> [N, 10, 12, 12]
//!                  conv 5x5, 20 filters   -> [N, 20,  8,  8]
//!                  max-pool 2, ReLU       -> [N, 20,  4,  4]
//!                  flatten, linear        -> [N, classes]
//! ```

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig, conv::Conv2d, conv::Conv2dConfig};
use burn::tensor::{Tensor, backend::Backend as BurnBackend};
use kiln_backend::{Backend, Pool};

use crate::compute::Compute;
use crate::pass::Pass;

/// Size of a [`LectureCnn`].
#[derive(Config, Debug)]
pub struct LectureCnnConfig {
    /// Number of classes.
    #[config(default = 10)]
    pub classes: usize,
}

impl LectureCnnConfig {
    /// A network with PyTorch's default initialisation: uniform within ±1/sqrt(fan-in).
    pub fn init<B: BurnBackend>(&self, device: &B::Device) -> LectureCnn<B> {
        LectureCnn {
            conv1: Conv2dConfig::new([1, 10], [5, 5]).init(device),
            conv2: Conv2dConfig::new([10, 20], [5, 5]).init(device),
            fc: LinearConfig::new(320, self.classes).init(device),
        }
    }
}

/// The lecture's convolutional network.
#[derive(Module, Debug)]
pub struct LectureCnn<B: BurnBackend> {
    /// 5x5, 1 to 10 channels.
    pub conv1: Conv2d<B>,
    /// 5x5, 10 to 20 channels.
    pub conv2: Conv2d<B>,
    /// 320 features to the classes.
    pub fc: Linear<B>,
}

impl<B: BurnBackend> LectureCnn<B> {
    /// Images `[N, 1, 28, 28]` to logits.
    pub fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> P::Row {
        let x = pass.conv(x, &self.conv1, Some(Pool::square(2)), true);
        let x = pass.conv(x, &self.conv2, Some(Pool::square(2)), true);
        pass.linear(pass.flatten(x), &self.fc, false)
    }
}

impl<B: Backend> LectureCnn<B> {
    /// Images `[N, 1, 28, 28]` to logits `[N, classes]`.
    ///
    /// Images and network are on one backend; mixing two does not compile:
    ///
    /// ```compile_fail,E0308
    /// # use burn::tensor::Tensor;
    /// # use kiln_backend::{Reference, Training};
    /// # use kiln_model::LectureCnnConfig;
    /// let network = LectureCnnConfig::new().init::<Reference>(&Default::default());
    /// let images = Tensor::<Training<Reference>, 4>::zeros([1, 1, 28, 28], &Default::default());
    /// network.forward(images);
    /// ```
    ///
    /// # Panics
    /// If the images have another shape.
    pub fn forward(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        self.run(&Compute::new(images.device()), images)
    }
}
