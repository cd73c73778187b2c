//! Pooling: all channels of a pixel at once.
#![allow(unsafe_code)] // Tasks write interleaved parts of one memory.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::{Extent, Memory, Place};
use crate::conv::gemm::micro_kernel::{read, write};
use crate::parallel::for_each;
use crate::shape::Window;
use crate::simd::dispatch;

/// The maximum of each window of images `[N, C, H, W]` (their shape, not their layout). Padding never wins; NaN always does.
///
/// # Panics
/// If a tensor does not lie in the memory, or the output overlaps with the input.
pub fn max_pool(memory: &mut [f32], x: Place, out: Place, image: [usize; 4], window: &Window) {
    run(memory, x, out, image, &Axes::of(window, image), true);
}

/// The mean of each window; padding counts as zeros.
///
/// # Panics
/// As [`max_pool`].
pub fn avg_pool(memory: &mut [f32], x: Place, out: Place, image: [usize; 4], window: &Window) {
    run(memory, x, out, image, &Axes::of(window, image), false);
}

/// The means of `size` x `size` parts of nearly equal size, as PyTorch divides them.
///
/// # Panics
/// As [`max_pool`].
pub fn adaptive_avg_pool(memory: &mut [f32], x: Place, out: Place, image: [usize; 4], size: usize) {
    let parts = |axis: usize| -> Vec<Range<usize>> {
        let side = image[axis + 2];
        (0..size).map(|part| part * side / size..((part + 1) * side).div_ceil(size)).collect()
    };
    let ranges = [parts(0), parts(1)];
    let counts = ranges.each_ref().map(|parts| parts.iter().map(|part| part.len() as f32).collect());
    run(memory, x, out, image, &Axes { ranges, counts }, false);
}

/// The pixels under each window along an axis, and how many with the padding.
fn windows(window: &Window, image: [usize; 4], axis: usize) -> impl Iterator<Item = (Range<usize>, f32)> {
    let (side, places) = (image[axis + 2], window.output(image)[axis + 2]);
    let (kernel, stride, padding) = (window.kernel[axis], window.stride[axis], window.padding[axis]);
    (0..places).map(move |place| {
        let (start, end) = (place * stride, (place * stride + kernel).min(side + 2 * padding));
        (start.saturating_sub(padding)..(end.saturating_sub(padding)).min(side), (end - start) as f32)
    })
}

/// Along each axis, the pixels of the input that each pixel of the result takes, and what their number counts as.
struct Axes {
    ranges: [Vec<Range<usize>>; 2],
    counts: [Vec<f32>; 2],
}

impl Axes {
    fn of(window: &Window, image: [usize; 4]) -> Self {
        let [down, across] = [0, 1].map(|axis| windows(window, image, axis).unzip());
        let ((rows, row_counts), (columns, column_counts)) = (down, across);
        Self { ranges: [rows, columns], counts: [row_counts, column_counts] }
    }
}

fn run(memory: &mut [f32], x: Place, out: Place, image: [usize; 4], axes: &Axes, largest: bool) {
    let [images, channels, height, width] = image;
    let [rows, columns] = axes.ranges.each_ref().map(Vec::len);
    let result = (out, Extent { pixels: images * rows * columns, channels });
    let memory = Memory::of(memory, result, [(x, Extent { pixels: images * height * width, channels })]);
    for_each((0..images * rows).map(|row| (row / rows, row % rows)), |(image, row)| {
        let from = memory.at(x).wrapping_add(image * height * width * x.stride);
        let to = memory.at(out).wrapping_add((image * rows + row) * columns * out.stride);
        dispatch(Row { axes, row, from, strides: [x.stride, out.stride], width, to, channels, largest });
    });
}

/// A row of the result; the pixels that it takes lie in the memory, and nothing else writes it.
struct Row<'a> {
    axes: &'a Axes,
    row: usize,
    /// The image.
    from: *const f32,
    strides: [usize; 2],
    width: usize,
    to: *mut f32,
    channels: usize,
    largest: bool,
}

impl WithSimd for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { axes, row, from, strides, width, to, channels, largest } = self;
        let down = axes.ranges[0][row].clone();
        for (column, across) in axes.ranges[1].iter().enumerate() {
            let to = to.wrapping_add(column * strides[1]);
            let count = axes.counts[0][row] * axes.counts[1][column];
            for vector in 0..channels.div_ceil(S::F32_LANES) {
                let mut result = simd.splat_f32s(if largest { f32::NEG_INFINITY } else { 0. });
                for y in down.clone() {
                    for x in across.clone() {
                        let from = from.wrapping_add((y * width + x) * strides[0]);
                        // SAFETY: the pixel lies in the memory.
                        let value = unsafe { read(simd, from, vector, channels) };
                        result = if largest {
                            // Only NaN is not equal to itself: it wins.
                            let wins = simd.not_m32s(simd.less_than_or_equal_f32s(value, result));
                            let stays = simd.not_m32s(simd.equal_f32s(result, result));
                            simd.select_f32s(simd.and_m32s(wins, simd.not_m32s(stays)), value, result)
                        } else {
                            simd.add_f32s(result, value)
                        };
                    }
                }
                if !largest {
                    result = simd.div_f32s(result, simd.splat_f32s(count));
                }
                // SAFETY: the row lies in the memory, and no other task writes it.
                unsafe { write(simd, to, vector, channels, result) };
            }
        }
    }
}
