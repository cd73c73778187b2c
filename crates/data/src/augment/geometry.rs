//! Geometric changes: flips, padded crops and affine maps.

use serde::{Deserialize, Serialize};

use super::sampling::Sampler;
use crate::picture::Picture;
use crate::random::Draw;

/// Mirrors a picture left to right, in place.
pub fn flip_horizontal(picture: &mut Picture) {
    for row in picture.pixels.chunks_exact_mut(picture.width) {
        row.reverse();
    }
}

/// Mirrors a picture top to bottom, in place.
pub fn flip_vertical(picture: &mut Picture) {
    let (height, width) = (picture.height, picture.width);
    for plane in picture.pixels.chunks_exact_mut(height * width) {
        let (upper, lower) = plane.split_at_mut(height / 2 * width);
        for (row, mirror) in upper.chunks_exact_mut(width).zip(lower.chunks_exact_mut(width).rev()) {
            row.swap_with_slice(mirror);
        }
    }
}

/// Pads a picture with `padding` pixels of `fill` on all sides and cuts out its original size at (`top`, `left`):
/// torchvision's `RandomCrop(size, padding)` for an image of that size.
///
/// `top` and `left` range from 0 to `2 * padding`; larger values are clamped. If both equal `padding`, the picture does not
/// change.
pub fn crop_padded(picture: &Picture, padding: usize, top: usize, left: usize, fill: u8) -> Picture {
    let (height, width) = (picture.height, picture.width);
    let rows = Overlap::new(height, padding, top);
    let columns = Overlap::new(width, padding, left);
    let mut output = Picture { pixels: vec![fill; picture.pixels.len()], ..*picture };
    let planes = output.pixels.chunks_exact_mut(height * width).zip(picture.pixels.chunks_exact(height * width));
    for (to, from) in planes {
        let to = to[rows.to * width..].chunks_exact_mut(width);
        let from = from[rows.from * width..].chunks_exact(width);
        for (to, from) in to.zip(from).take(rows.length) {
            to[columns.to..][..columns.length].copy_from_slice(&from[columns.from..][..columns.length]);
        }
    }
    output
}

/// [`crop_padded`] at a random position; all `(2 * padding + 1)²` are equally likely.
pub fn random_crop_padded(picture: &Picture, padding: usize, fill: u8, draw: &mut Draw) -> Picture {
    let places = padding.saturating_mul(2).saturating_add(1);
    let (top, left) = (draw.below(places), draw.below(places));
    crop_padded(picture, padding, top, left, fill)
}

/// One axis of a shifted copy: `length` pixels, starting at `from`, are copied to `to`.
struct Overlap {
    from: usize,
    to: usize,
    length: usize,
}

impl Overlap {
    fn new(length: usize, padding: usize, start: usize) -> Self {
        let start = start.min(padding.saturating_mul(2));
        let from = start.saturating_sub(padding).min(length);
        let to = padding.saturating_sub(start).min(length);
        Self { from, to, length: length - from.max(to) }
    }
}

/// A rotation, translation, scaling and shear about the picture's centre, with the parameters of torchvision's `F.affine`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Affine {
    /// Rotation in degrees, clockwise.
    pub angle: f64,
    /// Translation in pixels, to the right and down.
    pub translate: (f64, f64),
    /// Scale factor, above 0; 1 keeps the size.
    pub scale: f64,
    /// Shear in degrees, along x and along y. A positive x moves the lower half to the left, a positive y the right half up.
    pub shear: (f64, f64),
}

impl Affine {
    /// The map that changes nothing.
    pub const IDENTITY: Self = Self { angle: 0.0, translate: (0.0, 0.0), scale: 1.0, shear: (0.0, 0.0) };

    /// The map from an output position to its input position: `[a, b, c, d, e, f]` for (a x + b y + c, d x + e y + f).
    ///
    /// Both are measured in pixels from the picture's centre, and so is `pivot`, the fixed point of rotation, scaling and
    /// shear. The forward map, as in torchvision, is
    /// translate · pivot · rotate(angle) · scale · shear_y · shear_x · pivot⁻¹, where the shears have -tan(degrees)
    /// off the diagonal.
    pub(super) fn inverse(&self, pivot: (f64, f64)) -> [f64; 6] {
        let (sin, cos) = self.angle.to_radians().sin_cos();
        let (shear_x, shear_y) = (self.shear.0.to_radians().tan(), self.shear.1.to_radians().tan());
        // Columns of rotate · shear_y · shear_x; the determinant is 1.
        let (xx, yx) = (cos + sin * shear_y, sin - cos * shear_y);
        let (xy, yy) = (-sin - xx * shear_x, cos - yx * shear_x);
        let [a, b, d, e] = [yy, -xy, -yx, xx].map(|entry| entry / self.scale);
        let (x, y) = (pivot.0 + self.translate.0, pivot.1 + self.translate.1);
        [a, b, pivot.0 - a * x - b * y, d, e, pivot.1 - d * x - e * y]
    }
}

impl Default for Affine {
    fn default() -> Self {
        Self::IDENTITY
    }
}

/// Applies an affine map to a picture, with bilinear sampling. Pixels from outside the picture are `fill`.
///
/// The size does not change. Agrees with torchvision's `v2.functional.affine` (bilinear, `fill` given) on byte tensors to
/// within one grey level. A map that is not finite (such as a scale of 0) yields a picture of `fill`.
pub fn affine(picture: &Picture, map: &Affine, fill: u8) -> Picture {
    warp(picture, map.inverse((0.0, 0.0)), fill)
}

/// Samples a picture at the positions given by [`Affine::inverse`].
pub(super) fn warp(picture: &Picture, inverse: [f64; 6], fill: u8) -> Picture {
    let [a, b, c, d, e, f] = inverse;
    let (middle_x, middle_y) = ((picture.width as f64 - 1.0) / 2.0, (picture.height as f64 - 1.0) / 2.0);
    let mut sampler = Sampler::new(picture, fill);
    for row in 0..picture.height {
        let y = row as f64 - middle_y;
        let x = (b * y + c + middle_x - a * middle_x, a);
        let y = (e * y + f + middle_y - d * middle_x, d);
        sampler.sample_line(row, x, y);
    }
    sampler.into_picture()
}

/// The ranges of torchvision's `RandomAffine`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomAffine {
    /// The angle is drawn from -degrees to degrees.
    pub degrees: f64,
    /// The largest translation, as shares of the width and of the height; whole pixels are drawn.
    pub translate: (f64, f64),
    /// The smallest and largest scale.
    pub scale: (f64, f64),
    /// The shears along x and along y are drawn from -shear to shear, in degrees.
    pub shear: (f64, f64),
}

impl RandomAffine {
    /// Draws a map for pictures of `height` x `width`.
    pub fn draw(&self, height: usize, width: usize, draw: &mut Draw) -> Affine {
        let angle = draw.between(-self.degrees, self.degrees);
        let (far_x, far_y) = (self.translate.0 * width as f64, self.translate.1 * height as f64);
        let translate = (draw.between(-far_x, far_x).round_ties_even(), draw.between(-far_y, far_y).round_ties_even());
        let scale = draw.between(self.scale.0, self.scale.1);
        let shear = (draw.between(-self.shear.0, self.shear.0), draw.between(-self.shear.1, self.shear.1));
        Affine { angle, translate, scale, shear }
    }

    /// Applies [`affine`] with a random map.
    pub fn apply(&self, picture: &Picture, fill: u8, draw: &mut Draw) -> Picture {
        affine(picture, &self.draw(picture.height, picture.width, draw), fill)
    }
}
