//! Finding a digit anywhere in a picture and bringing it to MNIST's form.
//!
//! A network trained on MNIST has only ever seen light ink on black, 20 pixels tall or wide, with its centre of mass in the
//! middle of 28 x 28 pixels. Photographs and scans look different. This module removes the difference by the steps with
//! which MNIST itself was made (LeCun et al., "The MNIST database", on normalisation):
//!
//! ```text
//! grey [h, w] -> brightness and noise of the paper, whether ink is lighter or darker (background)
//!             -> strength of the ink at each pixel, 0 = paper                        (background)
//!             -> connected strokes, specks dropped, bounding box                     (strokes)
//!             -> longer side 20 pixels, antialiased, stretched so that ink reaches 255
//!             -> centre of mass on pixel (14, 14) of 28 x 28, without cutting off ink
//! ```
//!
//! For sizes other than 28, the 20 and the 14 are scaled. A picture is taken to show one digit; several count as one shape.

use crate::picture::resample::{Filter, Span, resample, shrink};
use crate::picture::{Picture, Rect};

mod background;
mod strokes;

use background::Background;
pub use background::Ink;
use strokes::Strokes;

/// The longest side of the reduced picture in which ink is searched for, in pixels.
const SEARCH_SIDE: usize = 1024;

/// If the ink is smaller than this in the reduced picture, it is searched for again at full resolution; in pixels.
const ENOUGH_DETAIL: usize = 64;

/// The brightest ground of light ink that counts as clean, in grey levels.
const CLEAN_BLACK: f32 = 8.0;

/// The result of [`read`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digit {
    /// `[height, width]` of the requested size: light ink on black. All zero if there is no ink.
    pub pixels: Vec<u8>,
    /// What the ink looked like in the picture; `None` if the picture is blank.
    pub ink: Option<Ink>,
    /// The ink's bounding box in the picture; the whole picture if it is blank.
    pub region: Rect,
}

/// Finds the digit in a picture and brings it to MNIST's form on `height` x `width` pixels.
///
/// `known` says what the ink looks like. Without it, the picture's border is taken for the ground, and whatever stands out
/// from it for ink.
///
/// # Panics
/// If the picture is not [consistent](Picture::is_consistent).
pub fn read(picture: &Picture, height: usize, width: usize, known: Option<Ink>) -> Digit {
    assert!(picture.is_consistent(), "{} bytes are not a picture", picture.pixels.len());
    let picture = picture.to_gray();
    let Some((strokes, ink, region)) = search(&picture, known) else {
        return Digit { pixels: vec![0; height * width], ink: None, region: Rect::whole(&picture) };
    };
    Digit { pixels: place(&strokes, height, width), ink: Some(ink), region }
}

/// Whether a picture's ink is light or dark; `None` if the picture is blank.
///
/// # Panics
/// If the picture is not [consistent](Picture::is_consistent).
pub fn ink(picture: &Picture) -> Option<Ink> {
    let gray = picture.to_gray();
    let (small, _) = reduced(&gray);
    let small = small.as_ref().unwrap_or(&gray);
    Background::of(&small.pixels, small.height, small.width).ink(&small.pixels, small.width)
}

/// Takes a picture that already looks like MNIST's (a clean dark ground, or a clean light one, which is inverted), leaving
/// its pixels in place; `None` if it needs [`read`]. The caller checks the size.
pub(crate) fn already_placed(gray: &Picture, known: Option<Ink>) -> Option<Digit> {
    let background = Background::of(&gray.pixels, gray.height, gray.width);
    let found = background.ink(&gray.pixels, gray.width);
    let ink = known.or(found).unwrap_or(Ink::Light);
    let (ground, pixels) = match ink {
        Ink::Light => (background.level(), gray.pixels.clone()),
        Ink::Dark => (255.0 - background.level(), gray.pixels.iter().map(|pixel| 255 - pixel).collect()),
    };
    let region = Rect::whole(gray);
    (ground <= CLEAN_BLACK).then_some(Digit { pixels, ink: found.and(Some(ink)), region })
}

/// The strokes, whether their ink is light or dark, and where they are in the picture.
fn search(gray: &Picture, known: Option<Ink>) -> Option<(Strokes, Ink, Rect)> {
    let (small, factor) = reduced(gray);
    let small = small.as_ref().unwrap_or(gray);
    let background = Background::of(&small.pixels, small.height, small.width);
    let ink = known.or_else(|| background.ink(&small.pixels, small.width))?;
    let strength = background.strength(&small.pixels, small.width, ink);
    let strokes = Strokes::find(&strength, small.height, small.width, background.floor())?;
    let found = strokes.region;

    if factor > 1 && found.width.max(found.height) < ENOUGH_DETAIL {
        // A small digit in a large picture: search its surroundings again at full resolution. They shrink with each step,
        // so the recursion ends.
        let around = surroundings(found, factor, gray);
        if let Some((strokes, ink, inner)) = search(&cut(gray, around), Some(ink)) {
            let region = Rect { left: around.left + inner.left, top: around.top + inner.top, ..inner };
            return Some((strokes, ink, region));
        }
    }
    let region = Rect {
        left: found.left * factor,
        top: found.top * factor,
        width: (found.width * factor).min(gray.width - found.left * factor),
        height: (found.height * factor).min(gray.height - found.top * factor),
    };
    Some((strokes, ink, region))
}

/// The picture reduced by the mean of each square of `factor` x `factor` pixels, and the factor; `None` and 1 if the picture
/// is small enough.
fn reduced(gray: &Picture) -> (Option<Picture>, usize) {
    let factor = gray.height.max(gray.width).div_ceil(SEARCH_SIDE);
    if factor == 1 {
        return (None, 1);
    }
    let (height, width) = (gray.height.div_ceil(factor), gray.width.div_ceil(factor));
    let mut pixels = Vec::with_capacity(height * width);
    let mut sums = vec![0u32; width];
    for rows in gray.pixels.chunks(factor * gray.width) {
        sums.fill(0);
        for row in rows.chunks_exact(gray.width) {
            for (sum, square) in sums.iter_mut().zip(row.chunks(factor)) {
                *sum += square.iter().map(|&pixel| u32::from(pixel)).sum::<u32>();
            }
        }
        let tall = rows.len() / gray.width;
        let wide = |x: usize| factor.min(gray.width - x * factor);
        pixels.extend(sums.iter().enumerate().map(|(x, sum)| (sum / (wide(x) * tall) as u32) as u8));
    }
    (Some(Picture { channels: 1, height, width, pixels }), factor)
}

/// The box found, in pixels of the full picture, with a margin of half its size but at least 16 reduced pixels.
fn surroundings(found: Rect, factor: usize, gray: &Picture) -> Rect {
    let margin = (found.width.max(found.height) / 2).max(16);
    let axis = |start: usize, length: usize, limit: usize| {
        let first = start.saturating_sub(margin) * factor;
        let last = ((start + length + margin) * factor).min(limit);
        (first, last - first)
    };
    let (left, width) = axis(found.left, found.width, gray.width);
    let (top, height) = axis(found.top, found.height, gray.height);
    Rect { left, top, width, height }
}

fn cut(gray: &Picture, region: Rect) -> Picture {
    let rows = gray.pixels.chunks_exact(gray.width).skip(region.top).take(region.height);
    let pixels = rows.flat_map(|row| &row[region.left..][..region.width]).copied().collect();
    Picture { channels: 1, height: region.height, width: region.width, pixels }
}

/// MNIST's last steps: scale to the box, stretch the brightness, move the centre of mass to the middle.
fn place(strokes: &Strokes, height: usize, width: usize) -> Vec<u8> {
    // 20 of 28, as in MNIST.
    let side = (height.min(width) * 20 + 14) / 28;
    let Rect { width: wide, height: tall, .. } = strokes.region;
    let long = wide.max(tall);
    let scaled = |length: usize| ((length * side + long / 2) / long).max(1);
    let (rows, columns) = (scaled(tall), scaled(wide));
    let mut small = if rows <= tall && columns <= wide {
        shrink(&strokes.pixels, tall, wide, rows, columns)
    } else {
        resample(&strokes.pixels, tall, wide, Span::whole(rows), Span::whole(columns), Filter::Bilinear)
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
