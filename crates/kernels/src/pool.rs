//! Max- and average-pooling of images `[N, C, H, W]`, plane by plane, and ReLU.
#![allow(unsafe_code)] // Results are written into memory that is not cleared first.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use crate::shape::Window;
use crate::scratch::filled;

/// Planes that one piece of work takes.
const TASK_PLANES: usize = 16;

/// The largest value under each window: `[N, C, H', W']`. Padding never wins, a NaN always does.
///
/// # Panics
/// If `x` has another length than `image` says, or the window does not fit.
pub fn max_pool2d(window: &Window, image: [usize; 4], x: &[f32]) -> Vec<f32> {
    let pooling = Pooling::of(window, image, x.len());
    pooling.map(x, |x, rows, columns, _| pooling.largest(x, rows, columns).1)
}

/// As [`max_pool2d`], with the place `ky * kw + kx` of each maximum in its window: the first among equals, the last NaN.
///
/// # Panics
/// As [`max_pool2d`], or if a window has more than 256 places.
pub fn max_pool2d_training(window: &Window, image: [usize; 4], x: &[f32]) -> (Vec<f32>, Vec<u8>) {
    let pooling = Pooling::of(window, image, x.len());
    assert!(window.argmax_fits_u8(), "more than 256 places in {window:?}");
    let mut argmax = Vec::new();
    let work = |out: &mut [MaybeUninit<f32>], argmax: &mut [MaybeUninit<u8>]| {
        let outputs = out.par_chunks_mut(TASK_PLANES * pooling.result());
        let argmax = argmax.par_chunks_mut(TASK_PLANES * pooling.result());
        outputs.zip(argmax).zip(x.par_chunks(TASK_PLANES * pooling.image())).for_each(|((out, argmax), x)| {
            let results = out.chunks_exact_mut(pooling.result()).zip(argmax.chunks_exact_mut(pooling.result()));
            for ((out, argmax), x) in results.zip(x.chunks_exact(pooling.image())) {
                pooling.for_each(|result, rows, columns, corner| {
                    let (at, largest) = pooling.largest(x, rows, columns);
                    out[result].write(largest);
                    argmax[result].write(pooling.place(at, corner) as u8);
                });
            }
        });
    };
    // SAFETY: each plane writes all its results and places.
    let output =
        unsafe { filled(pooling.results(), |out| argmax = filled(pooling.results(), |argmax| work(out, argmax))) };
    (output, argmax)
}

/// The gradient `[N, C, H, W]` of max-pooling's input, from that of its result and the argmax' places.
///
/// # Panics
/// If a slice has another length than its pooling says, or a winner lies outside the image.
pub fn max_pool2d_backward(window: &Window, image: [usize; 4], grad: &[f32], argmax: &[u8]) -> Vec<f32> {
    let pooling = Pooling::of(window, image, image.iter().product());
    assert!(
        grad.len() == pooling.results() && argmax.len() == grad.len(),
        "one gradient and one winner for each result"
    );
    let mut x = vec![0.; image.iter().product()];
    let planes = grad.par_chunks(TASK_PLANES * pooling.result()).zip(argmax.par_chunks(TASK_PLANES * pooling.result()));
    x.par_chunks_mut(TASK_PLANES * pooling.image()).zip(planes).for_each(|(x, (grad, argmax))| {
        let results = grad.chunks_exact(pooling.result()).zip(argmax.chunks_exact(pooling.result()));
        for (x, (grad, argmax)) in x.chunks_exact_mut(pooling.image()).zip(results) {
            pooling.for_each(|result, _, _, corner| x[pooling.pixel(argmax[result], corner)] += grad[result]);
        }
    });
    x
}

/// The mean under each window: `[N, C, H', W']`. Padding counts as zeros, or not at all.
///
/// # Panics
/// If `x` has another length than `image` says, or the window does not fit.
pub fn avg_pool2d(window: &Window, image: [usize; 4], x: &[f32], count_include_pad: bool) -> Vec<f32> {
    let pooling = Pooling::of(window, image, x.len());
    pooling.map(x, |x, rows, columns, corner| {
        let count = pooling.count(&rows, &columns, corner, count_include_pad);
        let sum: f32 = rows.map(|y| x[y * pooling.width..][columns.clone()].iter().sum::<f32>()).sum();
        sum / count as f32
    })
}

/// The gradient `[N, C, H, W]` of average-pooling's input, from that of its result.
///
/// # Panics
/// If `grad` has another length than the window's results on `image`.
pub fn avg_pool2d_backward(window: &Window, image: [usize; 4], grad: &[f32], count_include_pad: bool) -> Vec<f32> {
    let pooling = Pooling::of(window, image, image.iter().product());
    assert_eq!(grad.len(), pooling.results(), "one gradient for each result");
    let mut x = vec![0.; image.iter().product()];
    let planes = grad.par_chunks(TASK_PLANES * pooling.result());
    x.par_chunks_mut(TASK_PLANES * pooling.image()).zip(planes).for_each(|(x, grad)| {
        for (x, grad) in x.chunks_exact_mut(pooling.image()).zip(grad.chunks_exact(pooling.result())) {
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

/// One channel of one image under a window.
struct Pooling {
    window: Window,
    planes: usize,
    height: usize,
    width: usize,
    /// Height and width of the result.
    out: [usize; 2],
}

impl Pooling {
    fn of(window: &Window, image: [usize; 4], len: usize) -> Self {
        let [n, channels, height, width] = image;
        assert_eq!(len, n * channels * height * width, "the images have another pooling than {image:?}");
        assert!(height * width > 0, "images without pixels: {image:?}");
        let [.., rows, columns] = window.output(image);
        Self { window: window.clone(), planes: n * channels, height, width, out: [rows, columns] }
    }

    fn image(&self) -> usize {
        self.height * self.width
    }

    fn result(&self) -> usize {
        self.out[0] * self.out[1]
    }

    fn results(&self) -> usize {
        self.planes * self.result()
    }

    /// Calls `visit` for each result with its index, the window's rows and columns inside the image, and the window's
    /// corner, counted from the padding's.
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

    /// What `value` makes of each window of each plane: of the plane, the window's rows and columns, and its corner.
    fn map(&self, x: &[f32], value: impl Fn(&[f32], Range<usize>, Range<usize>, [usize; 2]) -> f32 + Sync) -> Vec<f32> {
        let write = |out: &mut [MaybeUninit<f32>]| {
            let chunks = out.par_chunks_mut(TASK_PLANES * self.result()).zip(x.par_chunks(TASK_PLANES * self.image()));
            chunks.for_each(|(out, x)| {
                for (out, x) in out.chunks_exact_mut(self.result()).zip(x.chunks_exact(self.image())) {
                    self.for_each(|result, rows, columns, corner| {
                        out[result].write(value(x, rows, columns, corner));
                    });
                }
            });
        };
        // SAFETY: each plane writes all its results.
        unsafe { filled(self.results(), write) }
    }

    /// The pixel of the largest value, the first among equals or the last NaN, and the value.
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

    /// The place in its window of a pixel of the image.
    fn place(&self, pixel: usize, corner: [usize; 2]) -> usize {
        let Window { kernel, padding, .. } = self.window;
        let y = pixel / self.width + padding[0] - corner[0];
        let x = pixel % self.width + padding[1] - corner[1];
        y * kernel[1] + x
    }

    /// The pixel of the image at a place of a window.
    fn pixel(&self, place: u8, corner: [usize; 2]) -> usize {
        let Window { kernel, padding, .. } = self.window;
        let (y, x) = (usize::from(place) / kernel[1], usize::from(place) % kernel[1]);
        (corner[0] + y - padding[0]) * self.width + corner[1] + x - padding[1]
    }

    /// By how many values a mean divides. Windows that reach over the padding's far edge in `ceil_mode` never count what
    /// lies behind it.
    fn count(&self, rows: &Range<usize>, columns: &Range<usize>, corner: [usize; 2], include_padding: bool) -> usize {
        if !include_padding {
            return rows.len() * columns.len();
        }
        let Window { kernel, padding, .. } = self.window;
        let side = |axis: usize, size: usize| kernel[axis].min(size + 2 * padding[axis] - corner[axis]);
        side(0, self.height) * side(1, self.width)
    }
}
