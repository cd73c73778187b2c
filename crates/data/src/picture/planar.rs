//! Pictures as planes of bytes.

use std::borrow::Cow;

/// A picture: `channels` planes (1 or 3) of `height` rows of `width` bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// 1 (grey) or 3 (RGB).
    pub channels: usize,
    /// Rows of a plane, at least 1.
    pub height: usize,
    /// Bytes in a row, at least 1.
    pub width: usize,
    /// `[channels, height, width]`, 0 = black, 255 = white or full colour.
    pub pixels: Vec<u8>,
}

impl Picture {
    /// A grey picture from its `[height, width]` bytes; `None` if their number is zero or does not match.
    pub fn gray(height: usize, width: usize, pixels: Vec<u8>) -> Option<Self> {
        let picture = Self { channels: 1, height, width, pixels };
        picture.is_consistent().then_some(picture)
    }

    /// An RGB picture from its `[3, height, width]` bytes; `None` if their number is zero or does not match.
    pub fn rgb(height: usize, width: usize, pixels: Vec<u8>) -> Option<Self> {
        let picture = Self { channels: 3, height, width, pixels };
        picture.is_consistent().then_some(picture)
    }

    /// Whether the fields agree: 1 or 3 channels, no side of 0, and as many bytes as the sizes call for.
    pub fn is_consistent(&self) -> bool {
        let plane = self.height.checked_mul(self.width).filter(|&plane| plane > 0);
        let total = plane.and_then(|plane| plane.checked_mul(self.channels));
        matches!(self.channels, 1 | 3) && total == Some(self.pixels.len())
    }

    /// The `[height, width]` bytes of one channel.
    pub fn plane(&self, channel: usize) -> &[u8] {
        let size = self.height * self.width;
        &self.pixels[channel * size..][..size]
    }

    /// Converts to grey: ITU-R 601 luma, 0.299 R + 0.587 G + 0.114 B, with the 16-bit integer weights and the rounding of
    /// Pillow's mode "L", so that the bytes are identical.
    pub fn to_gray(&self) -> Cow<'_, Picture> {
        if self.channels == 1 {
            return Cow::Borrowed(self);
        }
        let (red, green, blue) = (self.plane(0), self.plane(1), self.plane(2));
        let luma = |((&r, &g), &b): ((&u8, &u8), &u8)| {
            ((u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + 0x8000) >> 16) as u8
        };
        let pixels = red.iter().zip(green).zip(blue).map(luma).collect();
        Cow::Owned(Picture { channels: 1, height: self.height, width: self.width, pixels })
    }

    /// Converts to RGB, repeating a grey plane three times.
    pub fn to_rgb(&self) -> Cow<'_, Picture> {
        if self.channels == 3 {
            return Cow::Borrowed(self);
        }
        Cow::Owned(Picture { channels: 3, height: self.height, width: self.width, pixels: self.pixels.repeat(3) })
    }
}
