//! A contact sheet: each photograph beside what the network saw of it, with the true class and the answer.

use std::path::Path;

use kiln::data::picture::Rect;
use kiln::image::imageops::{FilterType, overlay, resize};
use kiln::image::{GrayImage, ImageResult, Rgb, RgbImage};

/// Side of a picture on the sheet, and of a cell's caption, in pixels.
const SIDE: u32 = 112;
const CAPTION: u32 = 14;
const COLUMNS: usize = 6;

/// A photograph and its reading.
pub struct Entry {
    pub photograph: RgbImage,
    /// Where the digit was seen.
    pub region: Rect,
    /// The network's 28 x 28 pixels.
    pub seen: Vec<u8>,
    /// "7>1 98": class, answer, per cent.
    pub caption: String,
}

impl Entry {
    fn draw(&self, sheet: &mut RgbImage, left: u32, top: u32) {
        let (width, height) = self.photograph.dimensions();
        let long = f64::from(width.max(height));
        let scaled = |length: f64| (length * f64::from(SIDE) / long) as u32;
        let (wide, tall) = (scaled(f64::from(width)).max(1), scaled(f64::from(height)).max(1));
        let mut small = resize(&self.photograph, wide, tall, FilterType::Triangle);
        let Rect { left: x, top: y, width: w, height: h } = self.region;
        let at = |length: usize, limit: u32| scaled(length as f64).min(limit - 1);
        let (x0, y0, x1, y1) = (at(x, wide), at(y, tall), at(x + w, wide), at(y + h, tall));
        for x in x0..=x1 {
            [y0, y1].into_iter().for_each(|y| small.put_pixel(x, y, Rgb([255, 0, 255])));
        }
        for y in y0..=y1 {
            [x0, x1].into_iter().for_each(|x| small.put_pixel(x, y, Rgb([255, 0, 255])));
        }
        overlay(sheet, &small, left.into(), top.into());
        if let Some(seen) = GrayImage::from_raw(28, 28, self.seen.clone()) {
            let seen = resize(&seen, SIDE, SIDE, FilterType::Nearest);
            for (x, y, pixel) in seen.enumerate_pixels() {
                sheet.put_pixel(left + SIDE + x, top + y, Rgb([pixel.0[0]; 3]));
            }
        }
        for (at, symbol) in self.caption.chars().enumerate() {
            letter(sheet, symbol, left + 2 + 8 * at as u32, top + SIDE + 2);
        }
    }
}

/// Writes the sheet, row by row.
pub fn write(entries: &[Entry], path: &Path) -> ImageResult<()> {
    let rows = entries.len().div_ceil(COLUMNS).max(1) as u32;
    let (cell_width, cell_height) = (2 * SIDE + 8, SIDE + CAPTION + 4);
    let mut sheet = RgbImage::from_pixel(COLUMNS as u32 * cell_width, rows * cell_height, Rgb([70, 70, 70]));
    for (at, entry) in entries.iter().enumerate() {
        entry.draw(&mut sheet, (at % COLUMNS) as u32 * cell_width, (at / COLUMNS) as u32 * cell_height);
    }
    sheet.save(path)
}

/// A symbol of 3 x 5 dots, each two pixels wide and high.
fn letter(sheet: &mut RgbImage, symbol: char, left: u32, top: u32) {
    let dots: u16 = match symbol {
        '0' => 0o75557,
        '1' => 0o26227,
        '2' => 0o71747,
        '3' => 0o71717,
        '4' => 0o55711,
        '5' => 0o74717,
        '6' => 0o74757,
        '7' => 0o71122,
        '8' => 0o75757,
        '9' => 0o75717,
        '>' => 0o42124,
        '-' => 0o00700,
        _ => 0,
    };
    for at in (0..15).filter(|at| dots >> (14 - at) & 1 == 1) {
        for (dx, dy) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            sheet.put_pixel(left + 2 * (at % 3) + dx, top + 2 * (at / 3) + dy, Rgb([255, 255, 255]));
        }
    }
}
