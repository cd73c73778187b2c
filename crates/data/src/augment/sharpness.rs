//! Sharpening and smoothing.

use super::rounding::truncated;
use crate::picture::Picture;

/// Scales each pixel's distance from the weighted mean of its surroundings, in place: 0 gives a smoothed picture, 1 leaves it
/// unchanged. torchvision's `adjust_sharpness`.
///
/// The mean is that of 3 x 3 pixels, of which the middle one counts five times. Pixels on the border do not change.
pub fn adjust_sharpness(picture: &mut Picture, factor: f64) {
    let (height, width) = (picture.height, picture.width);
    if height < 3 || width < 3 {
        return;
    }
    let rest = (1.0 - factor) as f32;
    for plane in picture.pixels.chunks_exact_mut(height * width) {
        let original = plane.to_vec();
        for row in 1..height - 1 {
            let rows = [row - 1, row, row + 1].map(|row| &original[row * width..][..width]);
            sharpen_row(rows, rest, &mut plane[row * width + 1..][..width - 2]);
        }
    }
}

/// Sharpens a row without its ends, given the row above, the row itself, and the row below.
fn sharpen_row([above, same, below]: [&[u8]; 3], rest: f32, output: &mut [u8]) {
    let inner = output.len();
    let columns = |column: usize| {
        let (above, same, below) = (&above[column..][..inner], &same[column..][..inner], &below[column..][..inner]);
        above.iter().zip(same).zip(below).map(|((&above, &same), &below)| [above, same, below].map(u16::from))
    };
    for (((left, middle), right), output) in columns(0).zip(columns(1)).zip(columns(2)).zip(output) {
        let sum = left.iter().chain(&middle).chain(&right).sum::<u16>() + 4 * middle[1];
        // A thirteenth is never halfway between two integers.
        let mean = (sum + 6) / 13;
        let value = f32::from(middle[1]);
        *output = truncated(value + rest * (f32::from(mean) - value));
    }
}
