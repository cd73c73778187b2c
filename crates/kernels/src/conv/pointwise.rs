//! 1x1 convolution of one large image with a few kernels, limited by memory bandwidth: the image is read once, in
//! place.
//!
//! ```text
//! for every four channels k:   sums[o][pixel] += weight[o][k] * x[k][pixel]      pixels along the vectors
//! ```
//!
//! A linear layer on a small batch has this form: the layer's weight takes the place of the image, is far larger than
//! any cache, and reading it is all that takes time. Tasks are strips of pixels, whose sums stay in the cache.

use pulp::{Simd, WithSimd};

use crate::block::ConvBlock;
use crate::parallel::for_each;
use crate::relu;
use crate::shape::Conv2d;
use crate::simd::{dispatch, mul_add};

/// Pixels of a strip: a page of memory per channel.
const STRIP: usize = 1024;

/// The most kernels whose sums for a strip stay in the cache.
const MAX_KERNELS: usize = 16;

/// Values of the image from which on this pays off.
const MIN_IMAGE: usize = 1 << 20;

/// Whether the block is such a convolution.
pub(crate) fn is_applicable(block: &ConvBlock) -> bool {
    let Conv2d { image: [n, channels, height, width], weight: [outputs, _, kh, kw], stride, padding, groups, .. } =
        block.conv;
    let plain = [kh, kw, groups] == [1; 3] && stride == [1; 2] && padding == [[0; 2]; 2] && block.max_pool.is_none();
    plain && n == 1 && outputs <= MAX_KERNELS && channels * height * width >= MIN_IMAGE
}

/// Runs the block: `[1, O, H, W]`.
pub(crate) fn forward(block: &ConvBlock, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let Conv2d { image: [_, channels, height, width], weight: [outputs, ..], .. } = block.conv;
    let pixels = height * width;
    let mut out = vec![0.; outputs * pixels];
    let mut strips: Vec<Vec<&mut [f32]>> = Vec::new();
    strips.resize_with(pixels.div_ceil(STRIP), Vec::new);
    for (kernel, plane) in out.chunks_exact_mut(pixels).enumerate() {
        plane.fill(bias.map_or(0., |bias| bias[kernel]));
        plane.chunks_mut(STRIP).zip(&mut strips).for_each(|(sums, strip)| strip.push(sums));
    }
    for_each(strips.into_iter().enumerate(), |(strip, sums)| {
        let start = strip * STRIP;
        dispatch(Strip { x: &x[start..], pixels, channels, weight, sums });
    });
    if block.relu {
        relu::relu_in_place(&mut out);
    }
    out
}

struct Strip<'a> {
    /// The image from the strip's first pixel of the first channel on.
    x: &'a [f32],
    /// Distance between channels.
    pixels: usize,
    channels: usize,
    weight: &'a [f32],
    /// The strip's sums, one slice per kernel.
    sums: Vec<&'a mut [f32]>,
}

impl WithSimd for Strip<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, pixels, channels, weight, mut sums } = self;
        let len = sums.first().map_or(0, |sums| sums.len());
        let row = |channel: usize| &x[channel * pixels..][..len];
        let whole = channels / 4 * 4;
        for channel in (0..whole).step_by(4) {
            let rows = [row(channel), row(channel + 1), row(channel + 2), row(channel + 3)];
            let (vectors, tails) = (rows.map(|row| S::as_simd_f32s(row).0), rows.map(|row| S::as_simd_f32s(row).1));
            for (sums, weight) in sums.iter_mut().zip(weight.chunks_exact(channels)) {
                let weight = &weight[channel..channel + 4];
                let splats: [S::f32s; 4] = [
                    simd.splat_f32s(weight[0]),
                    simd.splat_f32s(weight[1]),
                    simd.splat_f32s(weight[2]),
                    simd.splat_f32s(weight[3]),
                ];
                let (sums, rest) = S::as_mut_simd_f32s(sums);
                let [a, b, c, d] = vectors;
                for ((((sum, &a), &b), &c), &d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                    let first = mul_add(simd, splats[1], b, mul_add(simd, splats[0], a, *sum));
                    *sum = mul_add(simd, splats[3], d, mul_add(simd, splats[2], c, first));
                }
                for (at, sum) in rest.iter_mut().enumerate() {
                    for (&weight, tail) in weight.iter().zip(tails) {
                        *sum += weight * tail[at];
                    }
                }
            }
        }
        for channel in whole..channels {
            for (sums, weight) in sums.iter_mut().zip(weight.chunks_exact(channels)) {
                sums.iter_mut().zip(row(channel)).for_each(|(sum, &x)| *sum += weight[channel] * x);
            }
        }
    }
}
