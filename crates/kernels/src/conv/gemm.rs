//! Convolution as an implicit GEMM: a matrix product whose im2col matrix is never materialised.
//!
//! ```text
//! forward           out[n, :, y, x] = sum over k of       x[pixel under (y, x) and tap, channel] * weight[k, :]
//! input gradient    out[n, :, y, x] = sum over k of    grad[pixel under (y, x) and tap, channel] * weight[k, :]
//! weight gradient   out[:, k]       = sum over pixels of  x[channel, pixel under (y, x) and tap] * grad[y, x, :]
//! ```
//!
//! `k` runs over (tap, channel). The output channels (`:`) lie along the vectors, up to 64 of them. The elements of the
//! im2col matrix are broadcast from where the image holds them; those in the padding are skipped, not multiplied.
//! [`conv_gemm`] computes the first two products, [`mod@weight_gradient`] the third, both with the [`micro_kernel`].
//! [`im2col`] addresses the matrix, and [`crate::pack`] packs panels.
//!
//! Work is split by shape alone and every output is summed in one order, so the bits do not depend on the thread count.

mod conv_gemm;
pub(crate) mod im2col;
pub(crate) mod micro_kernel;
mod weight_gradient;

use std::mem::MaybeUninit;

use self::conv_gemm::ConvGemm;
use self::im2col::Im2col;
pub(crate) use self::weight_gradient::weight_gradient;
use crate::pack::Epilogue;
use crate::shape::Conv2d;

/// Convolves `x` with `weight` and applies the epilogue.
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

/// The gradient of the input from the gradient of the output.
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
