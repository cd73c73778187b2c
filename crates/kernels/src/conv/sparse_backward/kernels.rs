//! The two kernels.
#![allow(unsafe_code)] // Vectors are read at computed places of packed memory.

use std::ops::Range;

use pulp::Simd;

use super::plan::SparsePlan;
use crate::simd::{load, mul_add, store};

/// One result's gradient, and where its vectors begin: of a window of the packed images, or of a channel of the weight.
#[derive(Clone, Copy, Default)]
struct Entry {
    start: u32,
    gradient: f32,
}

/// Adds the gradients of weight and bias: for each output channel, the sum of the entries' windows of the images.
#[inline(always)]
pub(super) fn accumulate_weight_gradient<S: Simd, const BATCH: usize>(
    simd: S,
    plan: &SparsePlan,
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
            let (gradients, argmax) = (&plan.grad[at..][..results], &plan.saved.argmax[at..][..results]);
            let (outputs, windows) = (&plan.outputs()[at..][..results], plan.windows.chunks_exact(plan.places));
            for (((&gradient, &place), &output), windows) in gradients.iter().zip(argmax).zip(outputs).zip(windows) {
                // Every entry is written and only the wanted ones are kept: which they are cannot be predicted.
                entries[count] = Entry { start: first + windows[usize::from(place)], gradient };
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
pub(super) fn scatter_input_gradient<S: Simd, const BATCH: usize>(
    simd: S,
    plan: &SparsePlan,
    images: Range<usize>,
    packed: &mut [f32],
) {
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
                let (gradient, place) = (plan.grad[at], usize::from(plan.saved.argmax[at]));
                let start = (channel * per_channel) as u32;
                entries[place * out + counts[place]] = Entry { start, gradient };
                counts[place] += usize::from(!plan.is_masked(plan.outputs()[at], gradient));
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
