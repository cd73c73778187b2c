//! The CPU backends' own kernels: `kiln_kernels` on the tensors of ndarray and flex.
//!
//! A kernel takes f32 tensors; anything else is left to Burn's operations. Tensors that lie in memory row by row are
//! read where they are, others are copied first.

use std::borrow::Cow;

use burn::tensor::Shape;
use burn::tensor::ops::ConvOptions;
use burn_ndarray::NdArrayTensor;
use kiln_kernels as kernels;

use crate::dense::{Dense, optional, tensor};
use crate::operations::{
    Backend, ConvBlock, ConvBlockGradients, CrossEntropy, Needs, NormGradients, NormOptions, Pool, SavedConvBlock,
    SavedNorm, TrainedConvBlock, TrainedNorm, composed,
};

/// A convolution of operands that fit, in the kernels' terms.
pub(crate) fn kernel_conv(image: [usize; 4], weight: [usize; 4], options: &ConvOptions<2>) -> kernels::Conv2d {
    let ConvOptions { stride, padding, dilation, groups } = *options;
    kernels::Conv2d { image, weight, stride, padding: padding.map(|padding| [padding; 2]), dilation, groups }
}

/// The block for operands of these shapes.
fn kernel_block(x: &Shape, weight: &Shape, block: &ConvBlock) -> kernels::ConvBlock {
    let conv = kernel_conv(x.dims(), weight.dims(), &block.conv);
    kernels::ConvBlock { conv, max_pool: block.max_pool.clone(), relu: block.relu }
}

/// Whether the winners of a block's pooling fit the kernels' form.
fn fits_winners(block: &ConvBlock) -> bool {
    block.max_pool.as_ref().is_none_or(Pool::argmax_fits_u8)
}

/// Runs a block, and for training keeps the winners; `None` leaves it to Burn.
fn conv_block<T: Dense>(
    x: &T,
    weight: &T,
    bias: Option<&T>,
    block: &ConvBlock,
    training: bool,
) -> Option<(T, Option<T>)> {
    if training && !fits_winners(block) {
        return None;
    }
    let kernel = kernel_block(&x.shape(), &weight.shape(), block);
    let (x, weight) = (x.f32s()?, weight.f32s()?);
    let bias = optional(bias)?;
    if !training {
        return Some((tensor(kernel.forward(&x, &weight, bias.as_deref()), kernel.output()), None));
    }
    let (output, winners) = kernel.forward_training(&x, &weight, bias.as_deref());
    let winners = kernel.max_pool.is_some().then(|| tensor(winners, kernel.output()));
    Some((tensor(output, kernel.output()), winners))
}

/// The tensors that a block's backward pass reads.
struct Saved<'a, T> {
    x: &'a T,
    weight: &'a T,
    output: &'a T,
    winners: Option<&'a T>,
    grad: &'a T,
}

/// The gradients of a block; `None` leaves them to Burn.
fn conv_block_backward<T: Dense>(saved: Saved<'_, T>, block: &ConvBlock, needs: Needs) -> Option<[Option<T>; 3]> {
    let Saved { x, weight, output, winners, grad } = saved;
    if !fits_winners(block) {
        return None;
    }
    let kernel = kernel_block(&x.shape(), &weight.shape(), block);
    let winners = match winners {
        Some(winners) => winners.u8s()?,
        None => Cow::Borrowed(&[][..]),
    };
    let (x_values, weight_values, output, grad) = (x.f32s()?, weight.f32s()?, output.f32s()?, grad.f32s()?);
    let saved = kernels::Saved { x: &x_values, weight: &weight_values, output: &output, argmax: &winners };
    let gradients = kernel.backward(saved, &grad, needs);
    Some([
        gradients.x.map(|values| tensor(values, x.shape())),
        gradients.weight.map(|values| tensor(values, weight.shape())),
        gradients.bias.map(|values| tensor(values, [kernel.conv.weight[0]])),
    ])
}

fn max_pool2d_values<T: Dense>(x: &T, pool: &Pool) -> Option<T> {
    let image = x.shape().dims();
    Some(tensor(kernels::max_pool2d(pool, image, &x.f32s()?), pool.output(image)))
}

fn max_pool2d_training<T: Dense>(x: &T, pool: &Pool) -> Option<(T, T)> {
    let image = x.shape().dims();
    if !pool.argmax_fits_u8() {
        return None;
    }
    let (output, winners) = kernels::max_pool2d_training(pool, image, &x.f32s()?);
    Some((tensor(output, pool.output(image)), tensor(winners, pool.output(image))))
}

fn max_pool2d_training_backward<T: Dense>(input: &Shape, grad: &T, winners: &T, pool: &Pool) -> Option<T> {
    let (grad, winners) = (grad.f32s()?, winners.u8s()?);
    Some(tensor(kernels::max_pool2d_backward(pool, input.dims(), &grad, &winners), input.clone()))
}

fn mean_pool2d<T: Dense>(x: &T, pool: &Pool) -> Option<T> {
    let image = x.shape().dims();
    Some(tensor(kernels::avg_pool2d(pool, image, &x.f32s()?, true), pool.output(image)))
}

fn mean_pool2d_backward<T: Dense>(input: &Shape, grad: &T, pool: &Pool) -> Option<T> {
    Some(tensor(kernels::avg_pool2d_backward(pool, input.dims(), &grad.f32s()?, true), input.clone()))
}

fn concat<T: Dense>(parts: &[T]) -> Option<T> {
    let mut shape = parts.first()?.shape();
    let values = parts.iter().map(T::f32s).collect::<Option<Vec<_>>>()?;
    let values: Vec<&[f32]> = values.iter().map(|values| &**values).collect();
    shape[1] = parts.iter().map(|part| part.shape()[1]).sum();
    Some(tensor(kernels::concat(shape[0], &values), shape))
}

fn split<T: Dense>(x: &T, channels: &[usize]) -> Option<Vec<T>> {
    let [images, _, height, width] = x.shape().dims();
    let rows: Vec<usize> = channels.iter().map(|channels| channels * height * width).collect();
    let parts = kernels::split(images, &x.f32s()?, &rows).into_iter().zip(channels);
    Some(parts.map(|(values, &channels)| tensor(values, [images, channels, height, width])).collect())
}

fn batch_norm<T: Dense>(
    [x, weight, bias]: [&T; 3],
    residual: Option<&T>,
    NormOptions { epsilon, relu }: NormOptions,
) -> Option<[T; 3]> {
    let shape = x.shape();
    let (values, weight, bias, residual) = (x.f32s()?, weight.f32s()?, bias.f32s()?, optional(residual)?);
    let norm = kernels::batch_norm(shape.dims(), &values, [&weight, &bias], epsilon, residual.as_deref(), relu);
    let channels = [shape[1]];
    Some([tensor(norm.output, shape), tensor(norm.mean, channels), tensor(norm.variance, channels)])
}

/// The gradients of x, weight, bias and residual; the last one is `grad` itself unless ReLU clipped.
fn batch_norm_backward<T: Dense>(
    [x, weight, output, mean, variance]: [&T; 5],
    grad: &T,
    NormOptions { epsilon, relu }: NormOptions,
) -> Option<[T; 4]> {
    let shape = x.shape();
    let (values, weight, output, gradient) = (x.f32s()?, weight.f32s()?, output.f32s()?, grad.f32s()?);
    let (mean, variance) = (mean.f32s()?, variance.f32s()?);
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
    let residual = gradients.pre_relu.map_or_else(|| grad.clone(), |values| tensor(values, shape.clone()));
    Some([tensor(gradients.x, shape), tensor(gradients.weight, channels), tensor(gradients.bias, channels), residual])
}

fn channel_affine<T: Dense>([x, scale, shift]: [&T; 3], residual: Option<&T>, relu: bool) -> Option<T> {
    let shape = x.shape();
    let (x, scale, shift, residual) = (x.f32s()?, scale.f32s()?, shift.f32s()?, optional(residual)?);
    let values = kernels::channel_affine(shape.dims(), &x, [&scale, &shift], residual.as_deref(), relu);
    Some(tensor(values, shape))
}

fn conv_affine<T: Dense>([x, weight, scale, shift]: [&T; 4], residual: Option<&T>, block: &ConvBlock) -> Option<T> {
    let kernel = kernel_block(&x.shape(), &weight.shape(), block);
    let (x, weight, scale, shift) = (x.f32s()?, weight.f32s()?, scale.f32s()?, shift.f32s()?);
    let values = kernel.forward_affine(&x, &weight, [&scale, &shift], optional(residual)?.as_deref());
    Some(tensor(values, kernel.output()))
}

/// A large product of `x` `[N, in]` and `weight` `[in, out]` as a convolution: the weight is an image of `in` channels and `out`
/// pixels, and each row of `x` a kernel of 1 x 1. The weight is then read as it lies in memory, not rearranged first.
///
/// `None` for a small one: Burn's product rearranges the weight, which takes no time there.
fn product_block(x: &Shape, weight: &Shape) -> Option<kernels::ConvBlock> {
    /// From here on the kernels have a way that is made for it (`conv/pointwise.rs`).
    const LARGE: usize = 1 << 20;
    let ([rows, inputs], [_, outputs]) = (x.dims(), weight.dims());
    let conv = || kernels::Conv2d::new([1, inputs, 1, outputs], [rows, inputs, 1, 1]);
    (inputs * outputs >= LARGE).then(|| kernels::ConvBlock { conv: conv(), max_pool: None, relu: false })
}

fn product<T: Dense>(x: &T, weight: &T) -> Option<T> {
    let kernel = product_block(&x.shape(), &weight.shape())?;
    let values = kernel.forward(&weight.f32s()?, &x.f32s()?, None);
    Some(tensor(values, [x.shape()[0], weight.shape()[1]]))
}

fn product_backward<T: Dense>(
    x: &T,
    weight: &T,
    grad: &T,
    [needs_x, needs_weight]: [bool; 2],
) -> Option<[Option<T>; 2]> {
    let kernel = product_block(&x.shape(), &weight.shape())?;
    let (rows, image, grad) = (x.f32s()?, weight.f32s()?, grad.f32s()?);
    let saved = kernels::Saved { x: &image, weight: &rows, output: &[], argmax: &[] };
    let needs = Needs { x: needs_weight, weight: needs_x, bias: false };
    let gradients = kernel.backward(saved, &grad, needs);
    Some([
        gradients.weight.map(|values| tensor(values, x.shape())),
        gradients.x.map(|values| tensor(values, weight.shape())),
    ])
}

fn cross_entropy<T: Dense>(logits: &T, targets: &T, smoothing: f64) -> Option<(T, T)> {
    let classes = logits.shape()[1];
    // A target that is no class is Burn's to judge.
    let targets = targets.indices().filter(|targets| targets.iter().all(|&target| target < classes))?;
    let (loss, gradient) = kernels::cross_entropy(&logits.f32s()?, classes, &targets, smoothing);
    Some((tensor(vec![loss], [1]), tensor(gradient, logits.shape())))
}

/// Implements [`Backend`] with the kernels, and with Burn's operations for what they do not take.
macro_rules! with_kernels {
    ($backend:ty, $tensor:ty) => {
        impl Backend for $backend {
            fn conv_block(x: $tensor, weight: $tensor, bias: Option<$tensor>, block: &ConvBlock) -> $tensor {
                match conv_block(&x, &weight, bias.as_ref(), block, false) {
                    Some((output, _)) => output,
                    None => composed::conv_block::<Self>(x, weight, bias, block),
                }
            }

            fn conv_block_training(
                x: $tensor,
                weight: $tensor,
                bias: Option<$tensor>,
                block: &ConvBlock,
            ) -> TrainedConvBlock<Self> {
                match conv_block(&x, &weight, bias.as_ref(), block, true) {
                    Some((output, winners)) => TrainedConvBlock { output, winners },
                    None => composed::conv_block_training(x, weight, bias, block),
                }
            }

            fn conv_block_backward(
                saved: SavedConvBlock<Self>,
                grad: $tensor,
                block: &ConvBlock,
                needs: Needs,
            ) -> ConvBlockGradients<Self> {
                let TrainedConvBlock { output, winners } = &saved.trained;
                let operands =
                    Saved { x: &saved.x, weight: &saved.weight, output, winners: winners.as_ref(), grad: &grad };
                match conv_block_backward(operands, block, needs) {
                    Some([x, weight, bias]) => ConvBlockGradients { x, weight, bias },
                    None => composed::conv_block_backward(saved, grad, block, needs),
                }
            }

            fn max_pool2d_values(x: $tensor, pool: &Pool) -> $tensor {
                max_pool2d_values(&x, pool).unwrap_or_else(|| composed::max_pool2d_values::<Self>(x, pool))
            }

            fn max_pool2d_training(x: $tensor, pool: &Pool) -> ($tensor, $tensor) {
                max_pool2d_training(&x, pool).unwrap_or_else(|| composed::max_pool2d_training::<Self>(x, pool))
            }

            fn max_pool2d_training_backward(input: Shape, grad: $tensor, winners: $tensor, pool: &Pool) -> $tensor {
                max_pool2d_training_backward(&input, &grad, &winners, pool)
                    .unwrap_or_else(|| composed::max_pool2d_training_backward::<Self>(input, grad, winners, pool))
            }

            fn mean_pool2d(x: $tensor, pool: &Pool) -> $tensor {
                mean_pool2d(&x, pool).unwrap_or_else(|| composed::mean_pool2d::<Self>(x, pool))
            }

            fn mean_pool2d_backward(input: Shape, grad: $tensor, pool: &Pool) -> $tensor {
                mean_pool2d_backward(&input, &grad, pool)
                    .unwrap_or_else(|| composed::mean_pool2d_backward::<Self>(input, grad, pool))
            }

            fn concat(parts: Vec<$tensor>) -> $tensor {
                concat(&parts).unwrap_or_else(|| composed::concat::<Self>(parts))
            }

            fn split(x: $tensor, channels: &[usize]) -> Vec<$tensor> {
                split(&x, channels).unwrap_or_else(|| composed::split::<Self>(x, channels))
            }

            fn batch_norm(
                x: $tensor,
                weight: $tensor,
                bias: $tensor,
                residual: Option<$tensor>,
                options: NormOptions,
            ) -> TrainedNorm<Self> {
                match batch_norm([&x, &weight, &bias], residual.as_ref(), options) {
                    Some([output, mean, variance]) => TrainedNorm { output, mean, variance },
                    None => composed::batch_norm(x, weight, bias, residual, options),
                }
            }

            fn batch_norm_backward(saved: SavedNorm<Self>, grad: $tensor, options: NormOptions) -> NormGradients<Self> {
                let TrainedNorm { output, mean, variance } = &saved.trained;
                match batch_norm_backward([&saved.x, &saved.weight, output, mean, variance], &grad, options) {
                    Some([x, weight, bias, residual]) => NormGradients { x, weight, bias, residual },
                    None => composed::batch_norm_backward(saved, grad, options),
                }
            }

            fn channel_affine(
                x: $tensor,
                scale: $tensor,
                shift: $tensor,
                residual: Option<$tensor>,
                relu: bool,
            ) -> $tensor {
                channel_affine([&x, &scale, &shift], residual.as_ref(), relu)
                    .unwrap_or_else(|| composed::channel_affine::<Self>(x, scale, shift, residual, relu))
            }

            fn conv_affine(
                x: $tensor,
                weight: $tensor,
                scale: $tensor,
                shift: $tensor,
                residual: Option<$tensor>,
                block: &ConvBlock,
            ) -> $tensor {
                conv_affine([&x, &weight, &scale, &shift], residual.as_ref(), block).unwrap_or_else(|| {
                    let y = Self::conv_block(x, weight, None, &ConvBlock::plain(block.conv.clone()));
                    Self::channel_affine(y, scale, shift, residual, block.relu)
                })
            }

            fn product(x: $tensor, weight: $tensor) -> $tensor {
                product(&x, &weight).unwrap_or_else(|| composed::product::<Self>(x, weight))
            }

            fn product_backward(x: $tensor, weight: $tensor, grad: $tensor, needs: [bool; 2]) -> [Option<$tensor>; 2] {
                product_backward(&x, &weight, &grad, needs)
                    .unwrap_or_else(|| composed::product_backward::<Self>(x, weight, grad, needs))
            }

            fn cross_entropy(logits: $tensor, targets: $tensor, smoothing: f64) -> CrossEntropy<Self> {
                match cross_entropy(&logits, &targets, smoothing) {
                    Some((loss, gradient)) => CrossEntropy { loss, gradient },
                    None => composed::cross_entropy(logits, targets, smoothing),
                }
            }
        }
    };
}

with_kernels!(crate::NdArray, NdArrayTensor);
#[cfg(feature = "flex")]
with_kernels!(burn_flex::Flex, burn_flex::FlexTensor);
