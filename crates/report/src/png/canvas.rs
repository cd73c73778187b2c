//! A surface to draw on.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};

use super::letters::{LETTER, letter};

/// A colour: red, green, blue.
pub(super) type Colour = [u8; 3];

pub(super) const BLACK: Colour = [28, 30, 33];
pub(super) const GREY: Colour = [92, 99, 112];
pub(super) const WHITE: Colour = [255; 3];

/// Pixels of a letter's pixel.
pub(super) const SCALE: usize = 2;

/// Pixels of a letter's side.
pub(super) const SIDE: usize = LETTER * SCALE;

/// A picture under way.
pub(super) struct Canvas(RgbImage);

impl Canvas {
    /// A white one.
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self(RgbImage::from_pixel(width.max(1) as u32, height.max(1) as u32, Rgb(WHITE)))
    }

    /// Colours a pixel; those outside are left out.
    pub(super) fn dot(&mut self, x: usize, y: usize, colour: Colour) {
        if let Some(pixel) = self.0.get_pixel_mut_checked(x as u32, y as u32) {
            *pixel = Rgb(colour);
        }
    }

    /// Colours a rectangle.
    pub(super) fn fill(&mut self, [x, y]: [usize; 2], [width, height]: [usize; 2], colour: Colour) {
        (y..y + height).for_each(|y| (x..x + width).for_each(|x| self.dot(x, y, colour)));
    }

    /// Writes a text to the right, from the upper left corner of its first letter.
    pub(super) fn write(&mut self, [x, y]: [usize; 2], text: &str, colour: Colour) {
        self.letters(text, |canvas, along, down| {
            canvas.fill([x + along, y + down], [SCALE; 2], colour);
        });
    }

    /// Writes a text upwards, from the lower left corner of its first letter.
    pub(super) fn write_up(&mut self, [x, y]: [usize; 2], text: &str, colour: Colour) {
        self.letters(text, |canvas, along, down| {
            canvas.fill([x + down, y.saturating_sub(along + SCALE)], [SCALE; 2], colour);
        });
    }

    /// Calls for every pixel of a text: how far it is along the line, and how far down.
    fn letters(&mut self, text: &str, mut mark: impl FnMut(&mut Self, usize, usize)) {
        for (place, character) in text.chars().enumerate() {
            for (row, bits) in letter(character).into_iter().enumerate() {
                for column in (0..LETTER).filter(|column| bits >> column & 1 == 1) {
                    mark(self, place * SIDE + column * SCALE, row * SCALE);
                }
            }
        }
    }

    /// The file.
    pub(super) fn into_png(self) -> Vec<u8> {
        png(&self.0)
    }
}

/// A picture as a PNG file.
pub(super) fn png(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let written = picture.write_to(&mut bytes, ImageFormat::Png);
    written.unwrap_or_else(|error| unreachable!("memory takes everything: {error}"));
    bytes.into_inner()
}
