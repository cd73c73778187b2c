//! Kiln's operations by the kernels of `kiln_kernels`, for backends whose memory the CPU sees.
//!
//! Each gives `None` where the kernels do not serve: for tensors elsewhere or of another type than `f32`, and for the few
//! operands that they do not take.

use std::borrow::Cow;

use burn::tensor::ops::{FloatTensor, IntTensor};
use burn::tensor::{Shape, TensorMetadata};
use kiln_kernels as kernels;

use crate::host::{HostMemory, float_tensor, optional, u8_tensor};
use crate::types::{
    ConvBlock, ConvBlockActivations, ConvBlockGradients, CrossEntropy, Needs, NormActivations, NormGradients,
    NormOptions, Pool, SavedConvBlock, SavedNorm,
};

pub(crate) fn conv_block<B: HostMemory>(
    x: &FloatTensor<B>,
    weight: &FloatTensor<B>,
    bias: Option<&FloatTensor<B>>,
    block: &ConvBlock,
) -> Option<FloatTensor<B>> {
    let kernel = block.kernel(x.shape().dims(), weight.shape().dims());
    let (x, weight, bias) = (B::f32s(x)?, B::f32s(weight)?, optional::<B>(bias)?);
    Some(float_tensor::<B>(kernel.forward(&x, &weight, bias.as_deref()), kernel.output()))
}

pub(crate) fn conv_block_training<B: HostMemory>(
    x: &FloatTensor<B>,
    weight: &FloatTensor<B>,
    bias: Option<&FloatTensor<B>>,
    block: &ConvBlock,
) -> Option<ConvBlockActivations<B>> {
    if !block.argmax_fits_kernels() {
        return None;
    }
    let kernel = block.kernel(x.shape().dims(), weight.shape().dims());
    let (x, weight, bias) = (B::f32s(x)?, B::f32s(weight)?, optional::<B>(bias)?);
    let (output, argmax) = kernel.forward_training(&x, &weight, bias.as_deref());
    Some(ConvBlockActivations {
        output: float_tensor::<B>(output, kernel.output()),
        argmax: kernel.max_pool.is_some().then(|| u8_tensor::<B>(argmax, kernel.output())),
    })
}

pub(crate) fn conv_block_backward<B: HostMemory>(
    saved: &SavedConvBlock<B>,
    grad: &FloatTensor<B>,
    block: &ConvBlock,
    needs: Needs,
) -> Option<ConvBlockGradients<B>> {
    if !block.argmax_fits_kernels() {
        return None;
    }
    let SavedConvBlock { x, weight, activations: ConvBlockActivations { output, argmax } } = saved;
    let (x_shape, weight_shape) = (x.shape(), weight.shape());
    let kernel = block.kernel(x_shape.dims(), weight_shape.dims());
    let argmax = match argmax {
        Some(argmax) => B::u8s(argmax)?,
        None => Cow::Borrowed(&[][..]),
    };
    let (x, weight, output, grad) = (B::f32s(x)?, B::f32s(weight)?, B::f32s(output)?, B::f32s(grad)?);
    let saved = kernels::Saved { x: &x, weight: &weight, output: &output, argmax: &argmax };
    let gradients = kernel.backward(saved, &grad, needs);
    Some(ConvBlockGradients {
        x: gradients.x.map(|values| float_tensor::<B>(values, x_shape)),
        weight: gradients.weight.map(|values| float_tensor::<B>(values, weight_shape)),
        bias: gradients.bias.map(|values| float_tensor::<B>(values, [kernel.conv.weight[0]])),
    })
}

pub(crate) fn max_pool2d_values<B: HostMemory>(x: &FloatTensor<B>, pool: &Pool) -> Option<FloatTensor<B>> {
    let image = x.shape().dims();
    Some(float_tensor::<B>(kernels::max_pool2d(pool, image, &B::f32s(x)?), pool.output(image)))
}

pub(crate) fn max_pool2d_training<B: HostMemory>(
    x: &FloatTensor<B>,
    pool: &Pool,
) -> Option<(FloatTensor<B>, IntTensor<B>)> {
    let image = x.shape().dims();
    if !pool.argmax_fits_u8() {
        return None;
    }
    let (output, argmax) = kernels::max_pool2d_training(pool, image, &B::f32s(x)?);
    Some((float_tensor::<B>(output, pool.output(image)), u8_tensor::<B>(argmax, pool.output(image))))
}

pub(crate) fn max_pool2d_training_backward<B: HostMemory>(
    input: &Shape,
    grad: &FloatTensor<B>,
    argmax: &IntTensor<B>,
    pool: &Pool,
) -> Option<FloatTensor<B>> {
    let (grad, argmax) = (B::f32s(grad)?, B::u8s(argmax)?);
    Some(float_tensor::<B>(kernels::max_pool2d_backward(pool, input.dims(), &grad, &argmax), input.clone()))
}

pub(crate) fn mean_pool2d<B: HostMemory>(x: &FloatTensor<B>, pool: &Pool) -> Option<FloatTensor<B>> {
    let image = x.shape().dims();
    Some(float_tensor::<B>(kernels::avg_pool2d(pool, image, &B::f32s(x)?, true), pool.output(image)))
}

pub(crate) fn mean_pool2d_backward<B: HostMemory>(
    input: &Shape,
    grad: &FloatTensor<B>,
    pool: &Pool,
) -> Option<FloatTensor<B>> {
    let gradient = kernels::avg_pool2d_backward(pool, input.dims(), &B::f32s(grad)?, true);
    Some(float_tensor::<B>(gradient, input.clone()))
}

pub(crate) fn concat<B: HostMemory>(parts: &[FloatTensor<B>]) -> Option<FloatTensor<B>> {
    let mut shape = parts.first()?.shape();
    let values = parts.iter().map(B::f32s).collect::<Option<Vec<_>>>()?;
    let values: Vec<&[f32]> = values.iter().map(|values| &**values).collect();
    shape[1] = parts.iter().map(|part| part.shape()[1]).sum();
    Some(float_tensor::<B>(kernels::concat(shape[0], &values), shape))
}

pub(crate) fn split<B: HostMemory>(x: &FloatTensor<B>, channels: &[usize]) -> Option<Vec<FloatTensor<B>>> {
    let [images, _, height, width] = x.shape().dims();
    let rows: Vec<usize> = channels.iter().map(|channels| channels * height * width).collect();
    let parts = kernels::split(images, &B::f32s(x)?, &rows).into_iter().zip(channels);
    Some(parts.map(|(values, &channels)| float_tensor::<B>(values, [images, channels, height, width])).collect())
}

pub(crate) fn batch_norm<B: HostMemory>(
    [x, weight, bias]: [&FloatTensor<B>; 3],
    residual: Option<&FloatTensor<B>>,
    NormOptions { epsilon, relu }: NormOptions,
) -> Option<NormActivations<B>> {
    let shape = x.shape();
    let (values, weight, bias) = (B::f32s(x)?, B::f32s(weight)?, B::f32s(bias)?);
    let residual = optional::<B>(residual)?;
    let norm = kernels::batch_norm(shape.dims(), &values, [&weight, &bias], epsilon, residual.as_deref(), relu);
    let channels = [shape[1]];
    Some(NormActivations {
        output: float_tensor::<B>(norm.output, shape),
        mean: float_tensor::<B>(norm.mean, channels),
        variance: float_tensor::<B>(norm.variance, channels),
    })
}

pub(crate) fn batch_norm_backward<B: HostMemory>(
    saved: &SavedNorm<B>,
    grad: &FloatTensor<B>,
    NormOptions { epsilon, relu }: NormOptions,
) -> Option<NormGradients<B>> {
    let SavedNorm { x, weight, activations: NormActivations { output, mean, variance } } = saved;
    let shape = x.shape();
    let (values, weight, output, gradient) = (B::f32s(x)?, B::f32s(weight)?, B::f32s(output)?, B::f32s(grad)?);
    let (mean, variance) = (B::f32s(mean)?, B::f32s(variance)?);
    let gradients = kernels::batch_norm_backward(
        shape.dims(),
        &values,
        &weight,
        [&mean, &variance],
        epsilon,
        &output,
        relu,
        &gradient,
    );
    let channels = [shape[1]];
    // Without ReLU the residual's gradient is the output's.
    let pre_relu = gradients.pre_relu.map(|values| float_tensor::<B>(values, shape.clone()));
    Some(NormGradients {
        x: float_tensor::<B>(gradients.x, shape),
        weight: float_tensor::<B>(gradients.weight, channels),
        bias: float_tensor::<B>(gradients.bias, channels),
        residual: pre_relu.unwrap_or_else(|| grad.clone()),
    })
}

pub(crate) fn channel_affine<B: HostMemory>(
    [x, scale, shift]: [&FloatTensor<B>; 3],
    residual: Option<&FloatTensor<B>>,
    relu: bool,
) -> Option<FloatTensor<B>> {
    let shape = x.shape();
    let (x, scale, shift, residual) = (B::f32s(x)?, B::f32s(scale)?, B::f32s(shift)?, optional::<B>(residual)?);
    let values = kernels::channel_affine(shape.dims(), &x, [&scale, &shift], residual.as_deref(), relu);
    Some(float_tensor::<B>(values, shape))
}

pub(crate) fn conv_affine<B: HostMemory>(
    [x, weight, scale, shift]: [&FloatTensor<B>; 4],
    residual: Option<&FloatTensor<B>>,
    block: &ConvBlock,
) -> Option<FloatTensor<B>> {
    let kernel = block.kernel(x.shape().dims(), weight.shape().dims());
    let (x, weight, scale, shift) = (B::f32s(x)?, B::f32s(weight)?, B::f32s(scale)?, B::f32s(shift)?);
    let values = kernel.forward_affine(&x, &weight, [&scale, &shift], optional::<B>(residual)?.as_deref());
    Some(float_tensor::<B>(values, kernel.output()))
}

/// A large matrix product of `x` `[N, in]` and `weight` `[in, out]` as a convolution: the weight is an image of `in` channels
/// and `out` pixels, and each row of `x` a kernel of 1 x 1. The weight is then read as it lies in memory, not packed first.
///
/// `None` for a small one: Burn's product packs the weight, which takes no time there.
fn linear_block(x: &Shape, weight: &Shape) -> Option<kernels::ConvBlock> {
    /// From here on the kernels have a way that is made for it (`conv/pointwise.rs`).
    const LARGE: usize = 1 << 20;
    let ([rows, inputs], [_, outputs]) = (x.dims(), weight.dims());
    let conv = || kernels::Conv2d::new([1, inputs, 1, outputs], [rows, inputs, 1, 1]);
    (inputs * outputs >= LARGE).then(|| kernels::ConvBlock { conv: conv(), max_pool: None, relu: false })
}

pub(crate) fn linear<B: HostMemory>(x: &FloatTensor<B>, weight: &FloatTensor<B>) -> Option<FloatTensor<B>> {
    let shape = [x.shape()[0], weight.shape()[1]];
    let kernel = linear_block(&x.shape(), &weight.shape())?;
    Some(float_tensor::<B>(kernel.forward(&B::f32s(weight)?, &B::f32s(x)?, None), shape))
}

pub(crate) fn linear_backward<B: HostMemory>(
    x: &FloatTensor<B>,
    weight: &FloatTensor<B>,
    grad: &FloatTensor<B>,
    [needs_x, needs_weight]: [bool; 2],
) -> Option<[Option<FloatTensor<B>>; 2]> {
    let kernel = linear_block(&x.shape(), &weight.shape())?;
    let (rows, image, grad) = (B::f32s(x)?, B::f32s(weight)?, B::f32s(grad)?);
    let saved = kernels::Saved { x: &image, weight: &rows, output: &[], argmax: &[] };
    let needs = Needs { x: needs_weight, weight: needs_x, bias: false };
    let gradients = kernel.backward(saved, &grad, needs);
    Some([
        gradients.weight.map(|values| float_tensor::<B>(values, x.shape())),
        gradients.x.map(|values| float_tensor::<B>(values, weight.shape())),
    ])
}

pub(crate) fn cross_entropy<B: HostMemory>(
    logits: &FloatTensor<B>,
    targets: &IntTensor<B>,
    smoothing: f64,
) -> Option<CrossEntropy<B>> {
    let shape = logits.shape();
    let classes = shape[1];
    // A target that is no class is Burn's to judge.
    let targets = B::indices(targets)?;
    if targets.iter().any(|&target| target >= classes) {
        return None;
    }
    let (loss, gradient) = kernels::cross_entropy(&B::f32s(logits)?, classes, &targets, smoothing);
    Some(CrossEntropy { loss: float_tensor::<B>(vec![loss], [1]), gradient: float_tensor::<B>(gradient, shape) })
}
