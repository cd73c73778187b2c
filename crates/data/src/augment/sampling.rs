//! Bilinear sampling of a picture at given places: what affine maps and elastic deformation have in common.
//!
//! As in PyTorch's `grid_sample` with zero padding, a place within one pixel of the border mixes the picture with
//! zeros. torchvision then blends with the fill colour by the share of the four pixels that lie inside; on the border
//! itself the picture is thus weakened twice, which is kept for equality.

use crate::picture::Picture;

/// Samples one picture into another of the same size, row by row.
pub(super) struct Sampler {
    fill: f32,
    /// The picture with zeros around it: one row above and one column to the left, two below and to the right, so that
    /// every clamped place has four neighbours.
    padded: Vec<u8>,
    output: Picture,
    line: Line,
}

/// The places of one output row, each of `width`.
struct Line {
    /// Index of the upper left neighbour in a padded plane.
    index: Vec<u32>,
    /// Distance to the upper left neighbour, in pixels, below 1.
    right: Vec<f32>,
    down: Vec<f32>,
    /// Share of the four neighbours, by weight, that lie inside the picture.
    inside: Vec<f32>,
}

impl Sampler {
    pub(super) fn new(picture: &Picture, fill: u8) -> Self {
        let (height, width) = (picture.height, picture.width);
        let stride = width + 3;
        let plane = stride * (height + 3);
        let mut padded = vec![0; plane * picture.channels];
        for (to, from) in padded.chunks_exact_mut(plane).zip(picture.pixels.chunks_exact(height * width)) {
            for (to, from) in to.chunks_exact_mut(stride).skip(1).zip(from.chunks_exact(width)) {
                to[1..=width].copy_from_slice(from);
            }
        }
        let output = Picture { pixels: vec![fill; picture.pixels.len()], ..*picture };
        let line =
            Line { index: vec![0; width], right: vec![0.0; width], down: vec![0.0; width], inside: vec![0.0; width] };
        Self { fill: f32::from(fill), padded, output, line }
    }

    /// Samples the output row `row` along a line: pixel `i` at column `x.0 + i * x.1` and row `y.0 + i * y.1`. A line
    /// that is not finite is left as it was: the fill colour.
    pub(super) fn sample_line(&mut self, row: usize, x: (f64, f64), y: (f64, f64)) {
        let [start_x, step_x, start_y, step_y] = [x.0, x.1, y.0, y.1].map(|number| number as f32);
        if !(start_x + step_x + start_y + step_y).is_finite() {
            return;
        }
        let places = (0..self.output.width as u32).map(|i| {
            let i = i as f32;
            (start_x + i * step_x, start_y + i * step_y)
        });
        self.line.locate(places, self.output.height, self.output.width);
        self.gather(row);
    }

    /// Fills the output row `row` from the located places.
    fn gather(&mut self, row: usize) {
        let (height, width) = (self.output.height, self.output.width);
        let stride = width + 3;
        let planes = self.output.pixels.chunks_exact_mut(height * width);
        for (output, padded) in planes.zip(self.padded.chunks_exact(stride * (height + 3))) {
            let output = &mut output[row * width..][..width];
            self.line.blend(padded, stride, self.fill, output);
        }
    }

    pub(super) fn into_picture(self) -> Picture {
        self.output
    }
}

impl Line {
    #[inline]
    fn locate(&mut self, places: impl Iterator<Item = (f32, f32)>, height: usize, width: usize) {
        let (stride, height, width) = (width as u32 + 3, height as f32, width as f32);
        let weights = self.right.iter_mut().zip(&mut self.down);
        let outputs = self.index.iter_mut().zip(weights).zip(&mut self.inside);
        for ((x, y), ((index, (right, down)), inside)) in places.zip(outputs) {
            let (x, y) = (Place::new(x, width), Place::new(y, height));
            *index = y.cell * stride + x.cell;
            (*right, *down, *inside) = (x.fraction, y.fraction, x.inside * y.inside);
        }
    }

    fn blend(&self, padded: &[u8], stride: usize, fill: f32, output: &mut [u8]) {
        let weights = self.right.iter().zip(&self.down).zip(&self.inside);
        for ((output, &index), ((&right, &down), &inside)) in output.iter_mut().zip(&self.index).zip(weights) {
            let corner = &padded[index as usize..][..stride + 2];
            let mix = |left: u8, other: u8| f32::from(left) + (f32::from(other) - f32::from(left)) * right;
            let (upper, lower) = (mix(corner[0], corner[1]), mix(corner[stride], corner[stride + 1]));
            let value = upper + (lower - upper) * down;
            *output = rounded((value - fill) * inside + fill);
        }
    }
}

/// A place along one axis.
struct Place {
    /// The neighbour to the left, counted from the padding on.
    cell: u32,
    fraction: f32,
    inside: f32,
}

impl Place {
    #[inline]
    fn new(position: f32, length: f32) -> Self {
        let position = (position + 1.0).max(0.0).min(length + 1.0);
        let cell = position as i32;
        let inside = position.min(length + 1.0 - position).min(1.0);
        Self { cell: cell as u32, fraction: position - cell as f32, inside }
    }
}

/// The nearest byte to a value from 0 to 255; halves go to the even one, as in PyTorch.
///
/// 2^23 has no room for fraction bits: adding it rounds, and leaves the integer in the low bits.
#[inline]
pub(super) fn rounded(value: f32) -> u8 {
    (value + 8_388_608.0).to_bits() as u8
}
