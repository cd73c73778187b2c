//! The picture that is searched: a part of the photograph, reduced, as planes in which ink may stand out.

use crate::picture::{Picture, Rect};

/// Channels that differ by no more than this everywhere are one, in grey levels.
const COLOURLESS: u8 = 6;

/// A part of a picture, reduced by the mean of each square of `factor` x `factor` pixels.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub height: usize,
    pub width: usize,
    /// One grey plane, or red, green and blue: ink of a colour stands out best from paper in the channel that it absorbs.
    pub planes: Vec<Vec<u8>>,
    /// The part of the picture.
    pub part: Rect,
    pub factor: usize,
}

impl View {
    /// A part of a picture whose longer side is at most `longest` pixels.
    pub(super) fn of(picture: &Picture, part: Rect, longest: usize) -> Self {
        let factor = part.height.max(part.width).div_ceil(longest).max(1);
        let (height, width) = (part.height.div_ceil(factor), part.width.div_ceil(factor));
        let reduced = |channel: usize| reduce(picture.plane(channel), picture.width, part, factor);
        let mut planes: Vec<_> = (0..picture.channels).map(reduced).collect();
        if planes.len() == 3 && is_gray(&planes) {
            planes = vec![luma(&planes)];
        }
        Self { height, width, planes, part, factor }
    }

    /// The shorter side, in pixels.
    pub(super) fn short(&self) -> usize {
        self.height.min(self.width)
    }

    /// A box of this view as a box of the picture.
    pub(super) fn in_picture(&self, found: Rect) -> Rect {
        let Self { part, factor, .. } = *self;
        Rect {
            left: part.left + found.left * factor,
            top: part.top + found.top * factor,
            width: (found.width * factor).min(part.width - found.left * factor),
            height: (found.height * factor).min(part.height - found.top * factor),
        }
    }

    /// A box of the picture, which lies in this view's part, as a box of this view.
    pub(super) fn of_picture(&self, found: Rect) -> Rect {
        let Self { part, factor, .. } = *self;
        let axis = |start: usize, length: usize, first: usize| {
            let (start, end) = ((start - first) / factor, (start + length - first).div_ceil(factor));
            (start, end - start)
        };
        let (left, width) = axis(found.left, found.width, part.left);
        let (top, height) = axis(found.top, found.height, part.top);
        Rect { left, top, width, height }
    }

    /// The brightness, for people.
    pub(super) fn gray(&self) -> Vec<u8> {
        if self.planes.len() == 3 { luma(&self.planes) } else { self.planes[0].clone() }
    }

    /// Each plane after a binomial blur of 3 x 3 pixels, which takes most of the noise of single pixels.
    pub(super) fn smoothed(&self) -> Vec<Vec<u8>> {
        self.planes.iter().map(|plane| binomial(plane, self.height, self.width)).collect()
    }
}

fn is_gray(planes: &[Vec<u8>]) -> bool {
    let [red, green, blue] = planes else { return true };
    red.iter().zip(green).zip(blue).all(|((r, g), b)| r.abs_diff(*g).max(b.abs_diff(*g)) <= COLOURLESS)
}

fn luma(planes: &[Vec<u8>]) -> Vec<u8> {
    let [red, green, blue] = planes else { return Vec::new() };
    let sum = |((&r, &g), &b): ((&u8, &u8), &u8)| 19595 * u32::from(r) + 38470 * u32::from(g) + 7471 * u32::from(b);
    red.iter().zip(green).zip(blue).map(|pixel| ((sum(pixel) + 0x8000) >> 16) as u8).collect()
}

fn reduce(plane: &[u8], stride: usize, part: Rect, factor: usize) -> Vec<u8> {
    let rows = plane.chunks_exact(stride).skip(part.top).take(part.height);
    let rows: Vec<&[u8]> = rows.map(|row| &row[part.left..][..part.width]).collect();
    if factor == 1 {
        return rows.concat();
    }
    let width = part.width.div_ceil(factor);
    let mut reduced = Vec::with_capacity(part.height.div_ceil(factor) * width);
    let mut sums = vec![0u32; width];
    for rows in rows.chunks(factor) {
        sums.fill(0);
        for row in rows {
            for (sum, square) in sums.iter_mut().zip(row.chunks(factor)) {
                *sum += square.iter().map(|&pixel| u32::from(pixel)).sum::<u32>();
            }
        }
        let wide = |x: usize| factor.min(part.width - x * factor);
        let mean = |(x, &sum): (usize, &u32)| {
            let count = (wide(x) * rows.len()) as u32;
            ((sum + count / 2) / count) as u8
        };
        reduced.extend(sums.iter().enumerate().map(mean));
    }
    reduced
}

/// Weights 1, 2, 1 in both directions; the edge is repeated.
fn binomial(plane: &[u8], height: usize, width: usize) -> Vec<u8> {
    let row = |y: usize| &plane[y * width..][..width];
    let mut smooth = Vec::with_capacity(plane.len());
    let mut sums = vec![0u16; width];
    for y in 0..height {
        let (above, middle, below) = (row(y.saturating_sub(1)), row(y), row((y + 1).min(height - 1)));
        for (((sum, &a), &m), &b) in sums.iter_mut().zip(above).zip(middle).zip(below) {
            *sum = u16::from(a) + 2 * u16::from(m) + u16::from(b);
        }
        let at = |x: usize| (sums[x.saturating_sub(1)] + 2 * sums[x] + sums[(x + 1).min(width - 1)] + 8) >> 4;
        smooth.extend((0..width).map(|x| at(x) as u8));
    }
    smooth
}
