//! Bilinear sampling of a picture at given positions, which affine maps and elastic deformation have in common.
//!
//! As in PyTorch's `grid_sample` with zero padding, a position within one pixel of the border mixes the picture with zeros.
//! torchvision then blends in the fill colour according to the share of the four neighbours that lies inside, so that the
//! picture is attenuated twice at the border; this is reproduced for the sake of equal results.
//!
//! A row is processed in steps over all its pixels. Except for the one that gathers pixels, each is simple enough for
//! vector instructions.

use super::rounding::{floor, integer, rounded};
use crate::picture::Picture;

/// Samples one picture into another of the same size, row by row.
pub(super) struct Sampler {
    fill: u8,
    /// The picture padded with zeros: one row above and one column to the left, two below and to the right, so that every
    /// clamped position has four neighbours.
    padded: Vec<u8>,
    output: Picture,
    x: Axis,
    y: Axis,
    /// For each pixel of a row, the upper two of its four neighbours, with the left one in the low byte; then the lower two.
    upper: Vec<u16>,
    lower: Vec<u16>,
}

/// The positions of a row of pixels along one axis.
struct Axis {
    /// The position in pixels; after `locate`, its distance from the preceding neighbour, below 1.
    place: Vec<f32>,
    /// The index of the preceding neighbour in the padded picture.
    cell: Vec<u32>,
    /// The weight of those of the two neighbours that lie inside the picture.
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
        let (x, y) = (Axis::new(width), Axis::new(width));
        Self { fill, padded, output, x, y, upper: vec![0; width], lower: vec![0; width] }
    }

    /// Samples output row `row` along a line: pixel `i` at column `x.0 + i * x.1` and row `y.0 + i * y.1`. If the line is not
    /// finite, the row keeps the fill colour.
    pub(super) fn sample_line(&mut self, row: usize, x: (f64, f64), y: (f64, f64)) {
        let [start_x, step_x, start_y, step_y] = [x.0, x.1, y.0, y.1].map(|number| number as f32);
        if (start_x + step_x + start_y + step_y).is_finite() {
            run(&mut self.x.place, start_x, step_x);
            run(&mut self.y.place, start_y, step_y);
            self.sample(row);
        }
    }

    /// Samples output row `row` at its own pixels, each displaced by `strength` times (`x`, `y`) pixels.
    pub(super) fn sample_displaced(&mut self, row: usize, x: &[f32], y: &[f32], strength: f32) {
        run(&mut self.x.place, 0.0, 1.0);
        add(&mut self.x.place, x, strength);
        self.y.place.fill(row as f32);
        add(&mut self.y.place, y, strength);
        self.sample(row);
    }

    /// Samples output row `row` at the positions in `x` and `y`.
    fn sample(&mut self, row: usize) {
        let (height, width) = (self.output.height, self.output.width);
        let stride = width + 3;
        self.x.locate(width);
        self.y.locate(height);
        multiply(&mut self.x.inside, &self.y.inside);
        let planes = self.output.pixels.chunks_exact_mut(height * width);
        for (output, padded) in planes.zip(self.padded.chunks_exact(stride * (height + 3))) {
            pick(padded, stride, &self.x.cell, &self.y.cell, &mut self.upper, &mut self.lower);
            let output = &mut output[row * width..][..width];
            blend(&self.upper, &self.lower, &self.x.place, &self.y.place, &self.x.inside, self.fill, output);
        }
    }

    pub(super) fn into_picture(self) -> Picture {
        self.output
    }
}

impl Axis {
    fn new(count: usize) -> Self {
        Self { place: vec![0.0; count], cell: vec![0; count], inside: vec![0.0; count] }
    }

    fn locate(&mut self, length: usize) {
        locate(&mut self.place, &mut self.cell, &mut self.inside, length as f32);
    }
}

// The loops are separate functions, because only then does the compiler know that the slices do not overlap.

fn run(places: &mut [f32], start: f32, step: f32) {
    for (place, i) in places.iter_mut().zip(0i32..) {
        *place = start + i as f32 * step;
    }
}

fn add(sum: &mut [f32], values: &[f32], weight: f32) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += weight * value;
    }
}

fn multiply(product: &mut [f32], values: &[f32]) {
    for (product, value) in product.iter_mut().zip(values) {
        *product *= value;
    }
}

fn locate(places: &mut [f32], cells: &mut [u32], inside: &mut [f32], length: f32) {
    for ((place, cell), inside) in places.iter_mut().zip(cells).zip(inside) {
        let clamped = (*place + 1.0).max(0.0).min(length + 1.0);
        let whole = floor(clamped);
        *cell = integer(whole);
        *inside = clamped.min(length + 1.0 - clamped).min(1.0);
        *place = clamped - whole;
    }
}

fn pick(padded: &[u8], stride: usize, x: &[u32], y: &[u32], upper: &mut [u16], lower: &mut [u16]) {
    for (((&x, &y), upper), lower) in x.iter().zip(y).zip(upper).zip(lower) {
        let corner = &padded[y as usize * stride + x as usize..][..stride + 2];
        *upper = u16::from_le_bytes([corner[0], corner[1]]);
        *lower = u16::from_le_bytes([corner[stride], corner[stride + 1]]);
    }
}

fn blend(upper: &[u16], lower: &[u16], right: &[f32], down: &[f32], inside: &[f32], fill: u8, output: &mut [u8]) {
    let fill = f32::from(fill);
    let mix = |pair: u16, right: f32| {
        let (near, far) = (f32::from(pair & 0xff), f32::from(pair >> 8));
        near + (far - near) * right
    };
    let weights = right.iter().zip(down).zip(inside);
    for (((&upper, &lower), ((&right, &down), &inside)), output) in upper.iter().zip(lower).zip(weights).zip(output) {
        let (upper, lower) = (mix(upper, right), mix(lower, right));
        let value = upper + (lower - upper) * down;
        *output = rounded((value - fill) * inside + fill);
    }
}
