//! How far each pixel stands out from what surrounds it.
//!
//! Grey-scale closing with a square window (the minimum of the maxima) fills everything darker than its surroundings and
//! narrower than the window, and leaves the rest: folds of light and shadow, the edge of a table, large dark things. What it
//! adds is the strength of dark strokes (Serra, "Image Analysis and Mathematical Morphology", 1982: the black top hat). Light
//! ink is dark ink of the inverted picture.

use super::Ink;
use super::view::View;

/// Ink differs from the paper by more than this, in grey levels, however clean the picture is.
pub(super) const LEAST_CONTRAST: f32 = 10.0;

/// Ink differs from the paper by more than this many standard deviations of what the paper shows.
const NOISE_FACTOR: f32 = 5.0;

/// How strongly each pixel of a view stands out.
#[derive(Clone, Debug)]
pub(super) struct Contrast {
    pub ink: Ink,
    /// Strokes narrower than this stand out, in pixels.
    pub window: usize,
    /// `[height, width]`, in grey levels of the channel in which a pixel stands out most.
    pub strength: Vec<u8>,
    /// The same, `[width, height]`.
    pub turned: Vec<u8>,
    /// What paper shows: the median, and the spread as a standard deviation.
    pub paper: f32,
    pub spread: f32,
}

impl Contrast {
    /// The strengths of a view's planes (smoothed, if it is noisy) for strokes narrower than `window`.
    pub(super) fn of(view: &View, planes: &[Vec<u8>], ink: Ink, window: usize) -> Self {
        let mut strength = vec![0; view.height * view.width];
        for plane in planes {
            let plane: Vec<u8> = match ink {
                Ink::Dark => plane.clone(),
                Ink::Light => plane.iter().map(|pixel| 255 - pixel).collect(),
            };
            let closed = close(&plane, view.height, view.width, window);
            for ((strength, closed), pixel) in strength.iter_mut().zip(closed).zip(plane) {
                *strength = (*strength).max(closed - pixel);
            }
        }
        let mut histogram = [0usize; 256];
        strength.iter().for_each(|&value| histogram[usize::from(value)] += 1);
        let (quarter, half) = (quantile(&histogram, 1, 4), quantile(&histogram, 1, 2));
        let turned = transpose(&strength, view.height, view.width);
        // What changes slowly from place to place, such as chalk dust on a board, is no noise that might be taken for strokes.
        let spread = ((half - quarter) / 0.674).min(3.0 * noise(&strength, view.width) + 1.0);
        Self { ink, window, strength, turned, paper: half, spread }
    }

    /// The largest strength that may be paper, in grey levels.
    pub(super) fn floor(&self) -> u8 {
        (self.paper + (NOISE_FACTOR * self.spread).max(LEAST_CONTRAST)).min(254.0) as u8
    }
}

/// The value below which a share of the pixels lies.
fn quantile(histogram: &[usize; 256], numerator: usize, denominator: usize) -> f32 {
    let total: usize = histogram.iter().sum();
    let mut below = 0;
    for (value, &count) in histogram.iter().enumerate() {
        if (below + count) * denominator >= total * numerator {
            // Within the level, in proportion: a spread below one grey level counts too.
            let rest = (total * numerator) as f32 / denominator as f32 - below as f32;
            return value as f32 + rest / count.max(1) as f32 - 0.5;
        }
        below += count;
    }
    255.0
}

/// Closing: the maximum in a square window around each pixel, then the minimum.
fn close(plane: &[u8], height: usize, width: usize, window: usize) -> Vec<u8> {
    let mut closed = dilate(plane, height, width, window);
    invert(&mut closed);
    closed = dilate(&closed, height, width, window);
    invert(&mut closed);
    closed
}

fn invert(plane: &mut [u8]) {
    plane.iter_mut().for_each(|pixel| *pixel = 255 - *pixel);
}

/// The maximum in a square window of an odd number of pixels around each pixel; at the edges, in what there is of it.
pub(super) fn dilate(plane: &[u8], height: usize, width: usize, window: usize) -> Vec<u8> {
    let radius = window / 2;
    let mut wide = vec![0; (height + 2 * radius) * width];
    let (mut row, mut next) = (vec![0; width + 2 * radius], vec![0; width + 2 * radius]);
    for (line, output) in plane.chunks_exact(width).zip(wide[radius * width..].chunks_exact_mut(width)) {
        row.fill(0);
        row[radius..][..width].copy_from_slice(line);
        maxima(&mut row, &mut next, 1, 2 * radius + 1);
        output.copy_from_slice(&row[..width]);
    }
    let mut next = vec![0; wide.len()];
    maxima(&mut wide, &mut next, width, 2 * radius + 1);
    wide.truncate(height * width);
    wide
}

/// Replaces each value by the maximum of `count` values, `step` apart, that begin with it: in doubling strides, each of which
/// takes two maxima that are known already. `next` is scratch of the same length.
fn maxima(values: &mut Vec<u8>, next: &mut Vec<u8>, step: usize, count: usize) {
    let mut known = 1;
    while known < count {
        let shift = known.min(count - known);
        let inner = values.len() - shift * step;
        for ((next, &value), &other) in next.iter_mut().zip(&values[..inner]).zip(&values[shift * step..]) {
            *next = value.max(other);
        }
        next[inner..].copy_from_slice(&values[inner..]);
        std::mem::swap(values, next);
        known += shift;
    }
}

/// `[height, width]` to `[width, height]`, in squares that stay in the cache.
fn transpose(values: &[u8], height: usize, width: usize) -> Vec<u8> {
    const SIDE: usize = 32;
    let mut turned = vec![0; values.len()];
    for top in (0..height).step_by(SIDE) {
        for left in (0..width).step_by(SIDE) {
            for y in top..(top + SIDE).min(height) {
                for x in left..(left + SIDE).min(width) {
                    turned[x * height + y] = values[y * width + x];
                }
            }
        }
    }
    turned
}

/// The standard deviation of the noise from pixel to pixel, in grey levels: by the median of the second differences along
/// rows, which neither light nor strokes change much.
pub(super) fn noise(plane: &[u8], width: usize) -> f32 {
    let mut histogram = [0usize; 256];
    for row in plane.chunks_exact(width) {
        for three in row.windows(3) {
            let bend = (i32::from(three[0]) - 2 * i32::from(three[1]) + i32::from(three[2])).unsigned_abs();
            histogram[bend.min(255) as usize] += 1;
        }
    }
    // The second difference of independent noise has the sixfold variance.
    if histogram.iter().all(|&count| count == 0) {
        0.0
    } else {
        quantile(&histogram, 1, 2).max(0.0) * 1.4826 / 6f32.sqrt()
    }
}
