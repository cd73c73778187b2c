//! Resizing a plane of bytes with Pillow's antialiasing and rounding.
//!
//! Trained weights expect pictures that were shrunk the way torchvision shrinks them, and torchvision calls Pillow. In its
//! method, every output pixel is a weighted mean of the input pixels under a filter. Shrinking widens the filter in
//! proportion, so that no input pixel is skipped; enlarging never narrows it. The axes are processed one after the other,
//! columns first, each rounded to a byte. Weights are integers with 22 fraction bits.
//!
//! Source: Pillow's documentation and the behaviour of its `Image.resize`. The golden files in `tests/pictures` were made
//! by Pillow itself.

use serde::{Deserialize, Serialize};

/// How pixels are weighted when a picture is resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// A triangle two pixels wide. torchvision's default.
    Bilinear,
    /// Keys' cubic with a = -0.5, four pixels wide.
    Bicubic,
    /// The pixel under the output pixel's centre; no antialiasing.
    Nearest,
}

/// One axis of a resize: the axis is resized to `full` pixels, of which `start .. start + length` are computed.
///
/// When a resize is followed by a crop, nothing is spent on pixels that are cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Length of the whole resized axis, in pixels, at least 1.
    pub full: usize,
    /// The first pixel that is kept.
    pub start: usize,
    /// The number of pixels that are kept; `start + length <= full`.
    pub length: usize,
}

impl Span {
    /// An axis resized to `length` pixels, all of them kept.
    pub fn whole(length: usize) -> Self {
        Self { full: length, start: 0, length }
    }
}

/// Fraction bits of a weight: 32, minus 8 for the pixel and 2 for sign and overshoot.
const PRECISION: u32 = 32 - 8 - 2;

/// Resizes a plane of `height` x `width` bytes and returns `rows.length` x `columns.length` bytes.
///
/// # Panics
/// If `plane` is empty or not `height * width` bytes long.
pub fn resample(plane: &[u8], height: usize, width: usize, rows: Span, columns: Span, filter: Filter) -> Vec<u8> {
    assert_eq!(plane.len(), height * width, "a plane of {height} x {width} bytes");
    if filter == Filter::Nearest {
        return pick(plane, width, &nearest(height, rows), &nearest(width, columns));
    }
    let taps = |input: usize, span: Span| match filter {
        Filter::Bicubic => Taps::new(input, span, 2.0, cubic),
        _ => Taps::new(input, span, 1.0, triangle),
    };
    separable(plane, width, &taps(height, rows), &taps(width, columns))
}

/// Shrinks a plane to `rows` x `columns` bytes. Each is the mean of the rectangle it covers, to which partly covered pixels
/// contribute in proportion. Shrinking by an integer factor undoes an enlargement exactly; the digit reader relies on this.
pub(crate) fn shrink(plane: &[u8], height: usize, width: usize, rows: usize, columns: usize) -> Vec<u8> {
    assert_eq!(plane.len(), height * width, "a plane of {height} x {width} bytes");
    separable(plane, width, &Taps::area(height, rows), &Taps::area(width, columns))
}

fn triangle(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// The input pixels, and their weights, that contribute to each output pixel along one axis.
struct Taps {
    /// For each output pixel, its first input pixel and the range of its weights.
    outputs: Vec<(usize, std::ops::Range<usize>)>,
    weights: Vec<i32>,
}

impl Taps {
    /// Weights by a filter that extends `radius` pixels to either side at scale 1.
    fn new(input: usize, span: Span, radius: f64, filter: fn(f64) -> f64) -> Self {
        let scale = input as f64 / span.full as f64;
        let widening = scale.max(1.0);
        let support = radius * widening;
        let mut taps = Self { outputs: Vec::with_capacity(span.length), weights: Vec::new() };
        let mut exact = Vec::new();
        for output in span.start..span.start + span.length {
            let center = (output as f64 + 0.5) * scale;
            // `as usize` saturates at zero, which is the lower bound we want.
            let first = (center - support + 0.5) as usize;
            let last = ((center + support + 0.5) as usize).min(input);
            exact.clear();
            exact.extend((first..last).map(|x| filter((x as f64 - center + 0.5) / widening)));
            taps.push(first, &exact);
        }
        taps
    }

    /// Weights by the length covered; `output <= input`.
    fn area(input: usize, output: usize) -> Self {
        let scale = input as f64 / output as f64;
        let mut taps = Self { outputs: Vec::with_capacity(output), weights: Vec::new() };
        let mut exact = Vec::new();
        for x in 0..output {
            let (from, to) = (x as f64 * scale, (x + 1) as f64 * scale);
            let (first, last) = (from as usize, (to.ceil() as usize).min(input));
            exact.clear();
            exact.extend((first..last).map(|x| (to.min((x + 1) as f64) - from.max(x as f64)).max(0.0)));
            taps.push(first, &exact);
        }
        taps
    }

    /// Adds an output pixel, scaling its weights to a sum of 1 and rounding them to integers.
    fn push(&mut self, first: usize, exact: &[f64]) {
        let sum: f64 = exact.iter().sum();
        let sum = if sum == 0.0 { 1.0 } else { sum };
        let start = self.weights.len();
        self.weights.extend(exact.iter().map(|weight| (weight / sum * f64::from(1 << PRECISION)).round() as i32));
        self.outputs.push((first, start..self.weights.len()));
    }

    /// The range of input pixels that contribute to any output pixel.
    fn used(&self) -> std::ops::Range<usize> {
        let first = self.outputs.iter().map(|(first, _)| *first).min().unwrap_or(0);
        let last = self.outputs.iter().map(|(first, weights)| first + weights.len()).max().unwrap_or(0);
        first..last
    }
}

/// Converts a sum of weighted bytes, which started at one half, to a byte.
fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// Resizes columns, then rows. The sums cannot overflow: absolute weights add up to less than 1.5 and bytes are at most
/// 255, which leaves half of the range. Wrapping operations keep debug checks out of the inner loops.
fn separable(plane: &[u8], width: usize, rows: &Taps, columns: &Taps) -> Vec<u8> {
    const HALF: i32 = 1 << (PRECISION - 1);
    let used = rows.used();
    let narrow = columns.outputs.len();
    let mut middle = Vec::with_capacity(used.len() * narrow);
    for row in plane.chunks_exact(width).take(used.end).skip(used.start) {
        middle.extend(columns.outputs.iter().map(|(first, range)| {
            let weights = &columns.weights[range.clone()];
            let pixels = &row[*first..first + weights.len()];
            let products = pixels.iter().zip(weights).map(|(&pixel, &weight)| i32::from(pixel).wrapping_mul(weight));
            to_byte(products.fold(HALF, i32::wrapping_add))
        }));
    }

    let mut output = Vec::with_capacity(rows.outputs.len() * narrow);
    let mut sums = vec![0i32; narrow];
    for (first, range) in &rows.outputs {
        sums.fill(HALF);
        let inputs = middle.chunks_exact(narrow).skip(first - used.start);
        for (row, &weight) in inputs.zip(&rows.weights[range.clone()]) {
            for (sum, &pixel) in sums.iter_mut().zip(row) {
                *sum = sum.wrapping_add(i32::from(pixel).wrapping_mul(weight));
            }
        }
        output.extend(sums.iter().map(|&sum| to_byte(sum)));
    }
    output
}

/// The input pixel under the centre of each output pixel. Positions are accumulated by addition, as in Pillow: where a
/// centre falls on the edge between two pixels, rounding decides, and must decide the same way.
fn nearest(input: usize, span: Span) -> Vec<usize> {
    let scale = input as f64 / span.full as f64;
    let mut position = scale * 0.5;
    let mut picked = Vec::with_capacity(span.length);
    for output in 0..span.start + span.length {
        if output >= span.start {
            picked.push((position as usize).min(input - 1));
        }
        position += scale;
    }
    picked
}

fn pick(plane: &[u8], width: usize, rows: &[usize], columns: &[usize]) -> Vec<u8> {
    let mut output = Vec::with_capacity(rows.len() * columns.len());
    for &row in rows {
        let row = &plane[row * width..][..width];
        output.extend(columns.iter().map(|&column| row[column]));
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_resize_is_a_part_of_the_whole() {
        let plane: Vec<u8> = (0..37 * 53).map(|at| (at * at % 251) as u8).collect();
        for filter in [Filter::Bilinear, Filter::Bicubic, Filter::Nearest] {
            let whole = resample(&plane, 37, 53, Span::whole(30), Span::whole(70), filter);
            let rows = Span { full: 30, start: 11, length: 8 };
            let columns = Span { full: 70, start: 40, length: 30 };
            let part = resample(&plane, 37, 53, rows, columns, filter);
            let expected: Vec<u8> = (11..19).flat_map(|y| whole[y * 70 + 40..][..30].to_vec()).collect();
            assert_eq!(part, expected, "{filter:?}");
        }
    }

    #[test]
    fn shrinking_undoes_an_enlargement_and_shares_pixels_between_neighbours() {
        let small: Vec<u8> = (0..5 * 7).map(|at| (at * 37 % 256) as u8).collect();
        let large: Vec<u8> = (0..15 * 21).map(|at| small[at / 21 / 3 * 7 + at % 21 / 3]).collect();
        assert_eq!(shrink(&large, 15, 21, 5, 7), small);
        // 3 pixels to 2: each takes one whole and half of the middle one.
        assert_eq!(shrink(&[0, 90, 240], 1, 3, 1, 2), [30, 190]);
    }
}
