//! Reductions and element-wise maps over the planes of a batch, with parameters per channel.
#![allow(unsafe_code)] // Outputs are written into uninitialised memory.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::relu::relu_scalar;
use crate::scratch::filled;
use crate::simd::dispatch;

/// Values per task, at least.
const TASK_FLOATS: usize = 1 << 14;

/// A batch of images as planes, one per image and channel.
#[derive(Clone, Copy)]
pub(super) struct Planes {
    pub(super) images: usize,
    pub(super) channels: usize,
    /// Values in a plane.
    pub(super) len: usize,
}

impl Planes {
    pub(super) fn of(shape: [usize; 4], x: &[f32]) -> Self {
        let [images, channels, height, width] = shape;
        assert_eq!(x.len(), images * channels * height * width, "the images do not have the shape {shape:?}");
        Self { images, channels, len: height * width }
    }

    /// Planes per task.
    fn per_task(&self) -> usize {
        TASK_FLOATS.div_ceil(self.len.max(1))
    }

    /// For each channel, the two sums of `value(a, b, own(channel))` over all pixels.
    ///
    /// Each plane is summed in f32 with sixteen accumulators; planes are added up in f64, in the order of the images.
    pub(super) fn sum(
        &self,
        a: &[f32],
        b: &[f32],
        own: impl Fn(usize) -> f32 + Sync,
        value: impl Fn(f32, f32, f32) -> [f32; 2] + Sync,
    ) -> Vec<[f64; 2]> {
        assert_eq!(a.len(), b.len(), "two batches of one shape");
        let mut sums = vec![[0f64; 2]; self.images * self.channels];
        if a.is_empty() {
            return vec![[0.; 2]; self.channels];
        }
        let tasks = sums.par_chunks_mut(self.per_task()).enumerate();
        tasks.for_each(|(task, sums)| {
            dispatch(PlaneSums { planes: self, first: task * self.per_task(), a, b, own: &own, value: &value, sums });
        });
        let mut channels = vec![[0f64; 2]; self.channels];
        for (plane, sum) in sums.iter().enumerate() {
            let channel = &mut channels[plane % self.channels];
            *channel = [channel[0] + sum[0], channel[1] + sum[1]];
        }
        channels
    }

    /// `relu((x - center) * scale + shift + residual)` with `[center, scale, shift]` from `own(channel)`; residual and
    /// ReLU are optional, and NaN propagates.
    pub(super) fn affine(
        &self,
        x: &[f32],
        own: impl Fn(usize) -> [f32; 3] + Sync,
        residual: Option<&[f32]>,
        relu: bool,
    ) -> Vec<f32> {
        let value = |x: f32, [center, scale, shift]: [f32; 3]| (x - center) * scale + shift;
        match (residual, relu) {
            (None, false) => self.map(x, x, own, |x, _, own| value(x, own)),
            (None, true) => self.map(x, x, own, |x, _, own| relu_scalar(value(x, own))),
            (Some(residual), false) => self.map(x, residual, own, |x, y, own| value(x, own) + y),
            (Some(residual), true) => self.map(x, residual, own, |x, y, own| relu_scalar(value(x, own) + y)),
        }
    }

    /// `value(a, b, own(channel))` for each pixel.
    pub(super) fn map<Own: Copy>(
        &self,
        a: &[f32],
        b: &[f32],
        own: impl Fn(usize) -> Own + Sync,
        value: impl Fn(f32, f32, Own) -> f32 + Sync,
    ) -> Vec<f32> {
        assert_eq!(a.len(), b.len(), "two batches of one shape");
        let write = |out: &mut [MaybeUninit<f32>]| {
            let tasks = out.par_chunks_mut((self.per_task() * self.len).max(1)).enumerate();
            tasks.for_each(|(task, out)| {
                dispatch(PlaneMap { planes: self, first: task * self.per_task(), a, b, own: &own, value: &value, out });
            });
        };
        // SAFETY: every plane is written.
        unsafe { filled(a.len(), write) }
    }
}

/// The sums of a few planes.
struct PlaneSums<'a, Own, Value> {
    planes: &'a Planes,
    first: usize,
    a: &'a [f32],
    b: &'a [f32],
    own: &'a Own,
    value: &'a Value,
    sums: &'a mut [[f64; 2]],
}

impl<Own: Fn(usize) -> f32, Value: Fn(f32, f32, f32) -> [f32; 2]> WithSimd for PlaneSums<'_, Own, Value> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        const ACCUMULATORS: usize = 16;
        let Self { planes: &Planes { channels, len, .. }, first, a, b, own, value, sums } = self;
        for (plane, sum) in (first..).zip(sums) {
            let own = own(plane % channels);
            let (a, b) = (&a[plane * len..][..len], &b[plane * len..][..len]);
            let mut parts = [[0f32; ACCUMULATORS]; 2];
            let (a_chunks, b_chunks) = (a.chunks_exact(ACCUMULATORS), b.chunks_exact(ACCUMULATORS));
            let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
            for (a, b) in a_chunks.zip(b_chunks) {
                for side in 0..ACCUMULATORS {
                    let [one, two] = value(a[side], b[side], own);
                    parts[0][side] += one;
                    parts[1][side] += two;
                }
            }
            for (side, (&a, &b)) in rest.enumerate() {
                let [one, two] = value(a, b, own);
                parts[0][side] += one;
                parts[1][side] += two;
            }
            *sum = parts.map(|parts| parts.iter().map(|&part| f64::from(part)).sum());
        }
    }
}

/// The outputs of a few planes.
struct PlaneMap<'a, Own, Value> {
    planes: &'a Planes,
    first: usize,
    a: &'a [f32],
    b: &'a [f32],
    own: &'a Own,
    value: &'a Value,
    out: &'a mut [MaybeUninit<f32>],
}

impl<T, Own: Fn(usize) -> T, Value: Fn(f32, f32, T) -> f32> WithSimd for PlaneMap<'_, Own, Value>
where
    T: Copy,
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { planes: &Planes { channels, len, .. }, first, a, b, own, value, out } = self;
        for (plane, out) in (first..).zip(out.chunks_exact_mut(len)) {
            let own = own(plane % channels);
            let (a, b) = (&a[plane * len..][..len], &b[plane * len..][..len]);
            for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
                out.write(value(a, b, own));
            }
        }
    }
}
