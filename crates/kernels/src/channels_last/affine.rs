//! `x * scale + shift` of each channel, and images turned so that their channels come last.
#![allow(unsafe_code)] // Tasks write interleaved parts of one memory.

use pulp::{Simd, WithSimd};

use super::{Extent, Memory, Place};
use crate::conv::gemm::micro_kernel::{read, write};
use crate::parallel::for_each;
use crate::relu::relu_vector;
use crate::simd::{dispatch, mul_add};

/// Numbers of a task.
const TASK_NUMBERS: usize = 1 << 15;

/// `x * scale + shift` of each channel, and ReLU if `relu`.
///
/// # Panics
/// If a tensor does not lie in the memory, or the output overlaps with the input.
pub fn affine(memory: &mut [f32], x: Place, out: Place, pixels: usize, affine: [&[f32]; 2], relu: bool) {
    let channels = affine[0].len();
    assert_eq!(channels, affine[1].len(), "a scale and a shift for each channel");
    let extent = Extent { pixels, channels };
    let memory = Memory::of(memory, (out, extent), [(x, extent)]);
    let share = (TASK_NUMBERS / channels.max(1)).max(1);
    for_each((0..pixels).step_by(share), |first| {
        let [from, to] = [x, out].map(|place| memory.at(place).wrapping_add(first * place.stride));
        let rows = share.min(pixels - first);
        // SAFETY: the pixels lie in the memory, and no other task writes these.
        unsafe { Affine { from, from_stride: x.stride, to, to_stride: out.stride, rows, affine, relu }.run() };
    });
}

/// The same of the pixels from `from` on, to rows that follow one another.
///
/// # Safety
/// The pixels must be readable.
pub(super) unsafe fn rows(from: *const f32, stride: usize, to: &mut [f32], affine: [&[f32]; 2], relu: bool) {
    let channels = affine[0].len();
    let rows = to.len() / channels;
    // SAFETY: as guaranteed by the caller.
    unsafe { Affine { from, from_stride: stride, to: to.as_mut_ptr(), to_stride: channels, rows, affine, relu }.run() };
}

struct Affine<'a> {
    from: *const f32,
    from_stride: usize,
    to: *mut f32,
    to_stride: usize,
    rows: usize,
    affine: [&'a [f32]; 2],
    relu: bool,
}

impl Affine<'_> {
    /// # Safety
    /// The rows must be readable and writable.
    unsafe fn run(self) {
        dispatch(self);
    }
}

impl WithSimd for Affine<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [scale, shift] = self.affine;
        let channels = scale.len();
        for row in 0..self.rows {
            let from = self.from.wrapping_add(row * self.from_stride);
            let to = self.to.wrapping_add(row * self.to_stride);
            for vector in 0..channels.div_ceil(S::F32_LANES) {
                // SAFETY: guaranteed by the caller of `run`.
                unsafe {
                    let scale = read(simd, scale.as_ptr(), vector, channels);
                    let shift = read(simd, shift.as_ptr(), vector, channels);
                    let mut value = mul_add(simd, read(simd, from, vector, channels), scale, shift);
                    if self.relu {
                        value = relu_vector(simd, value);
                    }
                    write(simd, to, vector, channels, value);
                }
            }
        }
    }
}

/// Images `[N, C, H, W]`, turned.
///
/// # Panics
/// If there are not so many numbers, or the place does not lie in the memory.
pub fn from_channels_first(
    memory: &mut [f32],
    images: &[f32],
    [count, channels, height, width]: [usize; 4],
    out: Place,
) {
    let pixels = height * width;
    assert_eq!(images.len(), count * channels * pixels, "whole images");
    let memory = Memory::of(memory, (out, Extent { pixels: count * pixels, channels }), []);
    if images.is_empty() {
        return;
    }
    for_each(images.chunks_exact(channels * pixels).enumerate(), |(image, planes)| {
        let to = memory.at(out).wrapping_add(image * pixels * out.stride);
        for (channel, plane) in planes.chunks_exact(pixels).enumerate() {
            for (pixel, &value) in plane.iter().enumerate() {
                // SAFETY: the image lies in the memory, and no other task writes it.
                unsafe { *to.add(pixel * out.stride + channel) = value };
            }
        }
    });
}
