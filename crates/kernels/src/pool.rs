//! Max- and average-pooling of images `[N, C, H, W]`, plane by plane, and ReLU.
#![allow(unsafe_code)] // Results are written into memory that is not cleared first.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use crate::scratch::filled;
use crate::shape::Window;

/// Planes that one piece of work takes.
const PLANES: usize = 16;

/// Numbers of an element-wise piece of work.
const ELEMENTS: usize = 1 << 16;

/// The largest value under each window: `[N, C, H', W']`. Padding never wins, a NaN always does.
///
/// # Panics
/// If `x` has another length than `image` says, or the window does not fit.
pub fn max_pool2d(window: &Window, image: [usize; 4], x: &[f32]) -> Vec<f32> {
    let shape = Plane::of(window, image, x.len());
    shape.map(x, |x, rows, columns, _| shape.largest(x, rows, columns).1)
}

/// As [`max_pool2d`], with the place `ky * kw + kx` of each maximum in its window: the first among equals, the last NaN.
///
/// # Panics
/// As [`max_pool2d`], or if a window has more than 256 places.
pub fn max_pool2d_training(window: &Window, image: [usize; 4], x: &[f32]) -> (Vec<f32>, Vec<u8>) {
    let shape = Plane::of(window, image, x.len());
    assert!(window.fits_winners(), "more than 256 places in {window:?}");
    let mut winners = Vec::new();
    let work = |out: &mut [MaybeUninit<f32>], winners: &mut [MaybeUninit<u8>]| {
        let outputs = out.par_chunks_mut(PLANES * shape.result());
        let places = winners.par_chunks_mut(PLANES * shape.result());
        outputs.zip(places).zip(x.par_chunks(PLANES * shape.image())).for_each(|((out, winners), x)| {
            let results = out.chunks_exact_mut(shape.result()).zip(winners.chunks_exact_mut(shape.result()));
            for ((out, winners), x) in results.zip(x.chunks_exact(shape.image())) {
                shape.for_each(|result, rows, columns, corner| {
                    let (at, largest) = shape.largest(x, rows, columns);
                    out[result].write(largest);
                    winners[result].write(shape.place(at, corner) as u8);
                });
            }
        });
    };
    // SAFETY: each plane writes all its results and places.
    let output =
        unsafe { filled(shape.results(), |out| winners = filled(shape.results(), |places| work(out, places))) };
    (output, winners)
}

/// The gradient `[N, C, H, W]` of max-pooling's input, from that of its result and the winners' places.
///
/// # Panics
/// If a slice has another length than its shape says, or a winner lies outside the image.
pub fn max_pool2d_backward(window: &Window, image: [usize; 4], grad: &[f32], winners: &[u8]) -> Vec<f32> {
    let shape = Plane::of(window, image, image.iter().product());
    assert!(
        grad.len() == shape.results() && winners.len() == grad.len(),
        "one gradient and one winner for each result"
    );
    let mut x = vec![0.; image.iter().product()];
    let planes = grad.par_chunks(PLANES * shape.result()).zip(winners.par_chunks(PLANES * shape.result()));
    x.par_chunks_mut(PLANES * shape.image()).zip(planes).for_each(|(x, (grad, winners))| {
        let results = grad.chunks_exact(shape.result()).zip(winners.chunks_exact(shape.result()));
        for (x, (grad, winners)) in x.chunks_exact_mut(shape.image()).zip(results) {
            shape.for_each(|result, _, _, corner| x[shape.pixel(winners[result], corner)] += grad[result]);
        }
    });
    x
}

/// The mean under each window: `[N, C, H', W']`. Padding counts as zeros, or not at all.
///
/// # Panics
/// If `x` has another length than `image` says, or the window does not fit.
pub fn avg_pool2d(window: &Window, image: [usize; 4], x: &[f32], count_include_pad: bool) -> Vec<f32> {
    let shape = Plane::of(window, image, x.len());
    shape.map(x, |x, rows, columns, corner| {
        let count = shape.count(&rows, &columns, corner, count_include_pad);
        let sum: f32 = rows.map(|y| x[y * shape.width..][columns.clone()].iter().sum::<f32>()).sum();
        sum / count as f32
    })
}

/// The gradient `[N, C, H, W]` of average-pooling's input, from that of its result.
///
/// # Panics
/// If `grad` has another length than the window's results on `image`.
pub fn avg_pool2d_backward(window: &Window, image: [usize; 4], grad: &[f32], count_include_pad: bool) -> Vec<f32> {
    let shape = Plane::of(window, image, image.iter().product());
    assert_eq!(grad.len(), shape.results(), "one gradient for each result");
    let mut x = vec![0.; image.iter().product()];
    let planes = grad.par_chunks(PLANES * shape.result());
    x.par_chunks_mut(PLANES * shape.image()).zip(planes).for_each(|(x, grad)| {
        for (x, grad) in x.chunks_exact_mut(shape.image()).zip(grad.chunks_exact(shape.result())) {
            shape.for_each(|result, rows, columns, corner| {
                let share = grad[result] / shape.count(&rows, &columns, corner, count_include_pad) as f32;
                for y in rows {
                    x[y * shape.width..][columns.clone()].iter_mut().for_each(|x| *x += share);
                }
            });
        }
    });
    x
}

/// Turns negative values into zeros; a NaN stays one.
pub(crate) fn relu(values: &mut [f32]) {
    values.par_chunks_mut(ELEMENTS).for_each(|values| {
        values.iter_mut().for_each(|value| *value = if *value < 0. { 0. } else { *value });
    });
}

/// The gradient before ReLU: what arrives, where the output is not zero.
pub(crate) fn relu_backward(output: &[f32], grad: &[f32]) -> Vec<f32> {
    let mut x = grad.to_vec();
    x.par_chunks_mut(ELEMENTS).zip(output.par_chunks(ELEMENTS)).for_each(|(x, output)| {
        x.iter_mut().zip(output).for_each(|(x, &output)| *x = if output <= 0. { 0. } else { *x });
    });
    x
}

/// One channel of one image under a window.
struct Plane {
    window: Window,
    planes: usize,
    height: usize,
    width: usize,
    /// Height and width of the result.
    out: [usize; 2],
}

impl Plane {
    fn of(window: &Window, image: [usize; 4], len: usize) -> Self {
        let [n, channels, height, width] = image;
        assert_eq!(len, n * channels * height * width, "the images have another shape than {image:?}");
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
            let chunks = out.par_chunks_mut(PLANES * self.result()).zip(x.par_chunks(PLANES * self.image()));
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
