//! MNIST's last steps: scale to the box, stretch the brightness, move the centre of mass to the middle.

use super::contrast::dilate;
use super::strokes::Strokes;
use crate::picture::Rect;
use crate::picture::resample::{Filter, Span, resample, shrink};

/// Strokes narrower than this are widened, and to what, in pixels of the output.
const TOO_FINE: f32 = 1.0;
const FINE: f32 = 1.8;

/// The strokes on `height` x `width` pixels.
pub(super) fn place(strokes: &Strokes, height: usize, width: usize) -> Vec<u8> {
    // 20 of 28, as in MNIST.
    let side = (height.min(width) * 20 + 14) / 28;
    let Rect { width: wide, height: tall, .. } = strokes.region;
    let long = wide.max(tall);
    let scaled = |length: usize| ((length * side + long / 2) / long).max(1);
    let (rows, columns) = (scaled(tall), scaled(wide));
    let pixels = thickened(strokes, side);
    let mut small = if rows <= tall && columns <= wide {
        shrink(&pixels, tall, wide, rows, columns)
    } else {
        resample(&pixels, tall, wide, Span::whole(rows), Span::whole(columns), Filter::Bilinear)
    };
    stretch(&mut small);

    let mass = |position: fn(usize, usize) -> usize| {
        let (weighted, total) = small.iter().enumerate().fold((0u64, 0u64), |(weighted, total), (at, &pixel)| {
            (weighted + position(at, columns) as u64 * u64::from(pixel), total + u64::from(pixel))
        });
        weighted as f64 / total.max(1) as f64
    };
    // Shifts are by whole pixels, as in MNIST, since fractions would blur. Ink stays inside even if its mass is at one end.
    let start = |middle: usize, mass: f64, free: usize| ((middle as f64 - mass).round().max(0.0) as usize).min(free);
    let top = start(height / 2, mass(|at, columns| at / columns), height - rows);
    let left = start(width / 2, mass(|at, columns| at % columns), width - columns);
    let mut output = vec![0; height * width];
    for (row, line) in small.chunks_exact(columns).zip(output.chunks_exact_mut(width).skip(top)) {
        line[left..left + columns].copy_from_slice(row);
    }
    output
}

/// The strokes' pixels, of a fine pen's widened to what MNIST has at least: [`FINE`] of the `side` pixels that they will fill.
fn thickened(strokes: &Strokes, side: usize) -> Vec<u8> {
    let Rect { width, height, .. } = strokes.region;
    let pixel = width.max(height) as f32 / side as f32;
    let missing = FINE * pixel - strokes.width;
    if strokes.width >= TOO_FINE * pixel || missing < 2.0 {
        return strokes.pixels.clone();
    }
    dilate(&strokes.pixels, height, width, missing as usize | 1)
}

/// Scales brightness so that the core of a stroke reaches 255. Otherwise strokes thinner than an output pixel would be grey,
/// unlike anything in MNIST.
///
/// The core is the 90th percentile of the pixels brighter than a quarter of the maximum. The maximum itself will not do,
/// because crossings are brighter than lines.
fn stretch(pixels: &mut [u8]) {
    let brightest = pixels.iter().copied().max().unwrap_or(0);
    let mut ink: Vec<u8> = pixels.iter().copied().filter(|&pixel| pixel > brightest / 4).collect();
    if ink.is_empty() {
        return;
    }
    let at = (ink.len() - 1) * 9 / 10;
    let core = u32::from(*ink.select_nth_unstable(at).1);
    for pixel in pixels {
        *pixel = ((u32::from(*pixel) * 255 + core / 2) / core).min(255) as u8;
    }
}
