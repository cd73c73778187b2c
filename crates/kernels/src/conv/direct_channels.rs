//! Direct convolution of a few small images: output channels along the vectors.
//!
//! ```text
//! sums of four neighbouring outputs (a quad) of up to 64 channels stay in registers:
//!     sums[p][o] += x[pixel p under tap, channel] * weight[k, o]        k runs over (channel, tap)
//! ```
//!
//! Apart from the weight, and images that have padding, nothing is packed: one image takes microseconds. It serves
//! inference, where somebody waits for a single image; with more work, [`super::gemm`] is as fast.
#![allow(unsafe_code)] // Loads values at computed offsets, unchecked.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};

use super::quads::{QUAD, QuadOffsets, quad_max};
use crate::block::ConvBlock;
use crate::pack::{Epilogue, Pack, STRIP, Unpack};
use crate::parallel::for_each;
use crate::scratch::Scratch;
use crate::shape::Conv2d;
use crate::simd::{dispatch, load, mul_add, panel_width, store};

/// Values of the packed weight, at most: it stays in the cache from one quad to the next.
const MAX_WEIGHT: usize = 1 << 14;

/// Multiply-adds below which waking other threads takes longer than the work itself.
const SERIAL_WORK: usize = 1 << 20;

/// Whether this is the algorithm of choice: few images, a small weight, little work.
pub(crate) fn is_applicable(block: &ConvBlock) -> bool {
    let Conv2d { image: [n, ..], weight: [out, channels, kh, kw], groups, .. } = block.conv;
    let weight = channels * kh * kw * out;
    let [_, _, height, width] = block.conv.output();
    let small = out <= 64 && weight <= MAX_WEIGHT && weight * height * width <= 4 * SERIAL_WORK;
    groups == 1 && QuadOffsets::supports(block) && (1..8).contains(&n) && out > 0 && small
}

/// Runs the block on all images.
pub(crate) fn forward(
    block: &ConvBlock,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    out: &mut [MaybeUninit<f32>],
) {
    let Conv2d { image: [n, channels, height, width], weight: [outputs, ..], .. } = block.conv;
    let plan = ChannelPlan::new(block, weight, bias);
    let images = x.chunks_exact(channels * height * width).zip(out.chunks_exact_mut(out.len() / n));
    let run = |(x, out): (&[f32], &mut [MaybeUninit<f32>])| dispatch(Image { plan: &plan, x, out });
    if n * outputs * plan.offsets.taps.len() * plan.offsets.quads.len() * QUAD < SERIAL_WORK {
        images.for_each(run);
    } else {
        for_each(images, run);
    }
}

/// What all images share: offsets and the packed weight.
struct ChannelPlan<'a> {
    block: &'a ConvBlock,
    bias: Option<&'a [f32]>,
    offsets: QuadOffsets,
    /// Output channels of a panel, in whole vectors.
    width: usize,
    /// `[panels, k, width]`, zero for channels beyond the last.
    weight: Scratch,
}

impl<'a> ChannelPlan<'a> {
    fn new(block: &'a ConvBlock, weight: &[f32], bias: Option<&'a [f32]>) -> Self {
        let outputs = block.conv.weight[0];
        let offsets = QuadOffsets::new(block, 1);
        let (width, columns) = (panel_width(outputs), offsets.taps.len());
        let mut packed = Scratch::new(outputs.div_ceil(width) * columns * width);
        let sources = weight.chunks(width * columns).zip(packed.chunks_exact_mut(columns * width));
        for (source, panel) in sources {
            let (rows, offset) = (source.len() / columns, |k| k * width);
            Pack { source, stride: columns, rows, columns, panel, width, offset, prefetch: STRIP }.run();
        }
        Self { block, bias, offsets, width, weight: packed }
    }
}

/// The work on one image.
struct Image<'a> {
    plan: &'a ChannelPlan<'a>,
    x: &'a [f32],
    out: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for Image<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.plan.width / S::F32_LANES {
            1 => self.run::<S, 1>(simd),
            2 => self.run::<S, 2>(simd),
            3 => self.run::<S, 3>(simd),
            4 => self.run::<S, 4>(simd),
            vectors => unreachable!("a panel of {vectors} vectors"),
        }
    }
}

impl Image<'_> {
    #[inline(always)]
    fn run<S: Simd, const VECTORS: usize>(self, simd: S) {
        let Self { plan: &ChannelPlan { block, bias, ref offsets, width, ref weight }, x, out } = self;
        let padded = pad(block, offsets, x);
        let x = padded.as_deref().unwrap_or(x);
        let (outputs, taps) = (block.conv.weight[0], offsets.taps.len());
        let spatial = out.len() / outputs;
        let mut results = Scratch::new(offsets.quads.len() * QUAD * width);
        for (panel, weight) in weight.chunks_exact(taps * width).enumerate() {
            for (quad, pixels) in offsets.quads.iter().enumerate() {
                let sums = tile::<S, VECTORS>(simd, x, pixels, &offsets.taps, weight);
                if block.max_pool.is_some() {
                    for (vector, sums) in sums.into_iter().enumerate() {
                        let (largest, _) = quad_max(simd, sums);
                        store(simd, &mut results[quad * width + vector * S::F32_LANES..], largest);
                    }
                } else {
                    for (vector, sums) in sums.into_iter().enumerate() {
                        for (pixel, sum) in sums.into_iter().enumerate() {
                            let at = (quad * QUAD + pixel) * width + vector * S::F32_LANES;
                            store(simd, &mut results[at..], sum);
                        }
                    }
                }
            }
            let first = panel * width;
            let rows = width.min(outputs - first);
            let unpack = Unpack {
                sums: &results,
                offset: |pixel| pixel * width,
                rows,
                columns: spatial,
                epilogue: Epilogue { bias, relu: block.relu, ..Epilogue::default() }.starting_at(first, 0),
                out: out[first * spatial..][..rows * spatial].as_mut_ptr().cast(),
                stride: spatial,
            };
            // SAFETY: the slice has a plane of outputs for each row.
            unsafe { unpack.run() };
        }
    }
}

/// The image with its padding, if it has any.
fn pad(block: &ConvBlock, offsets: &QuadOffsets, x: &[f32]) -> Option<Scratch> {
    let Conv2d { image: [_, channels, height, width], padding, .. } = block.conv;
    if padding == [[0; 2]; 2] {
        return None;
    }
    let [rows, columns] = offsets.padded;
    let mut padded = Scratch::new(channels * rows * columns);
    padded.fill(0.);
    for (plane, x) in padded.chunks_exact_mut(rows * columns).zip(x.chunks_exact(height * width)) {
        for (row, x) in plane.chunks_exact_mut(columns).skip(padding[0][0]).zip(x.chunks_exact(width)) {
            row[padding[1][0]..][..width].copy_from_slice(x);
        }
    }
    Some(padded)
}

/// The sums of a quad, for one panel of output channels.
#[inline(always)]
fn tile<S: Simd, const VECTORS: usize>(
    simd: S,
    x: &[f32],
    pixels: &[usize; QUAD],
    taps: &[usize],
    weight: &[f32],
) -> [[S::f32s; QUAD]; VECTORS] {
    let mut sums = [[simd.splat_f32s(0.); QUAD]; VECTORS];
    debug_assert!(pixels.iter().max().unwrap_or(&0) + taps.last().unwrap_or(&0) < x.len());
    for (&tap, weight) in taps.iter().zip(weight.chunks_exact(VECTORS * S::F32_LANES)) {
        // SAFETY: all offsets lie in the padded image, up to the last tap of the last pixel.
        let x = pixels.map(|pixel| simd.splat_f32s(unsafe { *x.get_unchecked(pixel + tap) }));
        for (sums, weight) in sums.iter_mut().zip(weight.chunks_exact(S::F32_LANES)) {
            let weight = load(simd, weight);
            for (sum, x) in sums.iter_mut().zip(x) {
                *sum = mul_add(simd, x, weight, *sum);
            }
        }
    }
    sums
}
