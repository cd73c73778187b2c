//! Quads: the four neighbouring outputs that the direct kernels compute together.

use pulp::Simd;

use crate::block::ConvBlock;
use crate::shape::{Conv2d, Window};

/// Outputs in a quad; with 2x2 max-pooling, those of one window.
pub(crate) const QUAD: usize = 4;

/// Where a quad finds its pixels in a padded image `[C, padded H, padded W]`.
pub(crate) struct QuadOffsets {
    /// Height and width of the padded image.
    pub(crate) padded: [usize; 2],
    /// For each k, the offset of its pixel from that of the first tap.
    pub(crate) taps: Vec<usize>,
    /// For each quad, the offsets of its pixels under the first tap.
    pub(crate) quads: Vec<[usize; QUAD]>,
}

impl QuadOffsets {
    /// Whether the outputs of a block form quads: with 2x2 max-pooling, or without pooling.
    pub(crate) fn supports(block: &ConvBlock) -> bool {
        block.max_pool.as_ref().is_none_or(|window| *window == Window::square(2))
    }

    /// The offsets, where neighbouring pixels are `step` values apart.
    pub(crate) fn new(block: &ConvBlock, step: usize) -> Self {
        let Conv2d { image: [_, channels, height, width], weight: [_, _, kh, kw], stride, padding, dilation, .. } =
            block.conv;
        let padded = [height + padding[0][0] + padding[0][1], width + padding[1][0] + padding[1][1]];
        let at = |channel: usize, y: usize, x: usize| ((channel * padded[0] + y) * padded[1] + x) * step;

        let mut taps = Vec::with_capacity(channels * kh * kw);
        for channel in 0..channels {
            for ky in 0..kh {
                taps.extend((0..kw).map(|kx| at(channel, ky * dilation[0], kx * dilation[1])));
            }
        }

        let [_, _, h, w] = block.conv.output();
        let pixel = |y: usize, x: usize| at(0, y * stride[0], x * stride[1]);
        let quads = if block.max_pool.is_some() {
            let windows = (0..h / 2).flat_map(|y| (0..w / 2).map(move |x| (2 * y, 2 * x)));
            windows.map(|(y, x)| [pixel(y, x), pixel(y, x + 1), pixel(y + 1, x), pixel(y + 1, x + 1)]).collect()
        } else {
            // The last quad is filled up with the last pixel.
            let pixel = |index: usize| pixel(index.min(h * w - 1) / w, index.min(h * w - 1) % w);
            (0..h * w).step_by(QUAD).map(|first| std::array::from_fn(|index| pixel(first + index))).collect()
        };
        Self { padded, taps, quads }
    }
}

/// The maximum of a quad and its index: the first among equals, and NaN before any number, as in PyTorch.
#[inline(always)]
pub(crate) fn quad_max<S: Simd>(simd: S, values: [S::f32s; QUAD]) -> (S::f32s, S::f32s) {
    let [first, second, third, fourth] = values;
    // Unrolled: a loop would keep the four in memory.
    let best = (first, simd.splat_f32s(0.));
    let best = max_with_index(simd, best, (second, simd.splat_f32s(1.)));
    let best = max_with_index(simd, best, (third, simd.splat_f32s(2.)));
    max_with_index(simd, best, (fourth, simd.splat_f32s(3.)))
}

/// The larger of two (value, index) pairs; the first one if they are equal.
#[inline(always)]
fn max_with_index<S: Simd>(simd: S, best: (S::f32s, S::f32s), next: (S::f32s, S::f32s)) -> (S::f32s, S::f32s) {
    let nan = simd.not_m32s(simd.equal_f32s(next.0, next.0));
    let wins = simd.or_m32s(simd.greater_than_f32s(next.0, best.0), nan);
    (simd.select_f32s(wins, next.0, best.0), simd.select_f32s(wins, next.1, best.1))
}
