//! Convolution as a product of matrices, one of which is never in memory.
//!
//! ```text
//! forward           out[n, :, y, x] = sum over k of       x[pixel under (y, x) and tap, channel] * weight[k, :]
//! input gradient    out[n, :, y, x] = sum over k of    grad[pixel under (y, x) and tap, channel] * weight[k, :]
//! weight gradient   out[:, k]       = sum over pixels of  x[channel, pixel under (y, x) and tap] * grad[y, x, :]
//! ```
//!
//! `k` counts (tap, channel). Output channels (`:`) go along the vectors, up to 64 of them. The other factor, a matrix of
//! patches, is broadcast number by number from where the image has it, so it is never unrolled, and zeros around the
//! image are never multiplied. [`layer`] computes the first two, [`weight`] the third, both with the micro-kernel in
//! [`tile`]; [`patches`] knows which pixels belong together, and [`crate::panels`] packs.
//!
//! The work is cut by sizes only, and every result is summed in one order: the number of threads changes no bit.

mod conv_gemm;
mod im2col;
mod micro_kernel;
mod weight_gradient;

use std::mem::MaybeUninit;

use self::conv_gemm::ConvGemm;
use self::im2col::Im2col;
use crate::pack::Epilogue;
use crate::shape::Conv2d;

/// Convolves `x` with `weight` and gives the results their last touches.
pub(crate) fn forward(conv: &Conv2d, x: &[f32], weight: &[f32], epilogue: Epilogue, out: &mut [MaybeUninit<f32>]) {
    let [outputs, channels, kernel_height, kernel_width] = conv.weight;
    let taps = kernel_height * kernel_width;
    let gemm = ConvGemm {
        im2col: Im2col::forward(conv),
        images: conv.image[0],
        groups: conv.groups,
        channels,
        outputs: outputs / conv.groups,
        channel_stride: taps,
        output_stride: channels * taps,
    };
    gemm.run(x, weight, epilogue, out);
}

/// The gradient of the image from the gradient of the result.
pub(crate) fn input_gradient(conv: &Conv2d, grad: &[f32], weight: &[f32], out: &mut [MaybeUninit<f32>]) {
    let [outputs, channels, kernel_height, kernel_width] = conv.weight;
    let taps = kernel_height * kernel_width;
    let gemm = ConvGemm {
        im2col: Im2col::input_gradient(conv),
        images: conv.image[0],
        groups: conv.groups,
        channels: outputs / conv.groups,
        outputs: channels,
        channel_stride: channels * taps,
        output_stride: taps,
    };
    gemm.run(grad, weight, Epilogue::default(), out);
}

/// The gradient of the weight from the image and the gradient of the result.
pub(crate) fn weight_gradient(conv: &Conv2d, x: &[f32], grad: &[f32], out: &mut [MaybeUninit<f32>]) {
    weight_gradient::weight_gradient(conv, x, grad, out);
}
