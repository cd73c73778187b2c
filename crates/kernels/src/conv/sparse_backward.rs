//! Backward pass of max-pooled blocks on small images that visits only the non-zero gradients.
//!
//! Max-pooling and ReLU make gradients sparse: with 2x2 windows at most one convolution output in four receives a
//! gradient, and ReLU masks about half of those. What remains is a list of (position, channel, gradient), and each
//! entry involves one receptive field of the image. In channels-last order a row of that field is `kw * C` adjacent
//! values, a handful of vectors:
//!
//! ```text
//! for each output channel o:  weight gradient[o] in registers;  for each entry:  += gradient * receptive field
//! for each position:          field's gradient in registers;    for each entry:  += gradient * weight[o]
//! ```
//!
//! The vectors reach beyond the right edge of a field, where the weight is zero; an infinite gradient therefore also
//! turns the pixels there into NaN.
#![allow(unsafe_code)] // Outputs are written into uninitialised memory.

mod channels_last;
mod kernels;
mod plan;

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use self::channels_last::ChannelsLast;
use self::kernels::{accumulate_weight_gradient, scatter_input_gradient};
use self::plan::SparsePlan;
use crate::block::{ConvBlock, Gradients, Needs, Saved};
use crate::scratch::{Scratch, filled};
use crate::shape::Conv2d;

/// Images per task: the tasks, and with them the order of summation, depend on nothing else.
const CHUNK_IMAGES: usize = 8;

/// Values of packed images that stay in the L1 cache while every output channel passes over them.
const CACHED_FLOATS: usize = 6 << 10;

/// Values of the largest padded image that stays in the cache while every output channel passes over it.
const MAX_IMAGE: usize = 1 << 16;

/// Values of all tasks' partial sums, at most.
const MAX_SUMS: usize = 1 << 22;

/// Whether this is the algorithm of choice: a small image and receptive field, and sparse gradients.
pub(crate) fn is_applicable(block: &ConvBlock) -> bool {
    let Conv2d { dilation, groups, weight: [_, channels, kh, kw], .. } = block.conv;
    let window = kh * kw * channels;
    let small = ChannelsLast::of(&block.conv).len() <= MAX_IMAGE && window <= 1 << 12;
    let sparse = block.max_pool.as_ref().is_some_and(|pool| {
        let [places, step] = [pool.kernel, pool.stride].map(|[down, right]| down * right);
        step >= 4 && places <= 16
    });
    // Every task has partial sums of its own.
    let sums = block.conv.image[0].div_ceil(CHUNK_IMAGES) * block.conv.weight[0] * window <= MAX_SUMS;
    small && sums && sparse && groups == 1 && dilation[1] == 1
}

/// The gradients of the block from the gradient of its output.
pub(crate) fn backward(block: &ConvBlock, saved: Saved<'_>, grad: &[f32], needs: Needs) -> Gradients {
    let plan = SparsePlan::new(block, saved, grad, needs);
    let image: usize = block.conv.image[1..].iter().product();
    let chunks = block.conv.image[0].div_ceil(CHUNK_IMAGES);
    let mut partial = vec![0.; chunks * plan.partial];
    let run = |(chunk, partial): (usize, &mut [f32]), x: &mut [MaybeUninit<f32>]| {
        plan.level.dispatch(ImageChunk { plan: &plan, first: chunk * CHUNK_IMAGES, partial, x });
    };
    let parts = partial.par_chunks_mut(plan.partial).enumerate();
    let x = if needs.x {
        // SAFETY: each task writes the gradients of all its images.
        Some(unsafe {
            filled(saved.x.len(), |x| {
                parts.zip(x.par_chunks_mut(CHUNK_IMAGES * image)).for_each(|(part, x)| run(part, x))
            })
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

/// The work on up to [`CHUNK_IMAGES`] images.
struct ImageChunk<'a> {
    plan: &'a SparsePlan<'a>,
    first: usize,
    /// The packed gradient of the weight, then that of the bias.
    partial: &'a mut [f32],
    /// The gradients of the images; empty if not requested.
    x: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for ImageChunk<'_> {
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

impl ImageChunk<'_> {
    #[inline(always)]
    fn run<S: Simd, const BATCH: usize>(self, simd: S) {
        let Self { plan, first, partial, x } = self;
        let Conv2d { image: [n, channels, height, width], .. } = plan.block.conv;
        let images = first..(first + CHUNK_IMAGES).min(n);
        let image = channels * height * width;
        let (weight, bias) = partial.split_at_mut(plan.packed_weight());
        let group = (CACHED_FLOATS / plan.image_len()).clamp(1, CHUNK_IMAGES);
        if plan.needs.weight || plan.needs.bias {
            let mut packed = Scratch::new(group * plan.image_len());
            for first in images.clone().step_by(group) {
                let images = first..(first + group).min(images.end);
                for (index, packed) in images.clone().zip(packed.chunks_exact_mut(plan.image_len())) {
                    plan.layout.pack(&plan.saved.x[index * image..][..image], &mut packed[..plan.layout.len()]);
                }
                accumulate_weight_gradient::<S, BATCH>(simd, plan, images, &packed, weight, bias);
            }
        }
        if plan.needs.x {
            let mut packed = Scratch::new(images.len() * plan.image_len());
            packed.fill(0.);
            scatter_input_gradient::<S, BATCH>(simd, plan, images, &mut packed);
            for (x, packed) in x.chunks_exact_mut(image).zip(packed.chunks_exact(plan.image_len())) {
                plan.layout.unpack(packed, x);
            }
        }
    }
}
