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
#![allow(unsafe_code)] // Vectors are read and written at computed places of packed memory.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::block::{ConvBlock, Gradients, Needs, Saved};
use crate::channels_last::ChannelsLast;
use crate::scratch::{Scratch, filled};
use crate::shape::{Conv2d, Window};
use crate::simd::{Level, dispatch};

/// Images that one piece of work takes: the pieces, and so the order of sums, depend on nothing else.
const IMAGES: usize = 8;

/// Numbers of the largest padded image that stays in the cache while every output channel passes over it.
const LARGEST_IMAGE: usize = 1 << 16;

/// Whether the gradients of a block are worth computing entry by entry.
pub(crate) fn suits(block: &ConvBlock) -> bool {
    let Conv2d { dilation, groups, weight: [_, channels, kh, kw], .. } = block.conv;
    let window = kh * kw * channels;
    let small = ChannelsLast::of(&block.conv).len() <= LARGEST_IMAGE && window <= 1 << 12;
    let sparse = block.max_pool.as_ref().is_some_and(|pool| pool.stride[0] * pool.stride[1] >= 4);
    small && sparse && groups == 1 && dilation[1] == 1
}

/// The gradients of a block from the gradient of its results.
pub(crate) fn backward(block: &ConvBlock, saved: Saved<'_>, grad: &[f32], needs: Needs) -> Gradients {
    let plan = Plan::new(block, saved, grad, needs);
    let image: usize = block.conv.image[1..].iter().product();
    let pieces = block.conv.image[0].div_ceil(IMAGES);
    let mut partial = vec![0.; pieces * plan.partial];
    let run = |(piece, partial): (usize, &mut [f32]), x: &mut [MaybeUninit<f32>]| {
        dispatch(Piece { plan: &plan, first: piece * IMAGES, partial, x });
    };
    // Never empty chunks: a piece without weight and bias gradients has one number too.
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
    /// Numbers in a vector.
    lanes: usize,
    /// Vectors that stay in registers together.
    batch: usize,
    /// For each vector of a window of the packed image, how far it lies from the window's first number. The last batch
    /// is filled up with vectors that mean nothing.
    vectors: Vec<usize>,
    /// For each place of the convolution's result, where its window of the packed image begins.
    windows: Vec<usize>,
    /// The place of a winner is `results[index of the result] + places[its place in the pooling window]`, modulo 2^32.
    results: Vec<u32>,
    places: Vec<u32>,
    /// `[O, vectors, lanes]`, zero where a vector reaches over the end of its row; empty if nobody asks for the images'
    /// gradient.
    weight: Vec<f32>,
    /// Numbers of a piece's sums: the weight's gradient in this form, and the bias's.
    partial: usize,
}

impl<'a> Plan<'a> {
    fn new(block: &'a ConvBlock, saved: Saved<'a>, grad: &'a [f32], needs: Needs) -> Self {
        let Conv2d { weight: [out, channels, kh, kw], stride, dilation, .. } = block.conv;
        let layout = ChannelsLast::of(&block.conv);
        let lanes = Level::current().lanes();

        let per_row = (kw * channels).div_ceil(lanes);
        let mut vectors = Vec::with_capacity(kh * per_row);
        for ky in 0..kh {
            vectors.extend((0..per_row).map(|vector| layout.at(ky * dilation[0], 0) + vector * lanes));
        }
        let most = if lanes == 16 { BATCHES[3] } else { BATCHES[1] };
        let needed = vectors.len().div_ceil(vectors.len().div_ceil(most));
        let batch = BATCHES.into_iter().find(|&batch| batch >= needed).unwrap_or(most);
        vectors.resize(vectors.len().next_multiple_of(batch), 0);

        let [_, _, height, width] = block.conv.output();
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
        let windows = places.map(|(y, x)| layout.at(y * stride[0], x * stride[1])).collect();
        let Some(Window { kernel, stride, padding, .. }) = block.max_pool else {
            unreachable!("only blocks with max-pooling are computed from winners")
        };
        let [_, _, rows, columns] = block.output();
        let place = |y: usize, x: usize| (y * width + x) as u32;
        let first = place(padding[0], padding[1]);
        let results = (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x)));
        let results = results.map(|(y, x)| place(y * stride[0], x * stride[1]).wrapping_sub(first)).collect();
        let places = (0..kernel[0]).flat_map(|y| (0..kernel[1]).map(move |x| (y, x)));
        let places = places.map(|(y, x)| place(y, x)).collect();

        let partial = out * vectors.len() * lanes + out;
        let weight = Vec::new();
        let mut plan = Self {
            block,
            saved,
            grad,
            needs,
            layout,
            lanes,
            batch,
            vectors,
            windows,
            results,
            places,
            weight,
            partial,
        };
        if needs.x {
            plan.weight = vec![0.; plan.packed_weight()];
            for (index, &value) in saved.weight.iter().enumerate() {
                let at = plan.packed_at(index);
                plan.weight[at] = value;
            }
        }
        plan
    }

    /// Numbers of the weight in its packed form.
    fn packed_weight(&self) -> usize {
        self.block.conv.weight[0] * self.vectors.len() * self.lanes
    }

    /// Where a number of the weight `[O, C, kh, kw]` lies in its packed form.
    fn packed_at(&self, index: usize) -> usize {
        let [_, channels, kh, kw] = self.block.conv.weight;
        let (kx, ky) = (index % kw, index / kw % kh);
        let (channel, out) = (index / (kw * kh) % channels, index / (kw * kh * channels));
        let row = (kw * channels).next_multiple_of(self.lanes);
        out * self.vectors.len() * self.lanes + ky * row + kx * channels + channel
    }

    fn unpack_weight(&self, packed: &[f32]) -> Vec<f32> {
        (0..self.saved.weight.len()).map(|index| packed[self.packed_at(index)]).collect()
    }

    /// Numbers from one packed image to the next: the vectors of the last windows reach over its end.
    fn image_len(&self) -> usize {
        (self.layout.len() + self.lanes).next_multiple_of(self.lanes)
    }

    /// Calls `visit` with the place in the convolution's result and the gradient, for each result of one channel of an
    /// image that has one.
    #[inline(always)]
    fn entries(&self, image: usize, channel: usize, mut visit: impl FnMut(u32, f32, bool)) {
        let len = self.results.len();
        let start = (image * self.block.conv.weight[0] + channel) * len;
        let grad = &self.grad[start..][..len];
        let winners = &self.saved.winners[start..][..len];
        let output = if self.block.relu { &self.saved.output[start..][..len] } else { grad };
        for index in 0..len {
            // Without ReLU, `output` is the gradient, of which only a zero may be left out.
            let stopped = if self.block.relu { output[index] <= 0. } else { grad[index] == 0. };
            let place = self.results[index].wrapping_add(self.places[usize::from(winners[index])]);
            visit(place, grad[index], !stopped);
        }
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
        if plan.needs.weight || plan.needs.bias {
            let mut scratch = Scratch::new(images.len() * plan.image_len());
            let packed = &mut scratch[..];
            for (index, packed) in images.clone().zip(packed.chunks_exact_mut(plan.image_len())) {
                plan.layout.pack(&plan.saved.x[index * image..][..image], &mut packed[..plan.layout.len()]);
            }
            sum_windows::<S, BATCH>(simd, plan, images.clone(), packed, weight, bias);
        }
        for (index, x) in images.zip(x.chunks_exact_mut(image)) {
            let mut scratch = Scratch::new(plan.image_len());
            let packed = &mut scratch[..];
            packed.fill(0.);
            spread_entries::<S, BATCH>(simd, plan, index, packed);
            plan.layout.unpack(packed, |at, value| {
                x[at].write(value);
            });
        }
    }
}

/// One result's gradient, and where its window of the packed images begins.
#[derive(Clone, Copy, Default)]
struct Entry {
    window: usize,
    gradient: f32,
}

/// The gradients of weight and bias: for each output channel, the sum of the entries' windows of the images.
#[inline(always)]
fn sum_windows<S: Simd, const BATCH: usize>(
    simd: S,
    plan: &Plan,
    images: std::ops::Range<usize>,
    packed: &[f32],
    weight: &mut [f32],
    bias: &mut [f32],
) {
    let mut entries = vec![Entry::default(); images.len() * plan.results.len() + 1];
    let per_channel = plan.vectors.len() * S::F32_LANES;
    for ((channel, bias), weight) in bias.iter_mut().enumerate().zip(weight.chunks_exact_mut(per_channel)) {
        let mut count = 0;
        for (slot, image) in images.clone().enumerate() {
            let start = slot * plan.image_len();
            // Every entry is written and only the wanted ones are kept: which they are cannot be predicted.
            plan.entries(image, channel, |place, gradient, wanted| {
                entries[count] = Entry { window: start + plan.windows[place as usize], gradient };
                count += usize::from(wanted);
            });
        }
        let entries = &entries[..count];
        *bias = entries.iter().map(|entry| entry.gradient).sum();
        for (vectors, weight) in plan.vectors.chunks_exact(BATCH).zip(weight.chunks_exact_mut(BATCH * S::F32_LANES)) {
            let mut sums = [simd.splat_f32s(0.); BATCH];
            for entry in entries {
                let gradient = simd.splat_f32s(entry.gradient);
                for (sum, vector) in sums.iter_mut().zip(vectors) {
                    debug_assert!(entry.window + vector + S::F32_LANES <= packed.len());
                    // SAFETY: a window's vectors end at most a vector behind its image, where the packed image goes on.
                    let x = unsafe { packed.as_ptr().add(entry.window + vector).cast::<S::f32s>().read_unaligned() };
                    *sum = simd.mul_add_e_f32s(gradient, x, *sum);
                }
            }
            for (sum, weight) in sums.into_iter().zip(weight.chunks_exact_mut(S::F32_LANES)) {
                simd.partial_store_f32s(weight, sum);
            }
        }
    }
}

/// The gradient of an image: for each place that has entries, the sum of their channels' weights is added to its window.
#[inline(always)]
fn spread_entries<S: Simd, const BATCH: usize>(simd: S, plan: &Plan, image: usize, packed: &mut [f32]) {
    let out = plan.block.conv.weight[0];
    // Sorted by place, in two rounds: how many there are for each, then where they go.
    let mut ends = vec![0usize; plan.windows.len() + 1];
    for channel in 0..out {
        plan.entries(image, channel, |place, _, wanted| ends[place as usize + 1] += usize::from(wanted));
    }
    for place in 0..plan.windows.len() {
        ends[place + 1] += ends[place];
    }
    let per_channel = plan.vectors.len() * S::F32_LANES;
    let mut entries = vec![Entry::default(); out * plan.results.len() + 1];
    for channel in 0..out {
        plan.entries(image, channel, |place, gradient, wanted| {
            let end = &mut ends[place as usize];
            let at = if wanted { *end } else { out * plan.results.len() };
            entries[at] = Entry { window: channel * per_channel, gradient };
            *end += usize::from(wanted);
        });
    }
    let mut start = 0;
    for (&window, &end) in plan.windows.iter().zip(&ends) {
        let entries = &entries[start..end];
        start = end;
        if entries.is_empty() {
            continue;
        }
        for (batch, vectors) in plan.vectors.chunks_exact(BATCH).enumerate() {
            let mut sums = [simd.splat_f32s(0.); BATCH];
            for entry in entries {
                let gradient = simd.splat_f32s(entry.gradient);
                let weight = &plan.weight[entry.window + batch * BATCH * S::F32_LANES..][..BATCH * S::F32_LANES];
                for (sum, weight) in sums.iter_mut().zip(weight.chunks_exact(S::F32_LANES)) {
                    *sum = simd.mul_add_e_f32s(gradient, simd.partial_load_f32s(weight), *sum);
                }
            }
            for (sum, vector) in sums.into_iter().zip(vectors) {
                let pixels = &mut packed[window + vector..][..S::F32_LANES];
                let value = simd.add_f32s(simd.partial_load_f32s(pixels), sum);
                simd.partial_store_f32s(pixels, value);
            }
        }
    }
}
