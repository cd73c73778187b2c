//! The operations that Kiln adds to a Burn backend, with default bodies made of Burn's.

use burn::tensor::Shape;
use burn::tensor::ops::{ConvOptions, FloatTensor, IntTensor};

pub use kiln_kernels::{Needs, Window as Pool};

pub(crate) mod composed;

/// A convolution and what follows it at once: `relu(max_pool(conv(x) + bias))`, each part after the convolution optional.
///
/// The fused form lets a backend keep only the winners' places for the backward pass, and write the activations once.
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
}

/// The result of a block whose gradient will be asked for.
#[derive(Clone, Debug)]
pub struct TrainedConvBlock<B: Backend> {
    /// Activations `[N, out, H', W']`.
    pub output: FloatTensor<B>,
    /// Where each maximum was found, in a form that only the same backend reads; `None` without pooling.
    pub winners: Option<IntTensor<B>>,
}

/// What the backward pass of a block has to work with.
#[derive(Clone, Debug)]
pub struct SavedConvBlock<B: Backend> {
    /// Input `[N, in, H, W]`.
    pub x: FloatTensor<B>,
    /// Weight `[out, in / groups, kh, kw]`.
    pub weight: FloatTensor<B>,
    /// What the forward pass gave.
    pub trained: TrainedConvBlock<B>,
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

/// What follows the normalisation of a channel at once, and what it must not divide by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormOptions {
    /// Added to the variance.
    pub epsilon: f64,
    /// Whether ReLU ends it.
    pub relu: bool,
}

/// The result of a normalisation by the batch's own statistics.
#[derive(Clone, Debug)]
pub struct TrainedNorm<B: Backend> {
    /// `relu((x - mean) / sqrt(variance + epsilon) * weight + bias + residual)` `[N, C, H, W]`.
    pub output: FloatTensor<B>,
    /// Mean of each channel over images and pixels `[C]`.
    pub mean: FloatTensor<B>,
    /// Mean square of the distance from it `[C]`.
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
    pub trained: TrainedNorm<B>,
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
    /// Gradient of the residual, which is the output's behind ReLU `[N, C, H, W]`.
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

/// Burn's backend plus Kiln's operations.
///
/// All tensors are `[N, C, H, W]`. To give a backend faster kernels, override a forward operation together with its
/// backward one: they share the meaning of what was saved. Adding a backend without kernels is one empty `impl`.
///
/// The operations work on tensors whose shapes fit; [`crate::conv2d`] and its siblings check that and say what is wrong.
pub trait Backend: burn::tensor::backend::Backend {
    /// Runs a block for its result alone (inference).
    fn conv_block(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        block: &ConvBlock,
    ) -> FloatTensor<Self> {
        composed::conv_block::<Self>(x, weight, bias, block)
    }

    /// Runs a block and keeps what its backward pass needs.
    fn conv_block_training(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        block: &ConvBlock,
    ) -> TrainedConvBlock<Self> {
        composed::conv_block_training::<Self>(x, weight, bias, block)
    }

    /// The gradients of a block from `grad`, the gradient of its output `[N, out, H', W']`.
    fn conv_block_backward(
        saved: SavedConvBlock<Self>,
        grad: FloatTensor<Self>,
        block: &ConvBlock,
        needs: Needs,
    ) -> ConvBlockGradients<Self> {
        composed::conv_block_backward::<Self>(saved, grad, block, needs)
    }

    /// Max-pooling for its result alone (inference).
    fn max_pool2d_values(x: FloatTensor<Self>, pool: &Pool) -> FloatTensor<Self> {
        composed::max_pool2d_values::<Self>(x, pool)
    }

    /// Max-pooling that keeps where each maximum was found.
    fn max_pool2d_training(x: FloatTensor<Self>, pool: &Pool) -> (FloatTensor<Self>, IntTensor<Self>) {
        composed::max_pool2d_training::<Self>(x, pool)
    }

    /// The gradient of max-pooling's input of shape `input` `[N, C, H, W]`.
    fn max_pool2d_training_backward(
        input: Shape,
        grad: FloatTensor<Self>,
        winners: IntTensor<Self>,
        pool: &Pool,
    ) -> FloatTensor<Self> {
        composed::max_pool2d_training_backward::<Self>(input, grad, winners, pool)
    }

    /// The mean under each window of `x` `[N, C, H, W]`; padding counts as zeros.
    fn mean_pool2d(x: FloatTensor<Self>, pool: &Pool) -> FloatTensor<Self> {
        composed::mean_pool2d::<Self>(x, pool)
    }

    /// The gradient of mean-pooling's input of shape `input` `[N, C, H, W]`.
    fn mean_pool2d_backward(input: Shape, grad: FloatTensor<Self>, pool: &Pool) -> FloatTensor<Self> {
        composed::mean_pool2d_backward::<Self>(input, grad, pool)
    }

    /// The channels of all `parts` `[N, C, H, W]`, one after the other; the number of channels may differ.
    fn concat(parts: Vec<FloatTensor<Self>>) -> FloatTensor<Self> {
        composed::concat::<Self>(parts)
    }

    /// Takes `x` `[N, C, H, W]` apart into parts of `channels[i]` channels each: the inverse of [`concat`](Backend::concat).
    fn split(x: FloatTensor<Self>, channels: &[usize]) -> Vec<FloatTensor<Self>> {
        composed::split::<Self>(x, channels)
    }

    /// Normalises each channel of `x` `[N, C, H, W]` by its own mean and variance, with weight and bias `[C]`; then the
    /// residual `[N, C, H, W]` is added and ReLU clips, if wanted.
    fn batch_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: Option<FloatTensor<Self>>,
        options: NormOptions,
    ) -> TrainedNorm<Self> {
        composed::batch_norm::<Self>(x, weight, bias, residual, options)
    }

    /// The gradients of a normalisation from `grad`, the gradient of its output `[N, C, H, W]`.
    fn batch_norm_backward(
        saved: SavedNorm<Self>,
        grad: FloatTensor<Self>,
        options: NormOptions,
    ) -> NormGradients<Self> {
        composed::batch_norm_backward::<Self>(saved, grad, options)
    }

    /// `relu(x * scale + shift + residual)` of `x` `[N, C, H, W]` with one scale and shift a channel `[C]`, which are
    /// constants to gradients; residual and ReLU are optional.
    fn channel_affine(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        residual: Option<FloatTensor<Self>>,
        relu: bool,
    ) -> FloatTensor<Self> {
        composed::channel_affine::<Self>(x, scale, shift, residual, relu)
    }

    /// [`channel_affine`](Backend::channel_affine) of a convolution without bias, for inference: there are no gradients.
    fn conv_affine(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        residual: Option<FloatTensor<Self>>,
        block: &ConvBlock,
    ) -> FloatTensor<Self> {
        let y = Self::conv_block(x, weight, None, &ConvBlock::plain(block.conv.clone()));
        Self::channel_affine(y, scale, shift, residual, block.relu)
    }

    /// Product of `x` `[N, in]` and `weight` `[in, out]`: `[N, out]`.
    fn product(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::product::<Self>(x, weight)
    }

    /// The gradients of [`product`](Backend::product)'s `x` and `weight` from `grad` `[N, out]`, each if it `needs` to be.
    fn product_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        needs: [bool; 2],
    ) -> [Option<FloatTensor<Self>>; 2] {
        composed::product_backward::<Self>(x, weight, grad, needs)
    }

    /// Mean cross-entropy of `logits` `[N, C]` against classes `targets` `[N]`; the share `smoothing` of each target is
    /// spread over all classes, as in PyTorch.
    fn cross_entropy(logits: FloatTensor<Self>, targets: IntTensor<Self>, smoothing: f64) -> CrossEntropy<Self> {
        composed::cross_entropy::<Self>(logits, targets, smoothing)
    }
}
