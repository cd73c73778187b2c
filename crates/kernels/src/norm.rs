//! Batch normalisation of `[N, C, H, W]` by the statistics of the batch, forward and backward, and by fixed numbers.
//!
//! Each way passes twice over the images at most: sums of each plane first, then the result. What follows a normalisation
//! at once (a residual that is added, ReLU) is done in the same pass.

mod planes;

use self::planes::Planes;
use crate::relu::relu_backward;

/// The result of a normalisation by the batch's statistics.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNorm {
    /// `[N, C, H, W]`.
    pub output: Vec<f32>,
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// Variance of each channel: the mean square of the distance from the mean.
    pub variance: Vec<f32>,
}

/// The gradients of a normalisation.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormGradients {
    /// Gradient of the images `[N, C, H, W]`.
    pub x: Vec<f32>,
    /// Gradient of the weight `[C]`.
    pub weight: Vec<f32>,
    /// Gradient of the bias `[C]`.
    pub bias: Vec<f32>,
    /// The result's gradient before ReLU, which is the residual's `[N, C, H, W]`; without ReLU it is the one that came.
    pub pre_relu: Option<Vec<f32>>,
}

/// `(x - mean) / sqrt(variance + epsilon) * weight + bias`, then the residual is added and ReLU clips, if wanted.
///
/// # Panics
/// If a slice has another length than its shape says.
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
    // Squares of distances from about the mean, that of the first image, lose no digits.
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
    // The distance from the mean first: folded into the bias, a mean far from zero would cost digits.
    let output = planes.affine(x, |channel| [mean[channel], scale[channel], bias[channel]], residual, relu);
    BatchNorm { output, mean, variance }
}

/// The gradients of [`batch_norm`] from `grad`, the gradient of its result; `output` is read if ReLU clipped it.
///
/// # Panics
/// If a slice has another length than its shape says.
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
    assert!(!relu || output.len() == x.len(), "the results of the forward pass");
    let pre_relu = relu.then(|| relu_backward(output, grad));
    let grad = pre_relu.as_deref().unwrap_or(grad);
    let count = (shape[0] * planes.len) as f64;
    let sums = planes.sum(grad, x, |channel| mean[channel], |grad, x, mean| [grad, grad * (x - mean)]);
    // dx = a * grad + b * (x - mean) + c, channel by channel.
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

/// `x * scale + shift` with one scale and one shift a channel, then the residual is added and ReLU clips, if wanted.
///
/// # Panics
/// If a slice has another length than its shape says.
pub fn channel_affine(
    shape: [usize; 4],
    x: &[f32],
    [scale, shift]: [&[f32]; 2],
    residual: Option<&[f32]>,
    relu: bool,
) -> Vec<f32> {
    Planes::of(shape, x).affine(x, |channel| [0., scale[channel], shift[channel]], residual, relu)
}
