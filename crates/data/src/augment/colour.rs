//! Brightness, contrast, saturation and hue.
//!
//! The arithmetic is torchvision's for byte tensors: 32-bit floats, grey as 0.2989 R + 0.587 G + 0.114 B rounded down, and
//! results truncated to bytes rather than rounded.

use serde::{Deserialize, Serialize};

use super::rounding::{floor, integer, truncated};
use super::tone::map;
use crate::picture::Picture;
use crate::random::Draw;

/// Multiplies all values by `factor`, in place: 0 gives black, 1 leaves the picture unchanged. torchvision's
/// `adjust_brightness`.
pub fn adjust_brightness(picture: &mut Picture, factor: f64) {
    let factor = factor as f32;
    map(&mut picture.pixels, |value| f32::from(value) * factor);
}

/// Scales the distance of all values from the mean grey, in place: 0 gives a uniform grey, 1 leaves the picture unchanged.
/// torchvision's `adjust_contrast`.
pub fn adjust_contrast(picture: &mut Picture, factor: f64) {
    let mean = mean_grey(picture);
    let (factor, rest) = (factor as f32, (1.0 - factor) as f32 * mean);
    map(&mut picture.pixels, |value| f32::from(value) * factor + rest);
}

/// Scales the distance of each pixel from its own grey, in place: 0 gives a grey picture, 1 leaves it unchanged.
/// torchvision's `adjust_saturation`. Grey pictures do not change.
pub fn adjust_saturation(picture: &mut Picture, factor: f64) {
    let (factor, rest) = (factor as f32, (1.0 - factor) as f32);
    map_pixels(picture, |pixel| {
        let grey = rest * grey(pixel);
        pixel.map(|value| truncated(f32::from(value) * factor + grey))
    });
}

/// Rotates the colour wheel, in place: 0 and 1 leave the picture unchanged, 0.5 gives the opposite colours. torchvision's
/// `adjust_hue`. Grey pictures do not change.
pub fn adjust_hue(picture: &mut Picture, turn: f64) {
    let turn = (turn.rem_euclid(1.0) * 6.0) as f32;
    map_pixels(picture, |pixel| turned(pixel, turn));
}

/// Replaces each pixel of an RGB picture by a function of it.
fn map_pixels(picture: &mut Picture, function: impl Fn([u8; 3]) -> [u8; 3]) {
    if picture.channels == 3 {
        let (red, rest) = picture.pixels.split_at_mut(picture.height * picture.width);
        let (green, blue) = rest.split_at_mut(picture.height * picture.width);
        map_planes(red, green, blue, function);
    }
}

// A separate function, because only then does the compiler know that the planes do not overlap.
fn map_planes(red: &mut [u8], green: &mut [u8], blue: &mut [u8], function: impl Fn([u8; 3]) -> [u8; 3]) {
    for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
        [*red, *green, *blue] = function([*red, *green, *blue]);
    }
}

/// A pixel with its hue shifted by `turn` sixths of the colour wheel, from 0 to 6.
#[inline]
fn turned([red, green, blue]: [u8; 3], turn: f32) -> [u8; 3] {
    // torchvision converts to values from 0 to 1, and back to bytes by this factor.
    const SCALE: f32 = 255.999 / 255.0;
    let [r, g, b] = [red, green, blue].map(f32::from);
    let value = r.max(g).max(b);
    let range = value - r.min(g).min(b);
    let (start, difference) = if value == r {
        (6.0, g - b)
    } else if value == g {
        (2.0, b - r)
    } else {
        (4.0, r - g)
    };
    let hue = start + difference / range.max(1.0) + turn;
    // Around the wheel each channel is lowest for two sixths, highest for two, and in transition for one sixth each way.
    let channel = |offset: f32| {
        let place = hue + offset;
        let place = place - if place >= 12.0 { 12.0 } else { 0.0 };
        let place = place - if place >= 6.0 { 6.0 } else { 0.0 };
        let low = place.min(4.0 - place).clamp(0.0, 1.0);
        truncated((value - range * low) * SCALE)
    };
    [channel(5.0), channel(3.0), channel(1.0)]
}

#[inline]
fn grey(pixel: [u8; 3]) -> f32 {
    let [red, green, blue] = pixel.map(f32::from);
    floor(red * 0.2989 + green * 0.587 + blue * 0.114)
}

/// The mean grey of a picture.
fn mean_grey(picture: &Picture) -> f32 {
    let lines = |channel: usize| picture.plane(channel).chunks_exact(picture.width);
    let sum: u64 = if picture.channels == 3 {
        lines(0).zip(lines(1)).zip(lines(2)).map(|((red, green), blue)| sum_of_grey(red, green, blue)).sum()
    } else {
        lines(0).flatten().map(|&value| u64::from(value)).sum()
    };
    (sum as f64 / (picture.height * picture.width) as f64) as f32
}

fn sum_of_grey(red: &[u8], green: &[u8], blue: &[u8]) -> u64 {
    let pixels = red.iter().zip(green).zip(blue);
    u64::from(pixels.map(|((&red, &green), &blue)| integer(grey([red, green, blue]))).fold(0, u32::wrapping_add))
}

/// The ranges of torchvision's `ColorJitter`; 0 leaves a property unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ColourJitter {
    /// The factor is drawn from max(0, 1 - brightness) to 1 + brightness.
    pub brightness: f64,
    /// As for brightness.
    pub contrast: f64,
    /// As for brightness; has no effect on grey pictures.
    pub saturation: f64,
    /// The rotation of the colour wheel is drawn from -hue to hue, at most 0.5; has no effect on grey pictures.
    pub hue: f64,
}

impl ColourJitter {
    /// Applies the four adjustments in a random order, in place.
    pub fn apply(&self, picture: &mut Picture, draw: &mut Draw) {
        let mut order = [0, 1, 2, 3];
        for last in (1..order.len()).rev() {
            order.swap(last, draw.below(last + 1));
        }
        let [brightness, contrast, saturation] =
            [self.brightness, self.contrast, self.saturation].map(|x| draw.between((1.0 - x).max(0.0), 1.0 + x));
        let hue = draw.between(-self.hue, self.hue);
        for adjustment in order {
            match adjustment {
                0 if self.brightness > 0.0 => adjust_brightness(picture, brightness),
                1 if self.contrast > 0.0 => adjust_contrast(picture, contrast),
                2 if self.saturation > 0.0 => adjust_saturation(picture, saturation),
                3 if self.hue > 0.0 => adjust_hue(picture, hue),
                _ => {}
            }
        }
    }
}
