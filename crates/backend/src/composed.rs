//! Kiln's operations made of Burn's: what is done where the kernels do not serve.

use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor, IntTensor};
use burn::tensor::{Shape, Slice, TensorMetadata};

use crate::types::{
    ConvBlock, ConvBlockActivations, ConvBlockGradients, CrossEntropy, Needs, NormActivations, NormGradients,
    NormOptions, Pool, SavedConvBlock, SavedNorm, kernel_conv,
};

pub(crate) fn conv_block<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
    block: &ConvBlock,
) -> FloatTensor<B> {
    let mut y = B::conv2d(x, weight, bias, block.conv.clone());
    if let Some(pool) = &block.max_pool {
        y = max_pool2d_values::<B>(y, pool);
    }
    if block.relu { B::relu(y) } else { y }
}

pub(crate) fn conv_block_training<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
    block: &ConvBlock,
) -> ConvBlockActivations<B> {
    let mut y = B::conv2d(x, weight, bias, block.conv.clone());
    let mut argmax = None;
    if let Some(pool) = &block.max_pool {
        let pooled = B::max_pool2d_with_indices(y, pool.kernel, pool.stride, pool.padding, [1, 1], pool.ceil_mode);
        (y, argmax) = (pooled.output, Some(pooled.indices));
    }
    ConvBlockActivations { output: if block.relu { B::relu(y) } else { y }, argmax }
}

pub(crate) fn conv_block_backward<B: Backend>(
    saved: SavedConvBlock<B>,
    grad: FloatTensor<B>,
    block: &ConvBlock,
    needs: Needs,
) -> ConvBlockGradients<B> {
    let SavedConvBlock { x, weight, activations } = saved;
    let mut grad = if block.relu { B::relu_backward(activations.output, grad) } else { grad };
    if let (Some(pool), Some(argmax)) = (&block.max_pool, activations.argmax) {
        let conv_shape = kernel_conv(x.shape().dims(), weight.shape().dims(), &block.conv).output().into();
        grad = max_pool2d_training_backward::<B>(conv_shape, grad, argmax, pool);
    }
    let options = || block.conv.clone();
    ConvBlockGradients {
        x: needs.x.then(|| B::conv2d_x_backward(x.clone(), weight.clone(), grad.clone(), options())),
        weight: needs.weight.then(|| B::conv2d_weight_backward(x, weight, grad.clone(), options())),
        bias: needs.bias.then(|| sum_over_channels::<B>(grad)),
    }
}

pub(crate) fn max_pool2d_values<B: Backend>(x: FloatTensor<B>, pool: &Pool) -> FloatTensor<B> {
    B::max_pool2d(x, pool.kernel, pool.stride, pool.padding, [1, 1], pool.ceil_mode)
}

pub(crate) fn max_pool2d_training<B: Backend>(x: FloatTensor<B>, pool: &Pool) -> (FloatTensor<B>, IntTensor<B>) {
    let pooled = B::max_pool2d_with_indices(x, pool.kernel, pool.stride, pool.padding, [1, 1], pool.ceil_mode);
    (pooled.output, pooled.indices)
}

pub(crate) fn max_pool2d_training_backward<B: Backend>(
    input: Shape,
    grad: FloatTensor<B>,
    argmax: IntTensor<B>,
    pool: &Pool,
) -> FloatTensor<B> {
    // Burn's operation wants the input back, but reads only its shape.
    let x = B::float_empty(input, &B::float_device(&grad), grad.dtype().into());
    let Pool { kernel, stride, padding, ceil_mode } = *pool;
    B::max_pool2d_with_indices_backward(x, kernel, stride, padding, [1, 1], ceil_mode, grad, argmax).x_grad
}

pub(crate) fn mean_pool2d<B: Backend>(x: FloatTensor<B>, pool: &Pool) -> FloatTensor<B> {
    B::avg_pool2d(x, pool.kernel, pool.stride, pool.padding, true, pool.ceil_mode)
}

pub(crate) fn mean_pool2d_backward<B: Backend>(input: Shape, grad: FloatTensor<B>, pool: &Pool) -> FloatTensor<B> {
    // As above, only the shape is read.
    let x = B::float_empty(input, &B::float_device(&grad), grad.dtype().into());
    B::avg_pool2d_backward(x, grad, pool.kernel, pool.stride, pool.padding, true, pool.ceil_mode)
}

pub(crate) fn concat<B: Backend>(parts: Vec<FloatTensor<B>>) -> FloatTensor<B> {
    B::float_cat(parts, 1)
}

pub(crate) fn split<B: Backend>(x: FloatTensor<B>, channels: &[usize]) -> Vec<FloatTensor<B>> {
    let mut start = 0;
    let part = |&count| {
        let range = Slice::new(start, Some(start + count as isize), 1);
        start += count as isize;
        B::float_slice(x.clone(), &[Slice::full(), range])
    };
    channels.iter().map(part).collect()
}

pub(crate) fn batch_norm<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    residual: Option<FloatTensor<B>>,
    options: NormOptions,
) -> NormActivations<B> {
    let mean = mean_over_channels::<B>(x.clone());
    let distance = B::float_sub(x, over_images::<B>(mean.clone()));
    let variance = mean_over_channels::<B>(B::float_mul(distance.clone(), distance.clone()));
    let scale = B::float_mul(weight, inverse_deviation::<B>(variance.clone(), options.epsilon));
    let output = channel_affine::<B>(distance, scale, bias, residual, options.relu);
    NormActivations { output, mean, variance }
}

pub(crate) fn batch_norm_backward<B: Backend>(
    saved: SavedNorm<B>,
    grad: FloatTensor<B>,
    options: NormOptions,
) -> NormGradients<B> {
    let SavedNorm { x, weight, activations: NormActivations { output, mean, variance } } = saved;
    let grad = if options.relu { B::relu_backward(output, grad) } else { grad };
    let inverse = inverse_deviation::<B>(variance, options.epsilon);
    let normal = B::float_mul(B::float_sub(x, over_images::<B>(mean)), over_images::<B>(inverse.clone()));
    let products = B::float_mul(grad.clone(), normal.clone());
    // dx = weight / deviation * (grad - mean(grad) - normal * mean(grad * normal))
    let along = B::float_mul(normal, over_images::<B>(mean_over_channels::<B>(products.clone())));
    let rest = B::float_sub(grad.clone(), over_images::<B>(mean_over_channels::<B>(grad.clone())));
    let x = B::float_mul(B::float_sub(rest, along), over_images::<B>(B::float_mul(weight, inverse)));
    let (weight, bias) = (sum_over_channels::<B>(products), sum_over_channels::<B>(grad.clone()));
    NormGradients { x, weight, bias, residual: grad }
}

pub(crate) fn channel_affine<B: Backend>(
    x: FloatTensor<B>,
    scale: FloatTensor<B>,
    shift: FloatTensor<B>,
    residual: Option<FloatTensor<B>>,
    relu: bool,
) -> FloatTensor<B> {
    let mut y = B::float_add(B::float_mul(x, over_images::<B>(scale)), over_images::<B>(shift));
    if let Some(residual) = residual {
        y = B::float_add(y, residual);
    }
    if relu { B::relu(y) } else { y }
}

pub(crate) fn linear<B: Backend>(x: FloatTensor<B>, weight: FloatTensor<B>) -> FloatTensor<B> {
    B::float_matmul(x, weight)
}

pub(crate) fn linear_backward<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    grad: FloatTensor<B>,
    [needs_x, needs_weight]: [bool; 2],
) -> [Option<FloatTensor<B>>; 2] {
    [
        needs_x.then(|| B::float_matmul(grad.clone(), B::float_transpose(weight))),
        needs_weight.then(|| B::float_matmul(B::float_transpose(x), grad)),
    ]
}

/// `1 / sqrt(variance + epsilon)`.
fn inverse_deviation<B: Backend>(variance: FloatTensor<B>, epsilon: f64) -> FloatTensor<B> {
    let deviation = B::float_sqrt(B::float_add_scalar(variance, epsilon.into()));
    let ones = B::float_ones(deviation.shape(), &B::float_device(&deviation), deviation.dtype().into());
    B::float_div(ones, deviation)
}

/// `[C]` in the form that goes with `[N, C, H, W]`.
fn over_images<B: Backend>(channels: FloatTensor<B>) -> FloatTensor<B> {
    let count = channels.shape()[0];
    B::float_reshape(channels, Shape::new([1, count, 1, 1]))
}

fn mean_over_channels<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let shape = x.shape();
    let count = (shape[0] * shape[2] * shape[3]) as f64;
    B::float_div_scalar(sum_over_channels::<B>(x), count.into())
}

pub(crate) fn cross_entropy<B: Backend>(
    logits: FloatTensor<B>,
    targets: IntTensor<B>,
    smoothing: f64,
) -> CrossEntropy<B> {
    let (device, dtype) = (B::float_device(&logits), logits.dtype().into());
    let shape = logits.shape();
    let (count, classes) = (shape[0], shape[1]);
    let largest = B::float_max_dim(logits.clone(), 1);
    let shifted = B::float_sub(logits, largest);
    let exp = B::float_exp(shifted.clone());
    let sum = B::float_sum_dim(exp.clone(), 1);
    let log_probabilities = B::float_sub(shifted, B::float_log(sum.clone()));
    let zeros = B::float_zeros(shape, &device, dtype);
    let targets = B::int_reshape(targets, Shape::new([count, 1]));
    let ones = B::float_ones(Shape::new([count, 1]), &device, dtype);
    let mut wanted = B::float_scatter_add(1, zeros, targets, ones);
    if smoothing > 0. {
        wanted = B::float_mul_scalar(wanted, (1. - smoothing).into());
        wanted = B::float_add_scalar(wanted, (smoothing / classes as f64).into());
    }
    let share = -1. / count as f64;
    let products = B::float_mul(wanted.clone(), log_probabilities);
    let loss = B::float_mul_scalar(B::float_sum(products), share.into());
    let difference = B::float_sub(wanted, B::float_div(exp, sum));
    CrossEntropy { loss, gradient: B::float_mul_scalar(difference, share.into()) }
}

/// Sum of `[N, C, H, W]` over all but the channels: `[C]`.
fn sum_over_channels<B: Backend>(grad: FloatTensor<B>) -> FloatTensor<B> {
    let shape = grad.shape();
    let rows = B::float_reshape(grad, Shape::new([shape[0], shape[1], shape[2] * shape[3]]));
    let sums = B::float_sum_dim(B::float_sum_dim(rows, 2), 0);
    B::float_reshape(sums, Shape::new([shape[1]]))
}
