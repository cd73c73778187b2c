//! Gradients of a pooled block of small images from the winners alone.
//!
//! Max-pooling and ReLU let little through: with 2x2 windows at most one convolution result in four has a gradient, and
//! ReLU stops about half of those. What is left is a list of (place, channel, gradient), and each entry touches one
//! window of the image under the kernel. With the channels of a pixel side by side, a row of that window is one run of
//! `kw * C` numbers, so it is a handful of vectors:
//!
//! ```text
//! for each output channel o:  weight gradient[o] in registers;  for each entry:  += gradient * window of the image
//! for each place:             window's gradient in registers;   for each entry:  += gradient * weight[o]
//! ```
//!
//! The vectors of a window reach over its right edge with weights of zero: an infinite gradient makes pixels there NaN, too.
#![allow(unsafe_code)] // Vectors are read and written at computed places of packed memory.

use std::mem::MaybeUninit;
use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::block::{ConvBlock, Gradients, Needs, Saved};
use crate::channels_last::ChannelsLast;
use crate::scratch::{Scratch, filled};
use crate::shape::{Conv2d, Window};
use crate::simd::{Level, MOST_LANES, load, mul_add, store};

/// Images that one piece of work takes: the pieces, and so the order of sums, depend on nothing else.
const IMAGES: usize = 8;

/// Numbers of packed images that every output channel passes over in turn: they stay in the first-level cache.
const CACHE: usize = 6 << 10;

/// Numbers of the largest padded image that stays in the cache while every output channel passes over it.
const LARGEST_IMAGE: usize = 1 << 16;

/// Numbers of all pieces' sums.
const LARGEST_SUMS: usize = 1 << 22;

/// Whether the gradients of a block are worth computing entry by entry.
pub(crate) fn suits(block: &ConvBlock) -> bool {
    let Conv2d { dilation, groups, weight: [_, channels, kh, kw], .. } = block.conv;
    let window = kh * kw * channels;
    let small = ChannelsLast::of(&block.conv).len() <= LARGEST_IMAGE && window <= 1 << 12;
    let sparse = block.max_pool.as_ref().is_some_and(|pool| {
        let [places, step] = [pool.kernel, pool.stride].map(|[down, right]| down * right);
        step >= 4 && places <= 16
    });
    // Each piece has sums of its own.
    let sums = block.conv.image[0].div_ceil(IMAGES) * block.conv.weight[0] * window <= LARGEST_SUMS;
    small && sums && sparse && groups == 1 && dilation[1] == 1
}

/// The gradients of a block from the gradient of its results.
pub(crate) fn backward(block: &ConvBlock, saved: Saved<'_>, grad: &[f32], needs: Needs) -> Gradients {
    let plan = Plan::new(block, saved, grad, needs);
    let image: usize = block.conv.image[1..].iter().product();
    let pieces = block.conv.image[0].div_ceil(IMAGES);
    let mut partial = vec![0.; pieces * plan.partial];
    let run = |(piece, partial): (usize, &mut [f32]), x: &mut [MaybeUninit<f32>]| {
        plan.level.dispatch(Piece { plan: &plan, first: piece * IMAGES, partial, x });
    };
    let parts = partial.par_chunks_mut(plan.partial).enumerate();
    let x = if needs.x {
        // SAFETY: each piece writes the gradients of all its images.
        Some(unsafe {
            filled(saved.x.len(), |x| parts.zip(x.par_chunks_mut(IMAGES * image)).for_each(|(part, x)| run(part, x)))
        })
    } else {
        parts.for_each(|part| run(part, &mut []));
        None
    };
    let mut total = vec![0.; plan.partial];
    for partial in partial.chunks_exact(plan.partial) {
        for (total, partial) in total.iter_mut().zip(partial) {
            *total += partial;
        }
    }
    Gradients {
        x,
        weight: needs.weight.then(|| plan.unpack_weight(&total)),
        bias: needs.bias.then(|| total[plan.packed_weight()..][..block.conv.weight[0]].to_vec()),
    }
}

/// What all pieces share.
struct Plan<'a> {
    block: &'a ConvBlock,
    saved: Saved<'a>,
    grad: &'a [f32],
    needs: Needs,
    layout: ChannelsLast,
    level: Level,
    /// Numbers in a vector.
    lanes: usize,
    /// Vectors that stay in registers together.
    batch: usize,
    /// For each vector of a window of the packed image, how far it lies from the window's first number. The last batch
    /// is filled up with vectors that mean nothing.
    vectors: Vec<usize>,
    /// For each result, and each place in its pooling window, where that place's window of the packed image begins.
    windows: Vec<u32>,
    /// Places in a pooling window.
    places: usize,
    /// `[O, vectors, lanes]`, zero where a vector reaches over the end of its row; empty if nobody asks for the images'
    /// gradient.
    weight: Scratch,
    /// Numbers of a piece's sums: the weight's gradient in this form, and the bias's.
    partial: usize,
}

impl<'a> Plan<'a> {
    fn new(block: &'a ConvBlock, saved: Saved<'a>, grad: &'a [f32], needs: Needs) -> Self {
        let Conv2d { weight: [out, channels, kh, kw], stride, dilation, .. } = block.conv;
        let layout = ChannelsLast::of(&block.conv);
        let level = Level::for_runs(kw * channels);
        let lanes = level.lanes();

        let per_row = (kw * channels).div_ceil(lanes);
        let mut vectors = Vec::with_capacity(kh * per_row);
        for ky in 0..kh {
            vectors.extend((0..per_row).map(|vector| layout.at(ky * dilation[0], 0) + vector * lanes));
        }
        let most = if lanes == 16 { BATCHES[3] } else { BATCHES[1] };
        let needed = vectors.len().div_ceil(vectors.len().div_ceil(most));
        let batch = BATCHES.into_iter().find(|&batch| batch >= needed).unwrap_or(most);
        vectors.resize(vectors.len().next_multiple_of(batch), 0);

        let Some(Window { kernel, stride: step, padding, .. }) = block.max_pool else {
            unreachable!("only blocks with max-pooling are computed from winners")
        };
        let [_, _, height, width] = block.conv.output();
        let [_, _, rows, columns] = block.output();
        let results = (0..rows).flat_map(|y| (0..columns).map(move |x| [y * step[0], x * step[1]]));
        let mut windows = Vec::with_capacity(rows * columns * kernel[0] * kernel[1]);
        for [top, left] in results {
            let places = (0..kernel[0]).flat_map(|y| (0..kernel[1]).map(move |x| [top + y, left + x]));
            windows.extend(places.map(|[y, x]| {
                // Padding never wins: there any window will do.
                let inside = y >= padding[0] && y - padding[0] < height && x >= padding[1] && x - padding[1] < width;
                let at = || layout.at((y - padding[0]) * stride[0], (x - padding[1]) * stride[1]);
                if inside { at() as u32 } else { 0 }
            }));
        }

        let partial = out * vectors.len() * lanes + out;
        let weight = Scratch::new(if needs.x { partial - out } else { 0 });
        let mut plan = Self {
            block,
            saved,
            grad,
            needs,
            layout,
            level,
            lanes,
            batch,
            vectors,
            windows,
            places: kernel[0] * kernel[1],
            weight,
            partial,
        };
        if needs.x {
            plan.weight.fill(0.);
            let mut weight = std::mem::replace(&mut plan.weight, Scratch::new(0));
            plan.for_each_weight(|index, at| weight[at] = saved.weight[index]);
            plan.weight = weight;
        }
        plan
    }

    /// Numbers of the weight in its packed form.
    fn packed_weight(&self) -> usize {
        self.block.conv.weight[0] * self.vectors.len() * self.lanes
    }

    /// Calls `visit` with where each number of the weight `[O, C, kh, kw]` lies, there and in its packed form.
    fn for_each_weight(&self, mut visit: impl FnMut(usize, usize)) {
        let [out, channels, kh, kw] = self.block.conv.weight;
        let row = (kw * channels).next_multiple_of(self.lanes);
        let mut index = 0;
        for out in 0..out {
            for channel in 0..channels {
                for ky in 0..kh {
                    let first = out * self.vectors.len() * self.lanes + ky * row + channel;
                    for kx in 0..kw {
                        visit(index, first + kx * channels);
                        index += 1;
                    }
                }
            }
        }
    }

    fn unpack_weight(&self, packed: &[f32]) -> Vec<f32> {
        let mut weight = vec![0.; self.saved.weight.len()];
        self.for_each_weight(|index, at| weight[index] = packed[at]);
        weight
    }

    /// Numbers from one packed image to the next: the vectors of the last windows reach over its end.
    fn image_len(&self) -> usize {
        (self.layout.len() + MOST_LANES).next_multiple_of(MOST_LANES)
    }

    /// Results of a channel of an image.
    fn results(&self) -> usize {
        self.windows.len() / self.places
    }

    /// Whether ReLU lets nothing through where it made `output`; without ReLU, whether there is nothing to let through.
    #[inline(always)]
    fn is_stopped(&self, output: f32, gradient: f32) -> bool {
        if self.block.relu { output <= 0. } else { gradient == 0. }
    }

    /// The forward pass's results, or without ReLU, when nobody asks for them, as many numbers.
    fn outputs(&self) -> &[f32] {
        if self.block.relu { self.saved.output } else { self.grad }
    }
}

/// Numbers of vectors that one pass holds in registers.
const BATCHES: [usize; 4] = [5, 10, 15, 20];

/// The work on up to [`IMAGES`] images.
struct Piece<'a> {
    plan: &'a Plan<'a>,
    first: usize,
    /// The weight's gradient in its packed form, then the bias's.
    partial: &'a mut [f32],
    /// The images' gradients; empty if not asked for.
    x: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for Piece<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.plan.batch {
            5 => self.run::<S, 5>(simd),
            10 => self.run::<S, 10>(simd),
            15 => self.run::<S, 15>(simd),
            _ => self.run::<S, 20>(simd),
        }
    }
}

impl Piece<'_> {
    #[inline(always)]
    fn run<S: Simd, const BATCH: usize>(self, simd: S) {
        let Self { plan, first, partial, x } = self;
        let Conv2d { image: [n, channels, height, width], .. } = plan.block.conv;
        let images = first..(first + IMAGES).min(n);
        let image = channels * height * width;
        let (weight, bias) = partial.split_at_mut(plan.packed_weight());
        let group = (CACHE / plan.image_len()).clamp(1, IMAGES);
        if plan.needs.weight || plan.needs.bias {
            let mut packed = Scratch::new(group * plan.image_len());
            for first in images.clone().step_by(group) {
                let images = first..(first + group).min(images.end);
                for (index, packed) in images.clone().zip(packed.chunks_exact_mut(plan.image_len())) {
                    plan.layout.pack(&plan.saved.x[index * image..][..image], &mut packed[..plan.layout.len()]);
                }
                sum_windows::<S, BATCH>(simd, plan, images, &packed, weight, bias);
            }
        }
        if plan.needs.x {
            let mut packed = Scratch::new(images.len() * plan.image_len());
            packed.fill(0.);
            spread_entries::<S, BATCH>(simd, plan, images, &mut packed);
            for (x, packed) in x.chunks_exact_mut(image).zip(packed.chunks_exact(plan.image_len())) {
                plan.layout.unpack(packed, x);
            }
        }
    }
}

/// One result's gradient, and where its vectors begin: of a window of the packed images, or of a channel of the weight.
#[derive(Clone, Copy, Default)]
struct Entry {
    start: u32,
    gradient: f32,
}

/// Adds the gradients of weight and bias: for each output channel, the sum of the entries' windows of the images.
#[inline(always)]
fn sum_windows<S: Simd, const BATCH: usize>(
    simd: S,
    plan: &Plan,
    images: Range<usize>,
    packed: &[f32],
    weight: &mut [f32],
    bias: &mut [f32],
) {
    let results = plan.results();
    let mut entries = vec![Entry::default(); images.len() * results];
    let (out, per_channel) = (bias.len(), plan.vectors.len() * S::F32_LANES);
    for ((channel, bias), weight) in bias.iter_mut().enumerate().zip(weight.chunks_exact_mut(per_channel)) {
        let (mut count, mut sum) = (0, 0.);
        for (slot, image) in images.clone().enumerate() {
            let first = (slot * plan.image_len()) as u32;
            let at = (image * out + channel) * results;
            let (gradients, winners) = (&plan.grad[at..][..results], &plan.saved.winners[at..][..results]);
            let (outputs, windows) = (&plan.outputs()[at..][..results], plan.windows.chunks_exact(plan.places));
            for (((&gradient, &winner), &output), windows) in gradients.iter().zip(winners).zip(outputs).zip(windows) {
                // Every entry is written and only the wanted ones are kept: which they are cannot be predicted.
                entries[count] = Entry { start: first + windows[usize::from(winner)], gradient };
                let stopped = plan.is_stopped(output, gradient);
                count += usize::from(!stopped);
                sum += if stopped { 0. } else { gradient };
            }
        }
        *bias += sum;
        for (vectors, weight) in plan.vectors.chunks_exact(BATCH).zip(weight.chunks_exact_mut(BATCH * S::F32_LANES)) {
            let mut sums = [simd.splat_f32s(0.); BATCH];
            for (sum, weight) in sums.iter_mut().zip(weight.chunks_exact(S::F32_LANES)) {
                *sum = load(simd, weight);
            }
            for entry in &entries[..count] {
                let gradient = simd.splat_f32s(entry.gradient);
                for (sum, vector) in sums.iter_mut().zip(vectors) {
                    let at = entry.start as usize + vector;
                    debug_assert!(at + S::F32_LANES <= packed.len());
                    // SAFETY: a window's vectors end at most a vector behind its image, where the packed image goes on.
                    let x = unsafe { packed.as_ptr().add(at).cast::<S::f32s>().read_unaligned() };
                    *sum = mul_add(simd, gradient, x, *sum);
                }
            }
            for (sum, weight) in sums.into_iter().zip(weight.chunks_exact_mut(S::F32_LANES)) {
                store(simd, weight, sum);
            }
        }
    }
}

/// The gradients of the images: for each place of a pooling window, the sum of the weights of the channels that won
/// there is added to the place's window of the image.
///
/// The images take turns: neighbouring windows overlap, and a sum that is still on its way to memory cannot be read.
#[inline(always)]
fn spread_entries<S: Simd, const BATCH: usize>(simd: S, plan: &Plan, images: Range<usize>, packed: &mut [f32]) {
    let (out, results) = (plan.block.conv.weight[0], plan.results());
    let per_channel = plan.vectors.len() * S::F32_LANES;
    // For each image and place, the channels that won there.
    let mut entries = vec![Entry::default(); images.len() * plan.places * out];
    let mut counts = vec![0; images.len() * plan.places];
    for (result, windows) in plan.windows.chunks_exact(plan.places).enumerate() {
        counts.fill(0);
        for (slot, image) in images.clone().enumerate() {
            let (first, counts) = (image * out * results + result, &mut counts[slot * plan.places..][..plan.places]);
            let entries = &mut entries[slot * plan.places * out..][..plan.places * out];
            for channel in 0..out {
                let at = first + channel * results;
                let (gradient, place) = (plan.grad[at], usize::from(plan.saved.winners[at]));
                let start = (channel * per_channel) as u32;
                entries[place * out + counts[place]] = Entry { start, gradient };
                counts[place] += usize::from(!plan.is_stopped(plan.outputs()[at], gradient));
            }
        }
        for (place, &window) in windows.iter().enumerate() {
            for slot in 0..images.len() {
                let bucket = slot * plan.places + place;
                let entries = &entries[bucket * out..][..counts[bucket]];
                if entries.is_empty() {
                    continue;
                }
                let pixels = &mut packed[slot * plan.image_len() + window as usize..];
                for (batch, vectors) in plan.vectors.chunks_exact(BATCH).enumerate() {
                    let mut sums = [simd.splat_f32s(0.); BATCH];
                    for entry in entries {
                        let gradient = simd.splat_f32s(entry.gradient);
                        let first = entry.start as usize + batch * BATCH * S::F32_LANES;
                        let weight = &plan.weight[first..][..BATCH * S::F32_LANES];
                        for (sum, weight) in sums.iter_mut().zip(weight.chunks_exact(S::F32_LANES)) {
                            *sum = mul_add(simd, gradient, load(simd, weight), *sum);
                        }
                    }
                    for (sum, &vector) in sums.into_iter().zip(vectors) {
                        let value = simd.add_f32s(load(simd, &pixels[vector..]), sum);
                        store(simd, &mut pixels[vector..], value);
                    }
                }
            }
        }
    }
}
