//! Fitting pictures to a network's input size.

use super::description::{Polarity, Preprocess, ResizeMode};
use crate::digit::{self, Digit, Ink};
use crate::picture::resample::{Span, resample};
use crate::picture::{Picture, Rect};

/// A picture fitted by [`Preprocess::pixels`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fitted {
    /// `[C, H, W]`, not yet normalised.
    pub pixels: Vec<u8>,
    /// Whether dark and light were inverted.
    pub inverted: bool,
    /// `false` if a digit was searched for but the picture is blank; the pixels are then all background.
    pub found_ink: bool,
    /// How many digits stand in the picture, where digits are searched for; else 1. If several, the pixels show the most
    /// prominent one.
    pub digits_found: usize,
    /// The part of the picture that was used.
    pub region: Rect,
}

impl Preprocess {
    /// Fits a picture to the network's input: `[C, H, W]` bytes, ready to be augmented or normalised.
    ///
    /// A picture that already has the target size keeps its pixels bit for bit, unless it is inverted or `resize_to` calls
    /// for an enlargement first (as it does in torchvision).
    ///
    /// # Panics
    /// If the picture is not [consistent](Picture::is_consistent) or the description is not [valid](Self::validate).
    pub fn pixels(&self, picture: &Picture) -> Fitted {
        assert!(picture.is_consistent(), "{} bytes are not a picture", picture.pixels.len());
        if self.resize.mode == ResizeMode::Digit {
            return self.digit(picture);
        }
        let picture = if self.channels == 1 { picture.to_gray() } else { picture.to_rgb() };
        let inverted = self.polarity == Polarity::Auto && digit::ink(&picture.to_gray()) == Some(Ink::Dark);
        let (mut pixels, region) = match self.resize.mode {
            ResizeMode::Crop => self.crop(&picture),
            ResizeMode::Pad => self.fit_whole(&picture),
            ResizeMode::Squash | ResizeMode::Digit => self.squash(&picture),
        };
        if inverted {
            pixels.iter_mut().for_each(|pixel| *pixel = 255 - *pixel);
        }
        if self.resize.mode == ResizeMode::Pad {
            pixels = self.pad(&pixels, picture.height, picture.width);
        }
        Fitted { pixels, inverted, found_ink: true, digits_found: 1, region }
    }

    /// Fits each digit of a picture to the network's input, from left to right; none if it is blank. Where digits are not
    /// searched for, it is the whole picture.
    ///
    /// # Panics
    /// As [`pixels`](Self::pixels).
    pub fn digits(&self, picture: &Picture) -> Vec<Fitted> {
        let whole = |fitted: Fitted| if fitted.found_ink { vec![fitted] } else { Vec::new() };
        if self.resize.mode != ResizeMode::Digit || self.already_placed(picture).is_some() {
            return whole(self.pixels(picture));
        }
        let digits = digit::read_all(picture, self.height, self.width, self.known_ink());
        digits.into_iter().map(|digit| self.fitted_digit(digit)).collect()
    }

    /// A picture as the network's input `[C, H, W]`, not yet normalised. One that is `fitted` already and has the right shape
    /// is left unchanged.
    pub(crate) fn fit(&self, picture: Picture, fitted: bool) -> Picture {
        let &Self { channels, height, width, .. } = self;
        if fitted && [picture.channels, picture.height, picture.width] == [channels, height, width] {
            return picture;
        }
        Picture { channels, height, width, pixels: self.pixels(&picture).pixels }
    }

    fn digit(&self, picture: &Picture) -> Fitted {
        let read = || digit::read(picture, self.height, self.width, self.known_ink());
        self.fitted_digit(self.already_placed(picture).unwrap_or_else(read))
    }

    fn known_ink(&self) -> Option<Ink> {
        (self.polarity != Polarity::Auto).then_some(Ink::Light)
    }

    /// A picture that looks like one of MNIST's.
    fn already_placed(&self, picture: &Picture) -> Option<Digit> {
        let right_size = (picture.height, picture.width) == (self.height, self.width);
        right_size.then(|| digit::already_placed(&picture.to_gray(), self.known_ink())).flatten()
    }

    fn fitted_digit(&self, digit: Digit) -> Fitted {
        Fitted {
            pixels: if self.channels == 1 { digit.pixels } else { digit.pixels.repeat(self.channels) },
            inverted: digit.ink == Some(Ink::Dark),
            found_ink: digit.ink.is_some(),
            digits_found: digit.count,
            region: digit.region,
        }
    }

    fn squash(&self, picture: &Picture) -> (Vec<u8>, Rect) {
        (self.resample(picture, Span::whole(self.height), Span::whole(self.width)), Rect::whole(picture))
    }

    /// torchvision's `Resize(resize_to)` and `CenterCrop`, computing only what the crop keeps.
    fn crop(&self, picture: &Picture) -> (Vec<u8>, Rect) {
        let (height, width) = (picture.height, picture.width);
        let (full_height, full_width) = match self.resize.resize_to {
            // torchvision truncates the length of the longer side.
            Some(shorter) if height <= width => (shorter, shorter * width / height),
            Some(shorter) => (shorter * height / width, shorter),
            None if height * self.width <= width * self.height => (self.height, self.height * width / height),
            None => (self.width * height / width, self.width),
        };
        let rows = Span { full: full_height, start: centered(full_height, self.height), length: self.height };
        let columns = Span { full: full_width, start: centered(full_width, self.width), length: self.width };
        // The crop's position in the original picture, to the nearest pixel.
        let back = |at: usize, full: usize, side: usize| (at * side + full / 2) / full;
        let (top, left) = (back(rows.start, full_height, height), back(columns.start, full_width, width));
        let region = Rect {
            left,
            top,
            width: back(columns.start + self.width, full_width, width) - left,
            height: back(rows.start + self.height, full_height, height) - top,
        };
        (self.resample(picture, rows, columns), region)
    }

    /// The picture resized to fit within the target, without the bars.
    fn fit_whole(&self, picture: &Picture) -> (Vec<u8>, Rect) {
        let (height, width) = self.proportional(picture.height, picture.width);
        (self.resample(picture, Span::whole(height), Span::whole(width)), Rect::whole(picture))
    }

    /// The largest height and width with the picture's proportions that fit within the target.
    fn proportional(&self, height: usize, width: usize) -> (usize, usize) {
        let rounded = |a: usize, b: usize, c: usize| ((a * b + c / 2) / c).max(1);
        if height * self.width <= width * self.height {
            (rounded(height, self.width, width).min(self.height), self.width)
        } else {
            (self.height, rounded(width, self.height, height).min(self.width))
        }
    }

    /// Adds bars around a picture whose size was `height` x `width` before [`fit_whole`](Self::fit_whole).
    fn pad(&self, fitted: &[u8], height: usize, width: usize) -> Vec<u8> {
        let (height, width) = self.proportional(height, width);
        let (top, left) = ((self.height - height) / 2, (self.width - width) / 2);
        let mut output = Vec::with_capacity(self.channels * self.height * self.width);
        for (plane, mean) in fitted.chunks_exact(height * width).zip(&self.mean) {
            let bar = if self.polarity == Polarity::AsIs { (mean * 255.0).round() as u8 } else { 0 };
            let start = output.len();
            output.resize(start + self.height * self.width, bar);
            for (row, line) in plane.chunks_exact(width).zip(output[start..].chunks_exact_mut(self.width).skip(top)) {
                line[left..left + width].copy_from_slice(row);
            }
        }
        output
    }

    fn resample(&self, picture: &Picture, rows: Span, columns: Span) -> Vec<u8> {
        let (height, width) = (picture.height, picture.width);
        if (rows, columns) == (Span::whole(height), Span::whole(width)) {
            return picture.pixels.clone();
        }
        let plane = |channel| resample(picture.plane(channel), height, width, rows, columns, self.resize.filter);
        (0..picture.channels).flat_map(plane).collect()
    }
}

/// The first pixel of a centre crop. Halves are rounded to even, because torchvision uses Python's `round`.
fn centered(full: usize, crop: usize) -> usize {
    let rest = full - crop;
    rest / 2 + usize::from(rest % 4 == 3)
}
