//! Changes that map each byte of a plane to another, independently of its surroundings.

use crate::picture::Picture;

/// Replaces each byte by a function of it, clamped to 0 to 255.
pub(super) fn map(pixels: &mut [u8], function: impl Fn(u8) -> f32) {
    let table = std::array::from_fn(|value| function(value as u8).clamp(0.0, 255.0) as u8);
    look_up(pixels, &table);
}

fn look_up(pixels: &mut [u8], table: &[u8; 256]) {
    for pixel in pixels {
        *pixel = table[usize::from(*pixel)];
    }
}

/// Keeps the highest `bits` bits of each byte, in place; 8 or more change nothing. torchvision's `posterize`.
pub fn posterize(picture: &mut Picture, bits: u32) {
    let mask = !(0xff_u32 >> bits.min(8)) as u8;
    for pixel in &mut picture.pixels {
        *pixel &= mask;
    }
}

/// Inverts bytes of at least `threshold`, in place. torchvision's `solarize`.
pub fn solarize(picture: &mut Picture, threshold: f64) {
    let first = threshold.ceil().clamp(0.0, 256.0) as u16;
    for pixel in &mut picture.pixels {
        *pixel = if u16::from(*pixel) >= first { !*pixel } else { *pixel };
    }
}

/// Stretches each channel to the full range from 0 to 255, in place; a constant channel does not change. torchvision's
/// `autocontrast`.
pub fn autocontrast(picture: &mut Picture) {
    let size = picture.height * picture.width;
    for plane in picture.pixels.chunks_exact_mut(size) {
        let (low, high) = plane.iter().fold((255, 0), |(low, high): (u8, u8), &x| (low.min(x), high.max(x)));
        if low < high {
            let scale = f32::from(high - low) * (1.0 / 255.0);
            map(plane, |value| (f32::from(value) - f32::from(low)) / scale);
        }
    }
}

/// Equalises the histogram of each channel, in place. torchvision's and Pillow's `equalize`; a channel too small or too
/// uniform for that does not change.
pub fn equalize(picture: &mut Picture) {
    let size = picture.height * picture.width;
    for plane in picture.pixels.chunks_exact_mut(size) {
        let mut histogram = [0usize; 256];
        for &pixel in &*plane {
            histogram[usize::from(pixel)] += 1;
        }
        let highest = histogram.iter().rev().find(|&&count| count > 0).copied().unwrap_or(0);
        let step = (size - highest) / 255;
        if step == 0 {
            continue;
        }
        let mut below = step / 2;
        let table = histogram.map(|count| {
            let level = (below / step).min(255) as u8;
            below += count;
            level
        });
        look_up(plane, &table);
    }
}
