//! Layers as torchvision's networks have them, and how their weights begin.

use burn::module::{self, Module};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Tensor, backend::Backend as BurnBackend};
use kiln_backend::{Backend, Pool};

pub(crate) mod sequence;

use crate::batch_norm::BatchNorm;
use crate::compute::Compute;
use crate::pass::Pass;

pub use sequence::{Layer, MaxPool, run_images, run_rows};

/// Runs `conv` on `x` `[N, in, H, W]`, then max-pooling and ReLU if asked for, as one operation: `[N, out, H', W']`.
///
/// # Panics
/// If the image does not fit the layer: the channels differ, or the kernel is larger than the padded image.
pub fn conv_block<B: Backend>(conv: &Conv2d<B>, x: Tensor<B, 4>, max_pool: Option<Pool>, relu: bool) -> Tensor<B, 4> {
    Compute::new(x.device()).conv(x, conv, max_pool, relu)
}

/// What the weights of a convolution are drawn from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Initializer {
    /// Normal with variance `2 / (out * kh * kw)`: He et al., by the number of outputs that a weight touches.
    FanOut,
    /// Normal with variance `2 / (in * kh * kw)`: by the number of inputs of an output.
    FanIn,
    /// Normal with this standard deviation.
    Normal(f64),
}

/// A convolution in the making: stride 1, no padding, no bias.
#[derive(Clone, Debug)]
pub(crate) struct ConvShape {
    channels: [usize; 2],
    kernel: [usize; 2],
    stride: usize,
    padding: [usize; 2],
}

/// A square kernel from so many channels to so many.
pub(crate) fn conv(channels: [usize; 2], kernel: usize) -> ConvShape {
    conv_of(channels, [kernel; 2])
}

/// A kernel `[height, width]` from so many channels to so many.
pub(crate) fn conv_of(channels: [usize; 2], kernel: [usize; 2]) -> ConvShape {
    ConvShape { channels, kernel, stride: 1, padding: [0; 2] }
}

impl ConvShape {
    pub(crate) fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// As much padding on all sides.
    pub(crate) fn padding(self, padding: usize) -> Self {
        Self { padding: [padding; 2], ..self }
    }

    /// So much padding that stride 1 keeps the size.
    pub(crate) fn same(self) -> Self {
        Self { padding: self.kernel.map(|side| side / 2), ..self }
    }

    fn config(&self, initializer: Initializer) -> Conv2dConfig {
        let [inputs, outputs] = self.channels;
        let taps = (self.kernel[0] * self.kernel[1]) as f64;
        let std = match initializer {
            Initializer::FanOut => (2. / (outputs as f64 * taps)).sqrt(),
            Initializer::FanIn => (2. / (inputs as f64 * taps)).sqrt(),
            Initializer::Normal(std) => std,
        };
        let [vertical, horizontal] = self.padding;
        Conv2dConfig::new([inputs, outputs], self.kernel)
            .with_stride([self.stride; 2])
            .with_padding(PaddingConfig2d::Explicit(vertical, horizontal, vertical, horizontal))
            .with_initializer(module::Initializer::Normal { mean: 0., std })
    }

    /// The layer without bias.
    pub(crate) fn init<B: BurnBackend>(&self, initializer: Initializer, device: &B::Device) -> Conv2d<B> {
        self.config(initializer).with_bias(false).init(device)
    }

    /// The layer with a bias of zeros.
    pub(crate) fn init_with_bias<B: BurnBackend>(&self, initializer: Initializer, device: &B::Device) -> Conv2d<B> {
        let mut conv = self.config(initializer).init(device);
        conv.bias = Some(module::Initializer::Zeros.init([self.channels[1]], device));
        conv
    }

    /// The layer with normalisation and ReLU.
    pub(crate) fn basic<B: BurnBackend>(&self, initializer: Initializer, device: &B::Device) -> BasicConv<B> {
        let norm = BatchNorm::new(self.channels[1], BasicConv::<B>::EPSILON, device);
        BasicConv { conv: self.init(initializer, device), bn: norm }
    }
}

/// A linear layer whose weights begin normal with this standard deviation, and its bias as PyTorch's default.
pub(crate) fn linear<B: BurnBackend>([from, to]: [usize; 2], std: f64, device: &B::Device) -> Linear<B> {
    let mut linear = LinearConfig::new(from, to).init(device);
    linear.weight = module::Initializer::Normal { mean: 0., std }.init([from, to], device);
    linear
}

/// Convolution, normalisation and ReLU: the brick of GoogLeNet and Inception.
#[derive(Module, Debug)]
pub struct BasicConv<B: BurnBackend> {
    /// The convolution.
    pub conv: Conv2d<B>,
    /// The normalisation.
    pub bn: BatchNorm<B>,
}

impl<B: BurnBackend> BasicConv<B> {
    /// Added to the variance in both families, a hundred times PyTorch's default.
    const EPSILON: f64 = 1e-3;

    /// Runs the layer.
    pub fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> P::Image {
        pass.conv_norm(x, &self.conv, &self.bn, None, true)
    }
}
