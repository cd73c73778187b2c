//! The operations on Burn's tensors, with shapes checked: what networks and lessons call.

use burn::tensor::{Int, Tensor, TensorData, TensorPrimitive};

use crate::ConvOptions;
use crate::operations::Backend;
use crate::shapes::{ShapeError, conv2d_output, pool2d_output};
use crate::types::{ConvBlock, NormOptions, Pool};

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
    let y = B::max_pool2d_values(x.into_primitive().tensor(), pool);
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

/// The channels of all `parts` `[N, C, H, W]`, one after the other: `[N, sum of C, H, W]`.
///
/// # Panics
/// If there are none, or they differ in anything but the channels.
pub fn concat<B: Backend>(parts: Vec<Tensor<B, 4>>) -> Tensor<B, 4> {
    let shapes: Vec<[usize; 4]> = parts.iter().map(Tensor::dims).collect();
    let alike = |a: &[usize; 4], b: &[usize; 4]| a[0] == b[0] && a[2..] == b[2..];
    assert!(!shapes.is_empty() && shapes.iter().all(|shape| alike(shape, &shapes[0])), "parts of shapes {shapes:?}");
    let parts = parts.into_iter().map(|part| part.into_primitive().tensor()).collect();
    Tensor::from_primitive(TensorPrimitive::Float(B::concat(parts)))
}

/// What a normalisation by the batch's statistics gives.
#[derive(Clone, Debug)]
pub struct BatchNormed<B: Backend> {
    /// `relu((x - mean) / sqrt(variance + epsilon) * weight + bias + residual)` `[N, C, H, W]`.
    pub output: Tensor<B, 4>,
    /// Mean of each channel over images and pixels `[C]`, a constant to gradients.
    pub mean: Tensor<B, 1>,
    /// Mean square of the distance from it `[C]`, likewise.
    pub variance: Tensor<B, 1>,
}

/// Normalises each channel of `x` `[N, C, H, W]` by its mean and variance, with `weight` and `bias` `[C]`; then `residual`
/// `[N, C, H, W]` is added and ReLU clips, if wanted.
///
/// # Panics
/// If the shapes do not fit.
pub fn batch_norm<B: Backend>(
    x: Tensor<B, 4>,
    [weight, bias]: [Tensor<B, 1>; 2],
    residual: Option<Tensor<B, 4>>,
    options: NormOptions,
) -> BatchNormed<B> {
    assert_channels(&x, [&weight, &bias], residual.as_ref());
    let [weight, bias] = [weight, bias].map(|operand| operand.into_primitive().tensor());
    let residual = residual.map(|residual| residual.into_primitive().tensor());
    let norm = B::batch_norm(x.into_primitive().tensor(), weight, bias, residual, options);
    let channels = |primitive| Tensor::from_primitive(TensorPrimitive::Float(primitive));
    let output = Tensor::from_primitive(TensorPrimitive::Float(norm.output));
    BatchNormed { output, mean: channels(norm.mean), variance: channels(norm.variance) }
}

/// `relu(x * scale + shift + residual)` of `x` `[N, C, H, W]` with one scale and shift a channel `[C]`, which are constants to
/// gradients; residual and ReLU are optional.
///
/// # Panics
/// If the shapes do not fit.
pub fn channel_affine<B: Backend>(
    x: Tensor<B, 4>,
    [scale, shift]: [Tensor<B, 1>; 2],
    residual: Option<Tensor<B, 4>>,
    relu: bool,
) -> Tensor<B, 4> {
    assert_channels(&x, [&scale, &shift], residual.as_ref());
    let [scale, shift] = [scale, shift].map(|operand| operand.into_primitive().tensor());
    let residual = residual.map(|residual| residual.into_primitive().tensor());
    let y = B::channel_affine(x.into_primitive().tensor(), scale, shift, residual, relu);
    Tensor::from_primitive(TensorPrimitive::Float(y))
}

fn assert_channels<B: Backend>(x: &Tensor<B, 4>, operands: [&Tensor<B, 1>; 2], residual: Option<&Tensor<B, 4>>) {
    let shape = x.dims();
    assert!(operands.iter().all(|operand| operand.dims() == [shape[1]]), "one number for each channel of {shape:?}");
    assert!(residual.is_none_or(|residual| residual.dims() == shape), "a residual of the shape {shape:?}");
}

/// [`channel_affine`] of a convolution without bias, in one operation where nothing is trained.
///
/// # Errors
/// If the channels do not fit, or the kernel is larger than the padded image.
///
/// # Panics
/// If scale, shift or residual have other shapes than the result needs, or the block has max-pooling.
pub fn conv_affine<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    [scale, shift]: [Tensor<B, 1>; 2],
    residual: Option<Tensor<B, 4>>,
    block: &ConvBlock,
) -> Result<Tensor<B, 4>, ShapeError> {
    let shape = conv2d_output(x.dims(), weight.dims(), Some(scale.dims()[0]), &block.conv)?;
    assert!(block.max_pool.is_none(), "pooling comes after the residual");
    assert!(scale.dims() == shift.dims(), "one scale and one shift for each output channel");
    assert!(residual.as_ref().is_none_or(|residual| residual.dims() == shape), "a residual of the shape {shape:?}");
    let [scale, shift] = [scale, shift].map(|operand| operand.into_primitive().tensor());
    let residual = residual.map(|residual| residual.into_primitive().tensor());
    let (x, weight) = (x.into_primitive().tensor(), weight.into_primitive().tensor());
    Ok(Tensor::from_primitive(TensorPrimitive::Float(B::conv_affine(x, weight, scale, shift, residual, block))))
}

/// Mean cross-entropy `[1]` of `logits` `[N, C]` against classes `[N]`, each below `C`; the share `smoothing` of each target
/// is spread over all classes, as in PyTorch.
///
/// # Panics
/// If there is not one target for each row, or the share is not within 0 to 1.
pub fn cross_entropy<B: Backend>(logits: Tensor<B, 2>, targets: Tensor<B, 1, Int>, smoothing: f64) -> Tensor<B, 1> {
    let ([rows, _], [count]) = (logits.dims(), targets.dims());
    assert!(rows == count, "{count} targets for {rows} rows of logits");
    assert!((0. ..=1.).contains(&smoothing), "a share of {smoothing}");
    let loss = B::cross_entropy(logits.into_primitive().tensor(), targets.into_primitive(), smoothing).loss;
    Tensor::from_primitive(TensorPrimitive::Float(loss))
}

/// Product of `x` `[N, in]` and `weight` `[in, out]`, plus `bias` `[out]`: `[N, out]`.
///
/// # Panics
/// If the sizes do not fit.
pub fn linear<B: Backend>(x: Tensor<B, 2>, weight: Tensor<B, 2>, bias: Option<Tensor<B, 1>>) -> Tensor<B, 2> {
    let ([_, features], [inputs, outputs]) = (x.dims(), weight.dims());
    assert!(features == inputs, "{features} features for a weight of {inputs} x {outputs}");
    assert!(bias.as_ref().is_none_or(|bias| bias.dims() == [outputs]), "one bias for each of {outputs} outputs");
    let y = B::linear_layer(x.into_primitive().tensor(), weight.into_primitive().tensor());
    let y = Tensor::from_primitive(TensorPrimitive::Float(y));
    match bias {
        Some(bias) => y + bias.unsqueeze(),
        None => y,
    }
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
