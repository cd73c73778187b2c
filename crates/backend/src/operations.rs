//! The operations that Kiln adds to a Burn backend.

use burn::tensor::Shape;
use burn::tensor::ops::{FloatTensor, IntTensor};

use crate::host::HostMemory;
use crate::types::{
    ConvBlock, ConvBlockActivations, ConvBlockGradients, CrossEntropy, Needs, NormActivations, NormGradients,
    NormOptions, Pool, SavedConvBlock, SavedNorm,
};
use crate::{composed, kernels};

/// Burn's backend plus Kiln's operations.
///
/// All tensors are `[N, C, H, W]`. Each operation is computed by the kernels where the backend lets them at its
/// [memory](HostMemory) and they take the operands, and otherwise by Burn's operations. A backend with kernels of another kind
/// overrides a forward operation together with its backward one: they share the meaning of what was saved.
///
/// The operations work on tensors whose shapes fit; [`crate::conv2d`] and its siblings check that and say what is wrong.
pub trait Backend: HostMemory {
    /// Runs a block for its result alone (inference).
    fn conv_block(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        block: &ConvBlock,
    ) -> FloatTensor<Self> {
        kernels::conv_block::<Self>(&x, &weight, bias.as_ref(), block)
            .unwrap_or_else(|| composed::conv_block::<Self>(x, weight, bias, block))
    }

    /// Runs a block and keeps what its backward pass needs.
    fn conv_block_training(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        block: &ConvBlock,
    ) -> ConvBlockActivations<Self> {
        kernels::conv_block_training::<Self>(&x, &weight, bias.as_ref(), block)
            .unwrap_or_else(|| composed::conv_block_training::<Self>(x, weight, bias, block))
    }

    /// The gradients of a block from `grad`, the gradient of its output `[N, out, H', W']`.
    fn conv_block_backward(
        saved: SavedConvBlock<Self>,
        grad: FloatTensor<Self>,
        block: &ConvBlock,
        needs: Needs,
    ) -> ConvBlockGradients<Self> {
        kernels::conv_block_backward::<Self>(&saved, &grad, block, needs)
            .unwrap_or_else(|| composed::conv_block_backward::<Self>(saved, grad, block, needs))
    }

    /// Max-pooling for its result alone (inference).
    fn max_pool2d_values(x: FloatTensor<Self>, pool: &Pool) -> FloatTensor<Self> {
        kernels::max_pool2d_values::<Self>(&x, pool).unwrap_or_else(|| composed::max_pool2d_values::<Self>(x, pool))
    }

    /// Max-pooling that keeps where each maximum was found.
    fn max_pool2d_training(x: FloatTensor<Self>, pool: &Pool) -> (FloatTensor<Self>, IntTensor<Self>) {
        kernels::max_pool2d_training::<Self>(&x, pool).unwrap_or_else(|| composed::max_pool2d_training::<Self>(x, pool))
    }

    /// The gradient of max-pooling's input of shape `input` `[N, C, H, W]`.
    fn max_pool2d_training_backward(
        input: Shape,
        grad: FloatTensor<Self>,
        argmax: IntTensor<Self>,
        pool: &Pool,
    ) -> FloatTensor<Self> {
        kernels::max_pool2d_training_backward::<Self>(&input, &grad, &argmax, pool)
            .unwrap_or_else(|| composed::max_pool2d_training_backward::<Self>(input, grad, argmax, pool))
    }

    /// The mean under each window of `x` `[N, C, H, W]`; padding counts as zeros.
    fn mean_pool2d(x: FloatTensor<Self>, pool: &Pool) -> FloatTensor<Self> {
        kernels::mean_pool2d::<Self>(&x, pool).unwrap_or_else(|| composed::mean_pool2d::<Self>(x, pool))
    }

    /// The gradient of mean-pooling's input of shape `input` `[N, C, H, W]`.
    fn mean_pool2d_backward(input: Shape, grad: FloatTensor<Self>, pool: &Pool) -> FloatTensor<Self> {
        kernels::mean_pool2d_backward::<Self>(&input, &grad, pool)
            .unwrap_or_else(|| composed::mean_pool2d_backward::<Self>(input, grad, pool))
    }

    /// The channels of all `parts` `[N, C, H, W]`, one after the other; the number of channels may differ.
    fn concat(parts: Vec<FloatTensor<Self>>) -> FloatTensor<Self> {
        kernels::concat::<Self>(&parts).unwrap_or_else(|| composed::concat::<Self>(parts))
    }

    /// Takes `x` `[N, C, H, W]` apart into parts of `channels[i]` channels each: the inverse of [`concat`](Backend::concat).
    fn split(x: FloatTensor<Self>, channels: &[usize]) -> Vec<FloatTensor<Self>> {
        kernels::split::<Self>(&x, channels).unwrap_or_else(|| composed::split::<Self>(x, channels))
    }

    /// Normalises each channel of `x` `[N, C, H, W]` by its own mean and variance, with weight and bias `[C]`; then the
    /// residual `[N, C, H, W]` is added and ReLU clips, if wanted.
    fn batch_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: Option<FloatTensor<Self>>,
        options: NormOptions,
    ) -> NormActivations<Self> {
        kernels::batch_norm::<Self>([&x, &weight, &bias], residual.as_ref(), options)
            .unwrap_or_else(|| composed::batch_norm::<Self>(x, weight, bias, residual, options))
    }

    /// The gradients of a normalisation from `grad`, the gradient of its output `[N, C, H, W]`.
    fn batch_norm_backward(
        saved: SavedNorm<Self>,
        grad: FloatTensor<Self>,
        options: NormOptions,
    ) -> NormGradients<Self> {
        kernels::batch_norm_backward::<Self>(&saved, &grad, options)
            .unwrap_or_else(|| composed::batch_norm_backward::<Self>(saved, grad, options))
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
        kernels::channel_affine::<Self>([&x, &scale, &shift], residual.as_ref(), relu)
            .unwrap_or_else(|| composed::channel_affine::<Self>(x, scale, shift, residual, relu))
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
        kernels::conv_affine::<Self>([&x, &weight, &scale, &shift], residual.as_ref(), block).unwrap_or_else(|| {
            let y = Self::conv_block(x, weight, None, &ConvBlock::plain(block.conv.clone()));
            Self::channel_affine(y, scale, shift, residual, block.relu)
        })
    }

    /// A linear layer without bias: the matrix product of `x` `[N, in]` and `weight` `[in, out]`, `[N, out]`.
    fn linear_layer(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        kernels::linear::<Self>(&x, &weight).unwrap_or_else(|| composed::linear::<Self>(x, weight))
    }

    /// The gradients of [`linear_layer`](Backend::linear_layer)'s `x` and `weight` from `grad` `[N, out]`, each if `needs` says so.
    fn linear_layer_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        needs: [bool; 2],
    ) -> [Option<FloatTensor<Self>>; 2] {
        kernels::linear_backward::<Self>(&x, &weight, &grad, needs)
            .unwrap_or_else(|| composed::linear_backward::<Self>(x, weight, grad, needs))
    }

    /// Mean cross-entropy of `logits` `[N, C]` against classes `targets` `[N]`; the share `smoothing` of each target is
    /// spread over all classes, as in PyTorch.
    fn cross_entropy(logits: FloatTensor<Self>, targets: IntTensor<Self>, smoothing: f64) -> CrossEntropy<Self> {
        kernels::cross_entropy::<Self>(&logits, &targets, smoothing)
            .unwrap_or_else(|| composed::cross_entropy::<Self>(logits, targets, smoothing))
    }
}
