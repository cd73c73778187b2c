//! Direct convolution of many small images: each SIMD lane computes another image.
//!
//! ```text
//! x [N, C, H, W]  -- pack -->  [C, H + padding, W + padding, lanes]
//! sums of four neighbouring outputs (a quad) of up to six channels stay in registers:
//!     sums[o][p] += weight[o, k] * x[k, p]        k runs over (channel, tap)
//! [O, H', W', lanes]  -- unpack -->  output [N, O, H', W']
//! ```
//!
//! All lanes are busy whatever the sizes, so a single channel is as efficient as sixteen. With 2x2 max-pooling a quad
//! is one pooling window: only its maximum and argmax ever leave the registers.
#![allow(unsafe_code)] // Loads packed vectors at computed offsets, unchecked.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::chwn::{pack_lanes, unpack_argmax, unpack_lanes};
use super::quads::{QUAD, QuadOffsets, quad_max};
use crate::block::ConvBlock;
use crate::scratch::Scratch;
use crate::shape::Conv2d;
use crate::simd::{Level, mul_add, store};

/// Values of an image, its output and its argmax, at most: each thread holds them for all lanes at once.
const MAX_FLOATS: usize = 1 << 16;

/// Whether this is the algorithm of choice: few channels, small images, and enough of them to fill the lanes.
pub(crate) fn is_applicable(block: &ConvBlock) -> bool {
    let Conv2d { image: [n, channels, height, width], weight: [out, ..], groups, .. } = block.conv;
    let [_, _, rows, columns] = block.output();
    let small = channels * height * width + 2 * out * rows * columns <= MAX_FLOATS;
    // More output channels fill vectors of their own.
    groups == 1 && QuadOffsets::supports(block) && small && n >= 8 && channels <= 16 && (1..=32).contains(&out)
}

/// Runs the block on all images; `argmax` is empty or has an index for each output.
pub(crate) fn forward(
    block: &ConvBlock,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    out: &mut [MaybeUninit<f32>],
    argmax: &mut [MaybeUninit<u8>],
) {
    let level = Level::current();
    let plan = BatchPlan::new(block, weight, bias, level);
    let images = x.par_chunks(plan.image * level.lanes());
    let outputs = out.par_chunks_mut(plan.result * level.lanes());
    if argmax.is_empty() {
        images.zip(outputs).for_each(|(x, out)| level.dispatch(ImageGroup { plan: &plan, x, out, argmax: &mut [] }));
    } else {
        let argmax = argmax.par_chunks_mut(plan.result * level.lanes());
        let groups = images.zip(outputs).zip(argmax);
        groups.for_each(|((x, out), argmax)| level.dispatch(ImageGroup { plan: &plan, x, out, argmax }));
    }
}

/// What all image groups share: sizes, offsets and the packed weight.
struct BatchPlan<'a> {
    block: &'a ConvBlock,
    /// Values of an image and of its output.
    image: usize,
    result: usize,
    /// Offsets into the packed images, in values.
    offsets: QuadOffsets,
    /// Output channels of a tile.
    tile: usize,
    /// `[tiles, k, tile]`, zero for channels beyond the last.
    weight: Vec<f32>,
    /// `[tiles, tile]`.
    bias: Vec<f32>,
}

impl<'a> BatchPlan<'a> {
    fn new(block: &'a ConvBlock, weight: &[f32], bias: Option<&[f32]>, level: Level) -> Self {
        let Conv2d { image: [_, channels, height, width], weight: [out, ..], .. } = block.conv;
        let offsets = QuadOffsets::new(block, level.lanes());

        // As many channels as leave registers for the quad's four pixels and a weight, in tiles of equal size.
        let most = if level == Level::Avx512 { 6 } else { 2 };
        let tiles = out.div_ceil(most).max(1);
        let tile = out.div_ceil(tiles).max(1);
        let taps = offsets.taps.len();
        let (mut packed, mut biases) = (vec![0.; tiles * taps * tile], vec![0.; tiles * tile]);
        for channel in 0..out {
            for k in 0..taps {
                packed[(channel / tile * taps + k) * tile + channel % tile] = weight[channel * taps + k];
            }
            biases[channel] = bias.map_or(0., |bias| bias[channel]);
        }
        let [_, _, rows, columns] = block.output();
        Self {
            block,
            image: channels * height * width,
            result: out * rows * columns,
            offsets,
            tile,
            weight: packed,
            bias: biases,
        }
    }
}

/// As many images as there are lanes, or the remaining ones.
struct ImageGroup<'a> {
    plan: &'a BatchPlan<'a>,
    x: &'a [f32],
    out: &'a mut [MaybeUninit<f32>],
    argmax: &'a mut [MaybeUninit<u8>],
}

impl WithSimd for ImageGroup<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { plan, x, out, argmax } = self;
        let Conv2d { image: [_, channels, ..], padding, .. } = plan.block.conv;
        let images = channels * plan.offsets.padded[0] * plan.offsets.padded[1] * S::F32_LANES;
        let results = plan.result * S::F32_LANES;
        let argmax_lanes = if argmax.is_empty() { 0 } else { results };
        let mut scratch = Scratch::new(images + results + argmax_lanes);
        let (packed, rest) = scratch.split_at_mut(images);
        let (results, argmax_lanes) = rest.split_at_mut(results);
        if padding != [[0; 2]; 2] {
            packed.fill(0.);
        }
        pack_lanes(simd, x, &plan.block.conv, packed);
        match plan.tile {
            1 => convolve::<S, 1>(simd, plan, packed, results, argmax_lanes),
            2 => convolve::<S, 2>(simd, plan, packed, results, argmax_lanes),
            3 => convolve::<S, 3>(simd, plan, packed, results, argmax_lanes),
            4 => convolve::<S, 4>(simd, plan, packed, results, argmax_lanes),
            5 => convolve::<S, 5>(simd, plan, packed, results, argmax_lanes),
            6 => convolve::<S, 6>(simd, plan, packed, results, argmax_lanes),
            tile => unreachable!("a tile of {tile} channels"),
        }
        unpack_lanes(simd, results, out);
        if !argmax.is_empty() {
            unpack_argmax(simd, argmax_lanes, argmax);
        }
    }
}

/// Fills `results` `[O, H', W', lanes]` and, unless it is empty, `argmax_lanes`, from the packed images.
#[inline(always)]
fn convolve<S: Simd, const TILE: usize>(
    simd: S,
    plan: &BatchPlan,
    packed: &[f32],
    results: &mut [f32],
    argmax_lanes: &mut [f32],
) {
    let out = plan.block.conv.weight[0];
    let pooled = plan.block.max_pool.is_some();
    let spatial = plan.result / out;
    let lowest = simd.splat_f32s(if plan.block.relu { 0. } else { f32::NEG_INFINITY });
    for (quad, pixels) in plan.offsets.quads.iter().enumerate() {
        for (index, weight) in plan.weight.chunks_exact(plan.offsets.taps.len() * TILE).enumerate() {
            let bias = &plan.bias[index * TILE..][..TILE];
            let sums = tile::<S, TILE>(simd, packed, pixels, &plan.offsets.taps, weight, bias);
            for (channel, sums) in (index * TILE..out).zip(sums) {
                if pooled {
                    let at = (channel * spatial + quad) * S::F32_LANES;
                    let (largest, index) = quad_max(simd, sums);
                    store(simd, &mut results[at..], clamp_below(simd, largest, lowest));
                    if !argmax_lanes.is_empty() {
                        store(simd, &mut argmax_lanes[at..], index);
                    }
                } else {
                    let first = quad * QUAD;
                    for (pixel, sum) in (first..spatial).zip(sums) {
                        let at = (channel * spatial + pixel) * S::F32_LANES;
                        store(simd, &mut results[at..], clamp_below(simd, sum, lowest));
                    }
                }
            }
        }
    }
}

/// The sums of a quad, for `TILE` output channels.
#[inline(always)]
fn tile<S: Simd, const TILE: usize>(
    simd: S,
    packed: &[f32],
    pixels: &[usize; QUAD],
    taps: &[usize],
    weight: &[f32],
    bias: &[f32],
) -> [[S::f32s; QUAD]; TILE] {
    let mut sums = [[simd.splat_f32s(0.); QUAD]; TILE];
    for (sums, &bias) in sums.iter_mut().zip(bias) {
        *sums = [simd.splat_f32s(bias); QUAD];
    }
    debug_assert!(taps.len() * TILE == weight.len());
    debug_assert!(pixels.iter().max().unwrap_or(&0) + taps.last().unwrap_or(&0) + S::F32_LANES <= packed.len());
    let mut weights = weight.as_ptr();
    for &tap in taps {
        // SAFETY: the offsets of pixels and taps address whole vectors of the padded image, up to the last tap of the
        // last pixel; `weight` has `TILE` values for each tap.
        unsafe {
            let x: [S::f32s; QUAD] = std::array::from_fn(|pixel| {
                packed.as_ptr().add(pixels[pixel] + tap).cast::<S::f32s>().read_unaligned()
            });
            for (channel, sums) in sums.iter_mut().enumerate() {
                let weight = simd.splat_f32s(*weights.add(channel));
                for (sum, x) in sums.iter_mut().zip(x) {
                    *sum = mul_add(simd, weight, x, *sum);
                }
            }
            weights = weights.add(TILE);
        }
    }
    sums
}

/// The larger of `value` and `lowest`; NaN propagates.
#[inline(always)]
fn clamp_below<S: Simd>(simd: S, value: S::f32s, lowest: S::f32s) -> S::f32s {
    simd.select_f32s(simd.less_than_f32s(value, lowest), lowest, value)
}
