//! The description of how pictures become a network's input.

use serde::{Deserialize, Serialize};

use crate::picture::resample::Filter;

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
    /// Finds the ink and places it as in MNIST ([`digit`](crate::digit)). A picture that has the right size and a clean background
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
}
