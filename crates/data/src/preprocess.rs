//! From a picture of any size to the numbers that a network expects, described by data.
//!
//! A [`Preprocess`] is written into every weights file and read back, so inference cannot disagree with training:
//!
//! ```text
//! Picture [c, h, w] u8  --Preprocess::pixels-->  [C, H, W] u8  --normalise_into-->  [C, H, W] f32
//! ```
//!
//! Between the two steps the training loader augments. The second step is torchvision's `ToTensor` and `Normalize`, to
//! the bit.

use serde::{Deserialize, Serialize};

use crate::digit::{self, Ink, Region};
use crate::picture::Picture;
pub use crate::resample::Filter;
use crate::resample::{Span, resample};

mod normaliser;
mod validate;

pub use normaliser::Normaliser;
pub use validate::PreprocessError;

/// The largest `height`, `width` and `resize_to`, in pixels.
pub const MAX_SIDE: usize = 4096;

/// How pictures become a network's input.
///
/// The fields stand in alphabetical order, so the JSON has sorted keys and the same value is always the same text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// C: 1 (grey) or 3 (RGB).
    pub channels: usize,
    /// H, in pixels.
    pub height: usize,
    /// Per channel, subtracted from x / 255.
    pub mean: Vec<f32>,
    /// Whether dark ink on light paper is turned over.
    pub polarity: Polarity,
    /// How a picture of another size is fitted.
    pub resize: Resize,
    /// Per channel, what the difference is divided by.
    pub std: Vec<f32>,
    /// W, in pixels.
    pub width: usize,
}

/// How a picture of another size is fitted to `height` x `width`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// How pixels are weighed. Not used by [`ResizeMode::Digit`], which follows MNIST's recipe.
    pub filter: Filter,
    /// What is kept and what is lost.
    pub mode: ResizeMode,
    /// Only for [`ResizeMode::Crop`]: the length of the shorter side before the centre crop, as in torchvision
    /// (`Resize(256)`, `CenterCrop(224)`). Without it the picture just covers the crop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize_to: Option<usize>,
}

/// What is kept and what is lost when a picture is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeMode {
    /// Finds the ink and places it as in MNIST ([`digit`]). A picture that has the right size and a clean background
    /// already is left as it is, bit for bit.
    Digit,
    /// Keeps the shape, loses what sticks out: shorter side to `resize_to`, then the centre.
    Crop,
    /// Keeps everything, loses the shape.
    Squash,
    /// Keeps everything and the shape, adds bars: the longer side fits. The bars are black where ink is light,
    /// otherwise of the mean colour, which is zero after normalisation.
    Pad,
}

/// Which of ink and paper is lighter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Polarity {
    /// Pictures are not of ink (photographs): nothing is ever turned over.
    AsIs,
    /// Pictures are known to show light ink on a dark ground, as MNIST's do: nothing is turned over.
    InkIsLight,
    /// Dark ink on light paper is recognised and turned over, so that the network always sees light ink.
    Auto,
}

/// What [`Preprocess::pixels`] made of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// `[C, H, W]`, not yet normalised.
    pub pixels: Vec<u8>,
    /// Whether dark and light were exchanged.
    pub inverted: bool,
    /// `false` when a digit was looked for and the picture is blank; the pixels are then all background.
    pub found_ink: bool,
    /// The part of the picture that was used.
    pub region: Region,
}

impl Preprocess {
    /// MNIST's: 1 x 28 x 28, digits found and placed as in MNIST, the lecture's mean 0.1307 and std 0.3081.
    pub fn mnist() -> Self {
        Self {
            channels: 1,
            height: 28,
            mean: vec![0.1307],
            polarity: Polarity::Auto,
            resize: Resize { filter: Filter::Bilinear, mode: ResizeMode::Digit, resize_to: None },
            std: vec![0.3081],
            width: 28,
        }
    }

    /// torchvision's for ImageNet: RGB, the shorter side to `resize_to` with antialiasing, the centre `height` x `width`,
    /// ImageNet's mean and deviation.
    pub fn imagenet(height: usize, width: usize, resize_to: usize) -> Self {
        Self {
            channels: 3,
            height,
            mean: vec![0.485, 0.456, 0.406],
            polarity: Polarity::AsIs,
            resize: Resize { filter: Filter::Bilinear, mode: ResizeMode::Crop, resize_to: Some(resize_to) },
            std: vec![0.229, 0.224, 0.225],
            width,
        }
    }

    /// Fits pictures in another way from now on.
    pub fn set_resize_mode(&mut self, mode: ResizeMode) {
        self.resize.mode = mode;
        if mode != ResizeMode::Crop {
            self.resize.resize_to = None;
        }
    }

    /// Fits a picture: `[C, H, W]` bytes, ready to be augmented or normalised.
    ///
    /// A picture that has the target size already keeps its pixels bit for bit, unless it is turned over or `resize_to`
    /// asks for an enlargement first (torchvision enlarges then, too).
    ///
    /// # Panics
    /// When the picture is not [consistent](Picture::is_consistent) or the description not [valid](Self::validate).
    pub fn pixels(&self, picture: &Picture) -> Prepared {
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
        Prepared { pixels, inverted, found_ink: true, region }
    }

    /// A picture as the network's input `[C, H, W]`, not yet normalised. One that is `fitted` is left as it is if it has the
    /// right shape.
    pub(crate) fn fit(&self, picture: Picture, fitted: bool) -> Picture {
        let &Self { channels, height, width, .. } = self;
        if fitted && [picture.channels, picture.height, picture.width] == [channels, height, width] {
            return picture;
        }
        Picture { channels, height, width, pixels: self.pixels(&picture).pixels }
    }

    /// `pixels` as the network's input: `(x / 255 - mean) / std`, one or more images of `[C, H, W]`.
    ///
    /// For many images build the [`Normaliser`] once.
    ///
    /// # Panics
    /// As [`Normaliser::normalise_into`].
    pub fn normalise_into(&self, pixels: &[u8], out: &mut [f32]) {
        Normaliser::new(self).normalise_into(pixels, out);
    }

    fn digit(&self, picture: &Picture) -> Prepared {
        let gray = picture.to_gray();
        let known = (self.polarity != Polarity::Auto).then_some(Ink::Light);
        let clean = ((gray.height, gray.width) == (self.height, self.width))
            .then(|| digit::already_placed(&gray, known))
            .flatten();
        let digit = clean.unwrap_or_else(|| digit::read(&gray, self.height, self.width, known));
        Prepared {
            pixels: if self.channels == 1 { digit.pixels } else { digit.pixels.repeat(self.channels) },
            inverted: digit.ink == Some(Ink::Dark),
            found_ink: digit.ink.is_some(),
            region: digit.region,
        }
    }

    fn squash(&self, picture: &Picture) -> (Vec<u8>, Region) {
        (self.resample(picture, Span::whole(self.height), Span::whole(self.width)), Region::whole(picture))
    }

    /// torchvision's `Resize(resize_to)` and `CenterCrop`, computing only what the crop keeps.
    fn crop(&self, picture: &Picture) -> (Vec<u8>, Region) {
        let (height, width) = (picture.height, picture.width);
        let (full_height, full_width) = match self.resize.resize_to {
            // torchvision cuts the fraction of the longer side.
            Some(shorter) if height <= width => (shorter, shorter * width / height),
            Some(shorter) => (shorter * height / width, shorter),
            None if height * self.width <= width * self.height => (self.height, self.height * width / height),
            None => (self.width * height / width, self.width),
        };
        let rows = Span { full: full_height, start: centered(full_height, self.height), length: self.height };
        let columns = Span { full: full_width, start: centered(full_width, self.width), length: self.width };
        // Where the crop lies in the picture, to the nearest pixel.
        let back = |at: usize, full: usize, side: usize| (at * side + full / 2) / full;
        let (top, left) = (back(rows.start, full_height, height), back(columns.start, full_width, width));
        let region = Region {
            left,
            top,
            width: back(columns.start + self.width, full_width, width) - left,
            height: back(rows.start + self.height, full_height, height) - top,
        };
        (self.resample(picture, rows, columns), region)
    }

    /// The picture as large as it fits, without the bars.
    fn fit_whole(&self, picture: &Picture) -> (Vec<u8>, Region) {
        let (height, width) = self.fitted(picture.height, picture.width);
        (self.resample(picture, Span::whole(height), Span::whole(width)), Region::whole(picture))
    }

    /// The largest height and width of the picture's shape within the target.
    fn fitted(&self, height: usize, width: usize) -> (usize, usize) {
        let rounded = |a: usize, b: usize, c: usize| ((a * b + c / 2) / c).max(1);
        if height * self.width <= width * self.height {
            (rounded(height, self.width, width).min(self.height), self.width)
        } else {
            (self.height, rounded(width, self.height, height).min(self.width))
        }
    }

    /// Adds the bars around a picture that was `height` x `width` before [`fit_whole`](Self::fit_whole).
    fn pad(&self, fitted: &[u8], height: usize, width: usize) -> Vec<u8> {
        let (height, width) = self.fitted(height, width);
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

/// Where a centre crop starts: half of the rest, a half rounded to even (torchvision uses Python's `round`).
fn centered(full: usize, crop: usize) -> usize {
    let rest = full - crop;
    rest / 2 + usize::from(rest % 4 == 3)
}
