//! The operations on Burn's tensors, with shapes checked: what networks and lessons call.

use burn::tensor::{Int, Tensor, TensorData, TensorPrimitive};

use crate::ConvOptions;
use crate::operations::{Backend, ConvBlock, Pool};
use crate::shapes::{ShapeError, conv2d_output, pool2d_output};

/// Convolves `x` `[N, in, H, W]` with `weight` `[out, in / groups, kh, kw]` and adds `bias` `[out]`.
///
/// The result is `[N, out, H', W']` with `H' = (H + 2 padding - dilation (kh - 1) - 1) / stride + 1`, likewise `W'`.
///
/// # Errors
/// If the channels do not fit, or the kernel is larger than the padded image.
pub fn conv2d<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
    options: ConvOptions<2>,
) -> Result<Tensor<B, 4>, ShapeError> {
    conv_block(x, weight, bias, &ConvBlock::plain(options))
}

/// Convolution, bias, max-pooling and ReLU in one operation; see [`ConvBlock`].
///
/// # Errors
/// If the channels do not fit, or a window is larger than the padded image under it.
pub fn conv_block<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
    block: &ConvBlock,
) -> Result<Tensor<B, 4>, ShapeError> {
    let conv = conv2d_output(x.dims(), weight.dims(), bias.as_ref().map(|bias| bias.dims()[0]), &block.conv)?;
    if let Some(pool) = &block.max_pool {
        pool2d_output(conv, pool)?;
    }
    let bias = bias.map(|bias| bias.into_primitive().tensor());
    let y = B::conv_block(x.into_primitive().tensor(), weight.into_primitive().tensor(), bias, block);
    Ok(Tensor::from_primitive(TensorPrimitive::Float(y)))
}

/// The largest value under each window of `x` `[N, C, H, W]`; channels never mix.
///
/// # Errors
/// If the window is larger than the padded image.
pub fn max_pool2d<B: Backend>(x: Tensor<B, 4>, pool: &Pool) -> Result<Tensor<B, 4>, ShapeError> {
    pool2d_output(x.dims(), pool)?;
    let (y, _) = B::max_pool2d_training(x.into_primitive().tensor(), pool);
    Ok(Tensor::from_primitive(TensorPrimitive::Float(y)))
}

/// The mean under each window of `x` `[N, C, H, W]`; padding counts as zeros.
///
/// # Errors
/// If the window is larger than the padded image.
pub fn avg_pool2d<B: Backend>(x: Tensor<B, 4>, pool: &Pool) -> Result<Tensor<B, 4>, ShapeError> {
    pool2d_output(x.dims(), pool)?;
    let y = B::mean_pool2d(x.into_primitive().tensor(), pool);
    Ok(Tensor::from_primitive(TensorPrimitive::Float(y)))
}

/// Mean cross-entropy `[1]` of `logits` `[N, C]` against classes `[N]`, each below `C`; the share `smoothing` of each target
/// is spread over all classes, as in PyTorch.
pub fn cross_entropy<B: Backend>(logits: Tensor<B, 2>, targets: Tensor<B, 1, Int>, smoothing: f64) -> Tensor<B, 1> {
    let loss = B::cross_entropy(logits.into_primitive().tensor(), targets.into_primitive(), smoothing).loss;
    Tensor::from_primitive(TensorPrimitive::Float(loss))
}

/// How far `a` is from the reference `b`: `max|a - b| / max|b|`, with f32 values read from both.
///
/// Two empty or all-zero tensors differ by 0; a value that is not finite on one side only differs infinitely.
///
/// # Panics
/// If the shapes differ or the values are not f32.
pub fn relative_difference(a: &TensorData, b: &TensorData) -> f64 {
    assert_eq!(a.shape, b.shape, "only tensors of one shape can be compared");
    let a = a.as_slice::<f32>().expect("the first tensor holds f32");
    let b = b.as_slice::<f32>().expect("the second tensor holds f32");
    let (mut difference, mut largest) = (0f64, 0f64);
    for (&a, &b) in a.iter().zip(b) {
        if !a.is_finite() || !b.is_finite() {
            if a.to_bits() == b.to_bits() {
                continue;
            }
            return f64::INFINITY;
        }
        difference = difference.max((f64::from(a) - f64::from(b)).abs());
        largest = largest.max(f64::from(b).abs());
    }
    if difference == 0. { 0. } else { difference / largest }
}
