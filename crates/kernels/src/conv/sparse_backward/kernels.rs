//! The kernels that visit the non-zero gradients: one for weight and bias, one for the images.
#![allow(unsafe_code)] // Loads packed vectors at computed offsets, unchecked.

use std::ops::Range;

use pulp::Simd;

use super::plan::SparsePlan;
use crate::simd::{load, mul_add, store};

/// A non-zero gradient, and where its vectors start: a receptive field in the packed images, or a channel of the
/// weight.
#[derive(Clone, Copy, Default)]
struct Entry {
    start: u32,
    gradient: f32,
}

/// Adds to the gradients of weight and bias: for each output channel, the weighted sum of its entries' receptive
/// fields.
#[inline(always)]
pub(super) fn accumulate_weight_gradient<S: Simd, const BATCH: usize>(
    simd: S,
    plan: &SparsePlan,
    images: Range<usize>,
    packed: &[f32],
    weight: &mut [f32],
    bias: &mut [f32],
) {
    let results = plan.outputs_per_channel();
    let mut entries = vec![Entry::default(); images.len() * results];
    let (out, per_channel) = (bias.len(), plan.vectors.len() * S::F32_LANES);
    for ((channel, bias), weight) in bias.iter_mut().enumerate().zip(weight.chunks_exact_mut(per_channel)) {
        let (mut count, mut sum) = (0, 0.);
        for (slot, image) in images.clone().enumerate() {
            let first = (slot * plan.image_len()) as u32;
            let at = (image * out + channel) * results;
            let (gradients, argmax) = (&plan.grad[at..][..results], &plan.saved.argmax[at..][..results]);
            let (outputs, fields) = (&plan.output()[at..][..results], plan.fields.chunks_exact(plan.positions));
            for (((&gradient, &position), &output), fields) in gradients.iter().zip(argmax).zip(outputs).zip(fields) {
                // Every entry is written, but `count` only advances past those to keep: a branch would be
                // mispredicted.
                entries[count] = Entry { start: first + fields[usize::from(position)], gradient };
                let masked = plan.is_masked(output, gradient);
                count += usize::from(!masked);
                sum += if masked { 0. } else { gradient };
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
                    // SAFETY: a field's vectors reach at most one vector beyond its image, and each packed image has
                    // that room.
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

/// Adds to the gradients of the images: for each position in a pooling window, the weighted sum of the channels whose
/// maximum is there goes to that position's receptive field.
///
/// Successive additions go to different images: fields overlap, and loading what was stored a moment ago would stall.
#[inline(always)]
pub(super) fn scatter_input_gradient<S: Simd, const BATCH: usize>(
    simd: S,
    plan: &SparsePlan,
    images: Range<usize>,
    packed: &mut [f32],
) {
    let (out, results) = (plan.block.conv.weight[0], plan.outputs_per_channel());
    let per_channel = plan.vectors.len() * S::F32_LANES;
    // For each image and position, the channels whose maximum is there.
    let mut entries = vec![Entry::default(); images.len() * plan.positions * out];
    let mut counts = vec![0; images.len() * plan.positions];
    for (result, fields) in plan.fields.chunks_exact(plan.positions).enumerate() {
        counts.fill(0);
        for (slot, image) in images.clone().enumerate() {
            let (first, counts) =
                (image * out * results + result, &mut counts[slot * plan.positions..][..plan.positions]);
            let entries = &mut entries[slot * plan.positions * out..][..plan.positions * out];
            for channel in 0..out {
                let at = first + channel * results;
                let (gradient, position) = (plan.grad[at], usize::from(plan.saved.argmax[at]));
                let start = (channel * per_channel) as u32;
                entries[position * out + counts[position]] = Entry { start, gradient };
                counts[position] += usize::from(!plan.is_masked(plan.output()[at], gradient));
            }
        }
        for (position, &field) in fields.iter().enumerate() {
            for slot in 0..images.len() {
                let bucket = slot * plan.positions + position;
                let entries = &entries[bucket * out..][..counts[bucket]];
                if entries.is_empty() {
                    continue;
                }
                let pixels = &mut packed[slot * plan.image_len() + field as usize..];
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
