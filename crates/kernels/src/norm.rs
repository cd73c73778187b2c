//! Batch normalisation of `[N, C, H, W]`, forward and backward, with the statistics of the batch or with fixed ones.
//!
//! Each operation makes at most two passes over the images: sums of each plane, then the output. The residual addition
//! and ReLU that follow a normalisation are part of the second pass.

mod planes;

use self::planes::Planes;
use crate::relu::relu_backward;

/// The output of a normalisation with batch statistics, and the statistics.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNorm {
    /// Normalised images `[N, C, H, W]`.
    pub output: Vec<f32>,
    /// Mean of each channel `[C]`.
    pub mean: Vec<f32>,
    /// Biased variance of each channel `[C]`: the mean squared deviation.
    pub variance: Vec<f32>,
}

/// The gradients of a batch normalisation.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormGradients {
    /// Gradient of the input `[N, C, H, W]`.
    pub x: Vec<f32>,
    /// Gradient of the weight `[C]`.
    pub weight: Vec<f32>,
    /// Gradient of the bias `[C]`.
    pub bias: Vec<f32>,
    /// Gradient of ReLU's input `[N, C, H, W]`, which is also the residual's. `None` without ReLU: then both are the
    /// gradient of the output itself.
    pub pre_relu: Option<Vec<f32>>,
}

/// `relu((x - mean) / sqrt(variance + epsilon) * weight + bias + residual)`; residual and ReLU are optional.
///
/// # Panics
/// If the length of a slice does not match its shape.
pub fn batch_norm(
    shape: [usize; 4],
    x: &[f32],
    [weight, bias]: [&[f32]; 2],
    epsilon: f64,
    residual: Option<&[f32]>,
    relu: bool,
) -> BatchNorm {
    let planes = Planes::of(shape, x);
    let count = (shape[0] * planes.len) as f64;
    // Deviations are taken from an estimate of the mean, that of the first image: plain squares would lose digits.
    let one = Planes { images: planes.images.min(1), ..planes };
    let first = &x[..one.images * one.channels * one.len];
    let near = one.sum(first, first, |_| 0., |x, _, _| [x, 0.]);
    let near: Vec<f32> = near.iter().map(|&[sum, _]| (sum / one.len.max(1) as f64) as f32).collect();
    let sums = planes.sum(x, x, |channel| near[channel], |x, _, near| [x - near, (x - near) * (x - near)]);
    let moments = sums.iter().zip(&near).map(|(&[sum, squares], &near)| {
        let mean = sum / count;
        (f64::from(near) + mean, (squares / count - mean * mean).max(0.))
    });
    let (mean, variance): (Vec<f32>, Vec<f32>) = moments.map(|(mean, variance)| (mean as f32, variance as f32)).unzip();
    let scale: Vec<f32> = weight
        .iter()
        .zip(&variance)
        .map(|(&weight, &variance)| (f64::from(weight) / (f64::from(variance) + epsilon).sqrt()) as f32)
        .collect();
    // The mean is subtracted first: folded into the bias, a mean far from zero would cost digits.
    let output = planes.affine(x, |channel| [mean[channel], scale[channel], bias[channel]], residual, relu);
    BatchNorm { output, mean, variance }
}

/// The gradients of [`batch_norm`], given `grad`, the gradient of its output; `output` is only read with ReLU.
///
/// # Panics
/// If the length of a slice does not match its shape.
#[expect(clippy::too_many_arguments, reason = "operands and results of the forward pass")]
pub fn batch_norm_backward(
    shape: [usize; 4],
    x: &[f32],
    weight: &[f32],
    [mean, variance]: [&[f32]; 2],
    epsilon: f64,
    output: &[f32],
    relu: bool,
    grad: &[f32],
) -> BatchNormGradients {
    let planes = Planes::of(shape, x);
    assert!(!relu || output.len() == x.len(), "the output of the forward pass");
    let pre_relu = relu.then(|| relu_backward(output, grad));
    let grad = pre_relu.as_deref().unwrap_or(grad);
    let count = (shape[0] * planes.len) as f64;
    let sums = planes.sum(grad, x, |channel| mean[channel], |grad, x, mean| [grad, grad * (x - mean)]);
    // dx = a * grad + b * (x - mean) + c, with a, b, c per channel.
    let mut coefficients = Vec::with_capacity(planes.channels);
    let (mut weight_gradient, mut bias_gradient) = (Vec::new(), Vec::new());
    for (channel, &[sum, products]) in sums.iter().enumerate() {
        let inverse = 1. / (f64::from(variance[channel]) + epsilon).sqrt();
        let a = f64::from(weight[channel]) * inverse;
        let b = -a * inverse * inverse * products / count;
        coefficients.push([a as f32, b as f32, (-a * sum / count) as f32, mean[channel]]);
        weight_gradient.push((products * inverse) as f32);
        bias_gradient.push(sum as f32);
    }
    let value = |grad: f32, x: f32, [a, b, c, mean]: [f32; 4]| a * grad + (b * (x - mean) + c);
    let x = planes.map(grad, x, |channel| coefficients[channel], value);
    BatchNormGradients { x, weight: weight_gradient, bias: bias_gradient, pre_relu }
}

/// `relu(x * scale + shift + residual)` with scale and shift per channel; residual and ReLU are optional.
///
/// # Panics
/// If the length of a slice does not match its shape.
pub fn channel_affine(
    shape: [usize; 4],
    x: &[f32],
    [scale, shift]: [&[f32]; 2],
    residual: Option<&[f32]>,
    relu: bool,
) -> Vec<f32> {
    Planes::of(shape, x).affine(x, |channel| [0., scale[channel], shift[channel]], residual, relu)
}
