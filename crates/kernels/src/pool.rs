//! Max- and average-pooling of images `[N, C, H, W]`, plane by plane.
#![allow(unsafe_code)] // Outputs are written into uninitialised memory.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use crate::scratch::filled;
use crate::shape::Window;

/// Planes per task.
const TASK_PLANES: usize = 16;

/// The maximum of each window: `[N, C, H', W']`. Padding never wins; NaN always does.
///
/// # Panics
/// If the length of `x` does not match `image`, or the window does not fit.
pub fn max_pool2d(window: &Window, image: [usize; 4], x: &[f32]) -> Vec<f32> {
    let pooling = Pooling::of(window, image, x.len());
    pooling.map(x, |x, rows, columns, _| pooling.largest(x, rows, columns).1)
}

/// As [`max_pool2d`], and also returns the index `ky * kw + kx` of each maximum within its window: the first among
/// equals, the last NaN.
///
/// # Panics
/// As [`max_pool2d`], or if the window has more than 256 elements.
pub fn max_pool2d_training(window: &Window, image: [usize; 4], x: &[f32]) -> (Vec<f32>, Vec<u8>) {
    let pooling = Pooling::of(window, image, x.len());
    assert!(window.argmax_fits_u8(), "more than 256 elements in {window:?}");
    let mut argmax = Vec::new();
    let work = |out: &mut [MaybeUninit<f32>], argmax: &mut [MaybeUninit<u8>]| {
        let outputs = out.par_chunks_mut(TASK_PLANES * pooling.outputs());
        let argmax = argmax.par_chunks_mut(TASK_PLANES * pooling.outputs());
        outputs.zip(argmax).zip(x.par_chunks(TASK_PLANES * pooling.pixels())).for_each(|((out, argmax), x)| {
            let results = out.chunks_exact_mut(pooling.outputs()).zip(argmax.chunks_exact_mut(pooling.outputs()));
            for ((out, argmax), x) in results.zip(x.chunks_exact(pooling.pixels())) {
                pooling.for_each(|result, rows, columns, corner| {
                    let (at, largest) = pooling.largest(x, rows, columns);
                    out[result].write(largest);
                    argmax[result].write(pooling.window_index(at, corner) as u8);
                });
            }
        });
    };
    // SAFETY: every plane writes all its outputs and indices.
    let output = unsafe {
        filled(pooling.total_outputs(), |out| argmax = filled(pooling.total_outputs(), |argmax| work(out, argmax)))
    };
    (output, argmax)
}

/// The gradient of max-pooling's input `[N, C, H, W]`, from the gradient of its output and the argmax.
///
/// # Panics
/// If the length of a slice does not match its shape, or the argmax points outside the image.
pub fn max_pool2d_backward(window: &Window, image: [usize; 4], grad: &[f32], argmax: &[u8]) -> Vec<f32> {
    let pooling = Pooling::of(window, image, image.iter().product());
    assert!(
        grad.len() == pooling.total_outputs() && argmax.len() == grad.len(),
        "one gradient and one argmax for each output"
    );
    let mut x = vec![0.; image.iter().product()];
    let planes =
        grad.par_chunks(TASK_PLANES * pooling.outputs()).zip(argmax.par_chunks(TASK_PLANES * pooling.outputs()));
    x.par_chunks_mut(TASK_PLANES * pooling.pixels()).zip(planes).for_each(|(x, (grad, argmax))| {
        let results = grad.chunks_exact(pooling.outputs()).zip(argmax.chunks_exact(pooling.outputs()));
        for (x, (grad, argmax)) in x.chunks_exact_mut(pooling.pixels()).zip(results) {
            pooling.for_each(|result, _, _, corner| x[pooling.pixel(argmax[result], corner)] += grad[result]);
        }
    });
    x
}

/// The mean of each window: `[N, C, H', W']`. With `count_include_pad`, padding counts as zeros.
///
/// # Panics
/// If the length of `x` does not match `image`, or the window does not fit.
pub fn avg_pool2d(window: &Window, image: [usize; 4], x: &[f32], count_include_pad: bool) -> Vec<f32> {
    let pooling = Pooling::of(window, image, x.len());
    pooling.map(x, |x, rows, columns, corner| {
        let count = pooling.count(&rows, &columns, corner, count_include_pad);
        let sum: f32 = rows.map(|y| x[y * pooling.width..][columns.clone()].iter().sum::<f32>()).sum();
        sum / count as f32
    })
}

/// The gradient of average-pooling's input `[N, C, H, W]`, from the gradient of its output.
///
/// # Panics
/// If the length of `grad` does not match the window's output on `image`.
pub fn avg_pool2d_backward(window: &Window, image: [usize; 4], grad: &[f32], count_include_pad: bool) -> Vec<f32> {
    let pooling = Pooling::of(window, image, image.iter().product());
    assert_eq!(grad.len(), pooling.total_outputs(), "one gradient for each output");
    let mut x = vec![0.; image.iter().product()];
    let planes = grad.par_chunks(TASK_PLANES * pooling.outputs());
    x.par_chunks_mut(TASK_PLANES * pooling.pixels()).zip(planes).for_each(|(x, grad)| {
        for (x, grad) in x.chunks_exact_mut(pooling.pixels()).zip(grad.chunks_exact(pooling.outputs())) {
            pooling.for_each(|result, rows, columns, corner| {
                let share = grad[result] / pooling.count(&rows, &columns, corner, count_include_pad) as f32;
                for y in rows {
                    x[y * pooling.width..][columns.clone()].iter_mut().for_each(|x| *x += share);
                }
            });
        }
    });
    x
}

/// The geometry of a pooling: a window over planes of one size.
struct Pooling {
    window: Window,
    planes: usize,
    height: usize,
    width: usize,
    /// Height and width of the output.
    out: [usize; 2],
}

impl Pooling {
    fn of(window: &Window, image: [usize; 4], len: usize) -> Self {
        let [n, channels, height, width] = image;
        assert_eq!(len, n * channels * height * width, "the images do not have the shape {image:?}");
        assert!(height * width > 0, "images without pixels: {image:?}");
        let [.., rows, columns] = window.output(image);
        Self { window: window.clone(), planes: n * channels, height, width, out: [rows, columns] }
    }

    fn pixels(&self) -> usize {
        self.height * self.width
    }

    fn outputs(&self) -> usize {
        self.out[0] * self.out[1]
    }

    fn total_outputs(&self) -> usize {
        self.planes * self.outputs()
    }

    /// Calls `visit` for each output with its index, the rows and columns of the window that lie inside the image, and
    /// the window's corner in coordinates of the padded image.
    #[inline(always)]
    fn for_each(&self, mut visit: impl FnMut(usize, Range<usize>, Range<usize>, [usize; 2])) {
        let Window { kernel, stride, padding, .. } = self.window;
        let inside = |corner: usize, axis: usize, size: usize| {
            corner.saturating_sub(padding[axis])..(corner + kernel[axis]).saturating_sub(padding[axis]).min(size)
        };
        for y in 0..self.out[0] {
            let top = y * stride[0];
            for x in 0..self.out[1] {
                let left = x * stride[1];
                let (rows, columns) = (inside(top, 0, self.height), inside(left, 1, self.width));
                visit(y * self.out[1] + x, rows, columns, [top, left]);
            }
        }
    }

    /// Fills each output with `value(plane, rows, columns, corner)`; see [`Pooling::for_each`].
    fn map(&self, x: &[f32], value: impl Fn(&[f32], Range<usize>, Range<usize>, [usize; 2]) -> f32 + Sync) -> Vec<f32> {
        let write = |out: &mut [MaybeUninit<f32>]| {
            let chunks =
                out.par_chunks_mut(TASK_PLANES * self.outputs()).zip(x.par_chunks(TASK_PLANES * self.pixels()));
            chunks.for_each(|(out, x)| {
                for (out, x) in out.chunks_exact_mut(self.outputs()).zip(x.chunks_exact(self.pixels())) {
                    self.for_each(|result, rows, columns, corner| {
                        out[result].write(value(x, rows, columns, corner));
                    });
                }
            });
        };
        // SAFETY: every plane writes all its outputs.
        unsafe { filled(self.total_outputs(), write) }
    }

    /// The pixel of the maximum (the first among equals, or the last NaN) and its value.
    #[inline(always)]
    fn largest(&self, x: &[f32], rows: Range<usize>, columns: Range<usize>) -> (usize, f32) {
        let first = rows.start * self.width + columns.start;
        let mut best = (first, f32::NEG_INFINITY);
        for y in rows {
            for column in columns.clone() {
                let at = y * self.width + column;
                let value = x[at];
                best = if value > best.1 || value.is_nan() { (at, value) } else { best };
            }
        }
        best
    }

    /// The index within its window of a pixel of the image.
    fn window_index(&self, pixel: usize, corner: [usize; 2]) -> usize {
        let Window { kernel, padding, .. } = self.window;
        let y = pixel / self.width + padding[0] - corner[0];
        let x = pixel % self.width + padding[1] - corner[1];
        y * kernel[1] + x
    }

    /// The pixel of the image at an index within a window.
    fn pixel(&self, index: u8, corner: [usize; 2]) -> usize {
        let Window { kernel, padding, .. } = self.window;
        let (y, x) = (usize::from(index) / kernel[1], usize::from(index) % kernel[1]);
        (corner[0] + y - padding[0]) * self.width + corner[1] + x - padding[1]
    }

    /// The divisor of a mean. In `ceil_mode` a window can reach beyond the padding; what lies there never counts.
    fn count(&self, rows: &Range<usize>, columns: &Range<usize>, corner: [usize; 2], include_padding: bool) -> usize {
        if !include_padding {
            return rows.len() * columns.len();
        }
        let Window { kernel, padding, .. } = self.window;
        let side = |axis: usize, size: usize| kernel[axis].min(size + 2 * padding[axis] - corner[axis]);
        side(0, self.height) * side(1, self.width)
    }
}
