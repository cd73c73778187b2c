//! Batch normalisation of `[N, C, H, W]` by the statistics of the batch, forward and backward, and by fixed numbers.
//!
//! Each way passes twice over the images at most: sums of each plane first, then the result. What follows a normalisation
//! at once (a residual that is added, ReLU) is done in the same pass.
#![allow(unsafe_code)] // Results are written into memory that is not cleared first.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::scratch::filled;
use crate::simd::dispatch;

/// Numbers that one piece of work takes, at least.
const PIECE: usize = 1 << 14;

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
    pub rectified: Option<Vec<f32>>,
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
    let rectified = relu.then(|| crate::pool::relu_backward(output, grad));
    let grad = rectified.as_deref().unwrap_or(grad);
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
    BatchNormGradients { x, weight: weight_gradient, bias: bias_gradient, rectified }
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

#[inline(always)]
fn clipped(value: f32) -> f32 {
    if value < 0. { 0. } else { value }
}

/// Images as planes, one a channel.
#[derive(Clone, Copy)]
struct Planes {
    images: usize,
    channels: usize,
    /// Numbers in a plane.
    len: usize,
}

impl Planes {
    fn of(shape: [usize; 4], x: &[f32]) -> Self {
        let [images, channels, height, width] = shape;
        assert_eq!(x.len(), images * channels * height * width, "the images have another shape than {shape:?}");
        Self { images, channels, len: height * width }
    }

    /// Planes that one piece of work takes.
    fn piece(&self) -> usize {
        PIECE.div_ceil(self.len.max(1))
    }

    /// For each channel the sums of what `value` makes of two numbers at one place and the channel's own.
    ///
    /// Planes are summed in f32, sixteen sums side by side, and added up in f64, image after image.
    fn sum(
        &self,
        a: &[f32],
        b: &[f32],
        own: impl Fn(usize) -> f32 + Sync,
        value: impl Fn(f32, f32, f32) -> [f32; 2] + Sync,
    ) -> Vec<[f64; 2]> {
        assert_eq!(a.len(), b.len(), "two images of one shape");
        let mut sums = vec![[0f64; 2]; self.images * self.channels];
        if a.is_empty() {
            return vec![[0.; 2]; self.channels];
        }
        let pieces = sums.par_chunks_mut(self.piece()).enumerate();
        pieces.for_each(|(piece, sums)| {
            dispatch(Sums { planes: self, first: piece * self.piece(), a, b, own: &own, value: &value, sums });
        });
        let mut channels = vec![[0f64; 2]; self.channels];
        for (plane, sum) in sums.iter().enumerate() {
            let channel = &mut channels[plane % self.channels];
            *channel = [channel[0] + sum[0], channel[1] + sum[1]];
        }
        channels
    }

    /// `(x - center) * scale + shift` with the three numbers of each channel, then the residual is added and ReLU clips, if
    /// wanted; a NaN stays one.
    fn affine(
        &self,
        x: &[f32],
        own: impl Fn(usize) -> [f32; 3] + Sync,
        residual: Option<&[f32]>,
        relu: bool,
    ) -> Vec<f32> {
        let value = |x: f32, [center, scale, shift]: [f32; 3]| (x - center) * scale + shift;
        match (residual, relu) {
            (None, false) => self.map(x, x, own, |x, _, own| value(x, own)),
            (None, true) => self.map(x, x, own, |x, _, own| clipped(value(x, own))),
            (Some(residual), false) => self.map(x, residual, own, |x, y, own| value(x, own) + y),
            (Some(residual), true) => self.map(x, residual, own, |x, y, own| clipped(value(x, own) + y)),
        }
    }

    /// What `value` makes of two numbers at one place and the channel's own.
    fn map<Own: Copy>(
        &self,
        a: &[f32],
        b: &[f32],
        own: impl Fn(usize) -> Own + Sync,
        value: impl Fn(f32, f32, Own) -> f32 + Sync,
    ) -> Vec<f32> {
        assert_eq!(a.len(), b.len(), "two images of one shape");
        let write = |out: &mut [MaybeUninit<f32>]| {
            let pieces = out.par_chunks_mut((self.piece() * self.len).max(1)).enumerate();
            pieces.for_each(|(piece, out)| {
                dispatch(Map { planes: self, first: piece * self.piece(), a, b, own: &own, value: &value, out });
            });
        };
        // SAFETY: every plane is written.
        unsafe { filled(a.len(), write) }
    }
}

/// Sums of a few planes.
struct Sums<'a, Own, Value> {
    planes: &'a Planes,
    first: usize,
    a: &'a [f32],
    b: &'a [f32],
    own: &'a Own,
    value: &'a Value,
    sums: &'a mut [[f64; 2]],
}

impl<Own: Fn(usize) -> f32, Value: Fn(f32, f32, f32) -> [f32; 2]> WithSimd for Sums<'_, Own, Value> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        const SIDE: usize = 16;
        let Self { planes: &Planes { channels, len, .. }, first, a, b, own, value, sums } = self;
        for (plane, sum) in (first..).zip(sums) {
            let own = own(plane % channels);
            let (a, b) = (&a[plane * len..][..len], &b[plane * len..][..len]);
            let mut parts = [[0f32; SIDE]; 2];
            let (a_chunks, b_chunks) = (a.chunks_exact(SIDE), b.chunks_exact(SIDE));
            let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
            for (a, b) in a_chunks.zip(b_chunks) {
                for side in 0..SIDE {
                    let [one, two] = value(a[side], b[side], own);
                    parts[0][side] += one;
                    parts[1][side] += two;
                }
            }
            for (side, (&a, &b)) in rest.enumerate() {
                let [one, two] = value(a, b, own);
                parts[0][side] += one;
                parts[1][side] += two;
            }
            *sum = parts.map(|parts| parts.iter().map(|&part| f64::from(part)).sum());
        }
    }
}

/// The results of a few planes.
struct Map<'a, Own, Value> {
    planes: &'a Planes,
    first: usize,
    a: &'a [f32],
    b: &'a [f32],
    own: &'a Own,
    value: &'a Value,
    out: &'a mut [MaybeUninit<f32>],
}

impl<T, Own: Fn(usize) -> T, Value: Fn(f32, f32, T) -> f32> WithSimd for Map<'_, Own, Value>
where
    T: Copy,
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { planes: &Planes { channels, len, .. }, first, a, b, own, value, out } = self;
        for (plane, out) in (first..).zip(out.chunks_exact_mut(len)) {
            let own = own(plane % channels);
            let (a, b) = (&a[plane * len..][..len], &b[plane * len..][..len]);
            for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
                out.write(value(a, b, own));
            }
        }
    }
}
