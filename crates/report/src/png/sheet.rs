//! Contact sheets: small pictures in rows, each with a few words.

use image::RgbImage;
use image::imageops::{FilterType, resize};

use super::canvas::{BLACK, Canvas, GREY, SIDE, png};
use super::letters::shortened;
use crate::blocks::{Mistake, RgbPicture};

/// Side of a picture on the sheet, in pixels.
const PICTURE: usize = 160;

/// Letters of a line under a picture.
const LETTERS: usize = 13;

/// Pixels between pictures, and around them all.
const GAP: usize = 16;

/// Pixels of a picture with its three lines.
const TILE: [usize; 2] = [LETTERS * SIDE, PICTURE + 3 * (SIDE + 4) + 4];

/// Mistakes as a PNG file, about as many beside each other as there are rows: under each picture its class, the one that it was
/// taken for, and how sure the network was. Letters that the small font lacks are boxes.
pub fn contact_sheet(mistakes: &[Mistake]) -> Vec<u8> {
    let columns = ((mistakes.len() as f64).sqrt().ceil() as usize).max(1);
    let rows = mistakes.len().div_ceil(columns).max(1);
    let [width, height] = TILE;
    let mut canvas = Canvas::new(GAP + columns * (width + GAP), GAP + rows * (height + GAP));
    for (place, mistake) in mistakes.iter().enumerate() {
        let x = GAP + place % columns * (width + GAP);
        let y = GAP + place / columns * (height + GAP);
        tile(&mut canvas, [x, y], mistake);
    }
    canvas.into_png()
}

fn tile(canvas: &mut Canvas, [x, y]: [usize; 2], mistake: &Mistake) {
    if let Some(picture) = mistake.picture.as_ref().and_then(|picture| scaled(picture, PICTURE)) {
        let top = PICTURE - picture.height() as usize;
        for (column, row, pixel) in picture.enumerate_pixels() {
            canvas.dot(x + column as usize, y + top + row as usize, pixel.0);
        }
    }
    let percent = format!("{:.1} %", 100. * mistake.confidence);
    let lines = [(&mistake.truth, "", BLACK), (&mistake.predicted, "as ", BLACK), (&percent, "", GREY)];
    for (line, (text, before, colour)) in lines.into_iter().enumerate() {
        let text = shortened(&format!("{before}{text}"), LETTERS);
        canvas.write([x, y + PICTURE + 4 + line * (SIDE + 4)], &text, colour);
    }
}

/// A picture as a small PNG file whose longer side is about `side`; `None` if it is not consistent.
pub(crate) fn thumbnail(picture: &RgbPicture, side: usize) -> Option<Vec<u8>> {
    Some(png(&scaled(picture, side)?))
}

/// A picture that fits into a square: small ones times a whole number, so that their pixels stay what they are.
fn scaled(picture: &RgbPicture, side: usize) -> Option<RgbImage> {
    let RgbPicture { width, height, .. } = *picture;
    let image = picture.is_consistent().then(|| picture.pixels.clone());
    let image = RgbImage::from_raw(width as u32, height as u32, image?)?;
    let longer = width.max(height);
    let fitted = |length: usize| match longer {
        _ if longer <= side => length * (side / longer),
        _ => (length * side / longer).max(1),
    };
    let filter = if longer <= side { FilterType::Nearest } else { FilterType::Triangle };
    Some(resize(&image, fitted(width) as u32, fitted(height) as u32, filter))
}
