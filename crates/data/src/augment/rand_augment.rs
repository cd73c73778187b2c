//! RandAugment: a few random operations out of fourteen, all with the same magnitude.
//!
//! Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced search space", 2019, with the
//! operations and magnitudes of torchvision's `RandAugment`. Geometric operations sample bilinearly, as in torchvision's
//! training recipes.

use serde::{Deserialize, Serialize};

use super::colour::{adjust_brightness, adjust_contrast, adjust_saturation};
use super::geometry::{Affine, warp};
use super::sharpness::adjust_sharpness;
use super::tone::{autocontrast, equalize, posterize, solarize};
use crate::picture::Picture;
use crate::random::Draw;

/// How many operations are applied, and how strongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RandAugment {
    /// The number of operations applied to each picture, one after the other; they may repeat.
    pub operations: usize,
    /// The magnitude of each, from 0 to 30; larger values are clamped.
    pub magnitude: usize,
}

impl Default for RandAugment {
    fn default() -> Self {
        Self { operations: 2, magnitude: 9 }
    }
}

impl RandAugment {
    /// Applies random operations, in place. Pixels from outside the picture are `fill`.
    pub fn apply(&self, picture: &mut Picture, fill: u8, draw: &mut Draw) {
        for _ in 0..self.operations {
            let operation = Operation::ALL[draw.below(Operation::ALL.len())];
            let reverse = draw.chance(0.5);
            operation.apply(picture, self.magnitude, reverse, fill);
        }
    }
}

/// The operations of RandAugment, by torchvision's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Nothing.
    Identity,
    /// Shifts rows in proportion to their distance from the top, by up to 0.3 of it.
    ShearX,
    /// Shifts columns in proportion to their distance from the left, by up to 0.3 of it.
    ShearY,
    /// Shifts to the right by up to 150/331 of the width, in whole pixels.
    TranslateX,
    /// Shifts down by up to 150/331 of the height, in whole pixels.
    TranslateY,
    /// Rotates counter-clockwise by up to 30 degrees.
    Rotate,
    /// Changes brightness by a factor of up to 1.9.
    Brightness,
    /// Changes saturation by a factor of up to 1.9.
    Color,
    /// Changes contrast by a factor of up to 1.9.
    Contrast,
    /// Changes sharpness by a factor of up to 1.9.
    Sharpness,
    /// Reduces each byte to its highest bits, down to 4.
    Posterize,
    /// Inverts bytes from a threshold upwards; the threshold goes down to 0.
    Solarize,
    /// Stretches each channel to the full range, whatever the magnitude.
    AutoContrast,
    /// Equalises each channel's histogram, whatever the magnitude.
    Equalize,
}

/// The largest magnitude; with 0 there are 31.
const STRONGEST: usize = 30;

impl Operation {
    /// All operations, in torchvision's order.
    pub const ALL: [Self; 14] = [
        Self::Identity,
        Self::ShearX,
        Self::ShearY,
        Self::TranslateX,
        Self::TranslateY,
        Self::Rotate,
        Self::Brightness,
        Self::Color,
        Self::Contrast,
        Self::Sharpness,
        Self::Posterize,
        Self::Solarize,
        Self::AutoContrast,
        Self::Equalize,
    ];

    /// Applies the operation in place, with a magnitude from 0 to 30; larger values are clamped.
    ///
    /// `reverse` negates the amount of operations that have a sign: they move the other way, or by factors down to 0.1.
    pub fn apply(self, picture: &mut Picture, magnitude: usize, reverse: bool, fill: u8) {
        let (height, width) = (picture.height as f64, picture.width as f64);
        let sign = if reverse { -1.0 } else { 1.0 };
        let amount = |strongest: f64| sign * linspace(0.0, strongest, magnitude);
        let shift = |side: f64| amount(150.0 / 331.0 * side).trunc();
        let corner = (-width / 2.0, -height / 2.0);
        let mut moved = |map: Affine, pivot| *picture = warp(picture, map.inverse(pivot), fill);
        match self {
            Self::Identity => {}
            Self::ShearX => moved(Affine { shear: (degrees(amount(0.3)), 0.0), ..Affine::IDENTITY }, corner),
            Self::ShearY => moved(Affine { shear: (0.0, degrees(amount(0.3))), ..Affine::IDENTITY }, corner),
            Self::TranslateX => moved(Affine { translate: (shift(width), 0.0), ..Affine::IDENTITY }, (0.0, 0.0)),
            Self::TranslateY => moved(Affine { translate: (0.0, shift(height)), ..Affine::IDENTITY }, (0.0, 0.0)),
            Self::Rotate => moved(Affine { angle: -amount(30.0), ..Affine::IDENTITY }, (0.0, 0.0)),
            Self::Brightness => adjust_brightness(picture, 1.0 + amount(0.9)),
            Self::Color => adjust_saturation(picture, 1.0 + amount(0.9)),
            Self::Contrast => adjust_contrast(picture, 1.0 + amount(0.9)),
            Self::Sharpness => adjust_sharpness(picture, 1.0 + amount(0.9)),
            Self::Posterize => posterize(picture, bits(magnitude)),
            Self::Solarize => solarize(picture, threshold(magnitude)),
            Self::AutoContrast => autocontrast(picture),
            Self::Equalize => equalize(picture),
        }
    }
}

/// The angle whose tangent is the shear's slope.
fn degrees(slope: f64) -> f64 {
    slope.atan().to_degrees()
}

/// Step `magnitude` of 30 from `start` to `end`, computed from the nearer end, as a 32-bit float.
///
/// In the first half the product is rounded separately, in the second half together with the difference. This reproduces
/// PyTorch's numbers to the last bit, on which a threshold, or whether a result is 203 or 204, can depend.
fn linspace(start: f64, end: f64, magnitude: usize) -> f64 {
    let (start, end) = (start as f32, end as f32);
    let step = (end - start) / STRONGEST as f32;
    let magnitude = magnitude.min(STRONGEST);
    let value = if magnitude < STRONGEST / 2 {
        start + step * magnitude as f32
    } else {
        (f64::from(end) - f64::from(step) * (STRONGEST - magnitude) as f64) as f32
    };
    f64::from(value)
}

/// The bits kept by posterising: from 8 down to 4.
fn bits(magnitude: usize) -> u32 {
    8 - (magnitude.min(STRONGEST) as f64 / 7.5).round_ties_even() as u32
}

/// The threshold of solarising: from 255 down to 0, rounded to a 32-bit float.
fn threshold(magnitude: usize) -> f64 {
    f64::from((255.0 * linspace(1.0, 0.0, magnitude)) as f32)
}
