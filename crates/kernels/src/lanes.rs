//! Direct convolution of many small images at once: one image a lane.
//!
//! ```text
//! images [N, C, H, W]  -- gather -->  [C, H + padding, W + padding] vectors, one lane an image
//! four neighbouring results of up to six output channels stay in registers:
//!     sums[o][p] += weight[o, k] * x[k, p]        k runs over (channel, tap)
//! [O, H', W'] vectors  -- scatter -->  results [N, O, H', W']
//! ```
//!
//! Every lane does the same work whatever the sizes, so one channel or ten are as good as sixteen. With 2x2 max-pooling
//! the four results are those of one window: they never leave the registers, only the largest and its place do.
#![allow(unsafe_code)] // Vectors are read and written at computed places of packed memory.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::block::ConvBlock;
use crate::grid::{Grid, PIXELS};
use crate::scratch::Scratch;
use crate::shape::Conv2d;
use crate::simd::{Level, mul_add, store};
use crate::transpose::{gather_lanes, scatter_lanes, scatter_places};

/// Numbers of an image with its results and their places: those of all lanes are in memory together, on each thread.
const LARGEST: usize = 1 << 16;

/// Whether a block is worth running one image a lane.
pub(crate) fn suits(block: &ConvBlock) -> bool {
    let Conv2d { image: [n, channels, height, width], weight: [out, ..], groups, .. } = block.conv;
    let [_, _, rows, columns] = block.output();
    let small = channels * height * width + 2 * out * rows * columns <= LARGEST;
    // More outputs fill vectors of their own.
    groups == 1 && Grid::suits(block) && small && n >= 8 && channels <= 16 && (1..=32).contains(&out)
}

/// Runs the block on all images; `winners` is empty or takes one place for each result.
pub(crate) fn forward(
    block: &ConvBlock,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    out: &mut [MaybeUninit<f32>],
    winners: &mut [MaybeUninit<u8>],
) {
    let level = Level::current();
    let plan = Plan::new(block, weight, bias, level);
    let images = x.par_chunks(plan.image * level.lanes());
    let outputs = out.par_chunks_mut(plan.result * level.lanes());
    if winners.is_empty() {
        images.zip(outputs).for_each(|(x, out)| level.dispatch(Part { plan: &plan, x, out, winners: &mut [] }));
    } else {
        let winners = winners.par_chunks_mut(plan.result * level.lanes());
        let parts = images.zip(outputs).zip(winners);
        parts.for_each(|((x, out), winners)| level.dispatch(Part { plan: &plan, x, out, winners }));
    }
}

/// What all parts share: sizes, the weight in the order of its use, and where everything lies.
struct Plan<'a> {
    block: &'a ConvBlock,
    /// Numbers in an image and in a result.
    image: usize,
    result: usize,
    /// In numbers of the packed images.
    grid: Grid,
    /// Output channels of a tile.
    tile: usize,
    /// `[tiles, k, tile]`; channels that do not exist weigh nothing.
    weight: Vec<f32>,
    /// `[tiles, tile]`.
    bias: Vec<f32>,
}

impl<'a> Plan<'a> {
    fn new(block: &'a ConvBlock, weight: &[f32], bias: Option<&[f32]>, level: Level) -> Self {
        let Conv2d { image: [_, channels, height, width], weight: [out, ..], .. } = block.conv;
        let grid = Grid::new(block, level.lanes());

        // As many channels as leave registers for the four pixels and a weight, in tiles of equal size.
        let most = if level == Level::Avx512 { 6 } else { 2 };
        let tiles = out.div_ceil(most).max(1);
        let tile = out.div_ceil(tiles).max(1);
        let taps = grid.taps.len();
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
            grid,
            tile,
            weight: packed,
            bias: biases,
        }
    }
}

/// As many images as there are lanes, or the last ones.
struct Part<'a> {
    plan: &'a Plan<'a>,
    x: &'a [f32],
    out: &'a mut [MaybeUninit<f32>],
    winners: &'a mut [MaybeUninit<u8>],
}

impl WithSimd for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { plan, x, out, winners } = self;
        let Conv2d { image: [_, channels, ..], padding, .. } = plan.block.conv;
        let images = channels * plan.grid.padded[0] * plan.grid.padded[1] * S::F32_LANES;
        let results = plan.result * S::F32_LANES;
        let places = if winners.is_empty() { 0 } else { results };
        let mut scratch = Scratch::new(images + results + places);
        let (packed, rest) = scratch.split_at_mut(images);
        let (results, places) = rest.split_at_mut(results);
        if padding != [[0; 2]; 2] {
            packed.fill(0.);
        }
        gather_lanes(simd, x, &plan.block.conv, packed);
        match plan.tile {
            1 => convolve::<S, 1>(simd, plan, packed, results, places),
            2 => convolve::<S, 2>(simd, plan, packed, results, places),
            3 => convolve::<S, 3>(simd, plan, packed, results, places),
            4 => convolve::<S, 4>(simd, plan, packed, results, places),
            5 => convolve::<S, 5>(simd, plan, packed, results, places),
            6 => convolve::<S, 6>(simd, plan, packed, results, places),
            tile => unreachable!("a tile of {tile} channels"),
        }
        scatter_lanes(simd, results, out);
        if !winners.is_empty() {
            scatter_places(simd, places, winners);
        }
    }
}

/// Fills `results` `[O, H', W']` and, unless it is empty, `places`, from `packed`; all in vectors of one lane an image.
#[inline(always)]
fn convolve<S: Simd, const TILE: usize>(simd: S, plan: &Plan, packed: &[f32], results: &mut [f32], places: &mut [f32]) {
    let out = plan.block.conv.weight[0];
    let pooled = plan.block.max_pool.is_some();
    let spatial = plan.result / out;
    let lowest = simd.splat_f32s(if plan.block.relu { 0. } else { f32::NEG_INFINITY });
    for (group, pixels) in plan.grid.groups.iter().enumerate() {
        for (index, weight) in plan.weight.chunks_exact(plan.grid.taps.len() * TILE).enumerate() {
            let bias = &plan.bias[index * TILE..][..TILE];
            let sums = tile::<S, TILE>(simd, packed, pixels, &plan.grid.taps, weight, bias);
            for (channel, sums) in (index * TILE..out).zip(sums) {
                if pooled {
                    let at = (channel * spatial + group) * S::F32_LANES;
                    let (largest, place) = first_largest(simd, sums);
                    store(simd, &mut results[at..], rectified(simd, largest, lowest));
                    if !places.is_empty() {
                        store(simd, &mut places[at..], place);
                    }
                } else {
                    let first = group * PIXELS;
                    for (pixel, sum) in (first..spatial).zip(sums) {
                        let at = (channel * spatial + pixel) * S::F32_LANES;
                        store(simd, &mut results[at..], rectified(simd, sum, lowest));
                    }
                }
            }
        }
    }
}

/// Four results of `TILE` channels.
#[inline(always)]
fn tile<S: Simd, const TILE: usize>(
    simd: S,
    packed: &[f32],
    pixels: &[usize; PIXELS],
    taps: &[usize],
    weight: &[f32],
    bias: &[f32],
) -> [[S::f32s; PIXELS]; TILE] {
    let mut sums = [[simd.splat_f32s(0.); PIXELS]; TILE];
    for (sums, &bias) in sums.iter_mut().zip(bias) {
        *sums = [simd.splat_f32s(bias); PIXELS];
    }
    debug_assert!(taps.len() * TILE == weight.len());
    debug_assert!(pixels.iter().max().unwrap_or(&0) + taps.last().unwrap_or(&0) + S::F32_LANES <= packed.len());
    let mut weights = weight.as_ptr();
    for &tap in taps {
        // SAFETY: the plan's pixels and taps address whole vectors of the padded image, the last tap of the last pixel
        // included; `weight` holds `TILE` numbers for each tap.
        unsafe {
            let x: [S::f32s; PIXELS] = std::array::from_fn(|pixel| {
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

/// The largest of four values and its place: the first among equals, and a NaN before any number, as in PyTorch.
#[inline(always)]
pub(crate) fn first_largest<S: Simd>(simd: S, values: [S::f32s; PIXELS]) -> (S::f32s, S::f32s) {
    let [first, second, third, fourth] = values;
    // One after the other: a loop would keep the four in memory.
    let best = (first, simd.splat_f32s(0.));
    let best = larger(simd, best, (second, simd.splat_f32s(1.)));
    let best = larger(simd, best, (third, simd.splat_f32s(2.)));
    larger(simd, best, (fourth, simd.splat_f32s(3.)))
}

/// The larger of two values with its place; the first if they are equal.
#[inline(always)]
fn larger<S: Simd>(simd: S, best: (S::f32s, S::f32s), next: (S::f32s, S::f32s)) -> (S::f32s, S::f32s) {
    let nan = simd.not_m32s(simd.equal_f32s(next.0, next.0));
    let wins = simd.or_m32s(simd.greater_than_f32s(next.0, best.0), nan);
    (simd.select_f32s(wins, next.0, best.0), simd.select_f32s(wins, next.1, best.1))
}

/// The larger of `value` and `lowest`; a NaN stays one.
#[inline(always)]
fn rectified<S: Simd>(simd: S, value: S::f32s, lowest: S::f32s) -> S::f32s {
    simd.select_f32s(simd.less_than_f32s(value, lowest), lowest, value)
}
