//! What goes into Kiln's operations and comes out of them, besides tensors.

use burn::tensor::backend::Backend;
use burn::tensor::ops::{ConvOptions, FloatTensor, IntTensor};
use kiln_kernels as kernels;

pub use kiln_kernels::{Needs, Window as Pool};

/// A convolution and what follows it at once: `relu(max_pool(conv(x) + bias))`, each part after the convolution optional.
///
/// The fused form lets a backend keep only the argmax of each pooling window for the backward pass, and write the activations
/// once.
#[derive(Clone, Debug)]
pub struct ConvBlock {
    /// Stride, padding, dilation, groups of the convolution.
    pub conv: ConvOptions<2>,
    /// Max-pooling after the bias, if any.
    pub max_pool: Option<Pool>,
    /// Whether ReLU ends the block.
    pub relu: bool,
}

impl ConvBlock {
    /// The convolution alone.
    pub fn plain(conv: ConvOptions<2>) -> Self {
        Self { conv, max_pool: None, relu: false }
    }

    /// The block in the kernels' terms, for an input `[N, in, H, W]` and a weight `[out, in / groups, kh, kw]` that fit.
    pub(crate) fn kernel(&self, image: [usize; 4], weight: [usize; 4]) -> kernels::ConvBlock {
        let conv = kernel_conv(image, weight, &self.conv);
        kernels::ConvBlock { conv, max_pool: self.max_pool.clone(), relu: self.relu }
    }

    /// Whether the argmax of its pooling, if it has any, fits the kernels' form of it.
    pub(crate) fn argmax_fits_kernels(&self) -> bool {
        self.max_pool.as_ref().is_none_or(Pool::argmax_fits_u8)
    }
}

/// A convolution in the kernels' terms, of an input `[N, in, H, W]` and a weight `[out, in / groups, kh, kw]` that fit.
pub(crate) fn kernel_conv(image: [usize; 4], weight: [usize; 4], options: &ConvOptions<2>) -> kernels::Conv2d {
    let ConvOptions { stride, padding, dilation, groups } = *options;
    kernels::Conv2d { image, weight, stride, padding: padding.map(|padding| [padding; 2]), dilation, groups }
}

/// The activations of a block whose gradient will be asked for.
#[derive(Clone, Debug)]
pub struct ConvBlockActivations<B: Backend> {
    /// Output `[N, out, H', W']`.
    pub output: FloatTensor<B>,
    /// Where the maximum of each pooling window was, in a form that only the same backend reads; `None` without pooling.
    pub argmax: Option<IntTensor<B>>,
}

/// What the backward pass of a block has to work with.
#[derive(Clone, Debug)]
pub struct SavedConvBlock<B: Backend> {
    /// Input `[N, in, H, W]`.
    pub x: FloatTensor<B>,
    /// Weight `[out, in / groups, kh, kw]`.
    pub weight: FloatTensor<B>,
    /// What the forward pass gave.
    pub activations: ConvBlockActivations<B>,
}

/// The gradients of a block; each is present exactly if it was asked for.
#[derive(Clone, Debug)]
pub struct ConvBlockGradients<B: Backend> {
    /// Gradient of the input `[N, in, H, W]`.
    pub x: Option<FloatTensor<B>>,
    /// Gradient of the weight `[out, in / groups, kh, kw]`.
    pub weight: Option<FloatTensor<B>>,
    /// Gradient of the bias `[out]`.
    pub bias: Option<FloatTensor<B>>,
}

/// Options of a batch normalisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormOptions {
    /// Added to the variance.
    pub epsilon: f64,
    /// Whether ReLU follows.
    pub relu: bool,
}

/// The activations of a normalisation by the batch's own statistics.
#[derive(Clone, Debug)]
pub struct NormActivations<B: Backend> {
    /// `relu((x - mean) / sqrt(variance + epsilon) * weight + bias + residual)` `[N, C, H, W]`.
    pub output: FloatTensor<B>,
    /// Mean of each channel over images and pixels `[C]`.
    pub mean: FloatTensor<B>,
    /// Biased variance of each channel `[C]`.
    pub variance: FloatTensor<B>,
}

/// What the backward pass of a normalisation has to work with.
#[derive(Clone, Debug)]
pub struct SavedNorm<B: Backend> {
    /// Input `[N, C, H, W]`.
    pub x: FloatTensor<B>,
    /// Weight `[C]`.
    pub weight: FloatTensor<B>,
    /// What the forward pass gave.
    pub activations: NormActivations<B>,
}

/// The gradients of a normalisation.
#[derive(Clone, Debug)]
pub struct NormGradients<B: Backend> {
    /// Gradient of the input `[N, C, H, W]`.
    pub x: FloatTensor<B>,
    /// Gradient of the weight `[C]`.
    pub weight: FloatTensor<B>,
    /// Gradient of the bias `[C]`.
    pub bias: FloatTensor<B>,
    /// Gradient of the residual, which is the output's gradient through ReLU `[N, C, H, W]`.
    pub residual: FloatTensor<B>,
}

/// A loss and what it says about the logits.
///
/// Both come from one pass, since the gradient `(softmax - target) / N` needs what the loss needs. Burn composes the
/// gradient of a logarithm from `recip`, which on ndarray is a 12- to 14-bit approximation wherever a buffer happens to
/// be aligned: neither exact nor the same from run to run.
#[derive(Clone, Debug)]
pub struct CrossEntropy<B: Backend> {
    /// The mean over the batch `[1]`.
    pub loss: FloatTensor<B>,
    /// Its gradient with respect to the logits `[N, C]`.
    pub gradient: FloatTensor<B>,
}
