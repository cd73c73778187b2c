//! The description of a network's preprocessing.

use serde::{Deserialize, Serialize};

use crate::picture::resample::Filter;

/// The largest allowed `height`, `width` and `resize_to`, in pixels.
pub const MAX_SIDE: usize = 4096;

/// How pictures become a network's input.
///
/// The fields are in alphabetical order so that the JSON has sorted keys: equal values give equal text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// C: 1 (grey) or 3 (RGB).
    pub channels: usize,
    /// H, in pixels.
    pub height: usize,
    /// For each channel, what is subtracted from x / 255.
    pub mean: Vec<f32>,
    /// Whether pictures of dark ink on light paper are inverted.
    pub polarity: Polarity,
    /// How pictures of other sizes are fitted.
    pub resize: Resize,
    /// For each channel, what the difference is divided by.
    pub std: Vec<f32>,
    /// W, in pixels.
    pub width: usize,
}

/// How a picture of another size is fitted to `height` x `width`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// How pixels are weighted. Not used by [`ResizeMode::Digit`], which follows MNIST's procedure.
    pub filter: Filter,
    /// What is kept of a picture whose shape differs.
    pub mode: ResizeMode,
    /// Only for [`ResizeMode::Crop`]: the length of the shorter side before the centre crop, as in torchvision
    /// (`Resize(256)`, `CenterCrop(224)`). Without it, the picture is made just large enough to cover the crop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize_to: Option<usize>,
}

/// What is kept of a picture whose shape differs from the network's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeMode {
    /// Finds the ink and places it as in MNIST (see [`digit`](crate::digit)). A picture that already has the right size and a
    /// clean background is left unchanged, bit for bit.
    Digit,
    /// Keeps proportions and loses the edges: the shorter side is resized to `resize_to`, then the centre is cropped.
    Crop,
    /// Keeps everything and loses proportions.
    Squash,
    /// Keeps everything and proportions by adding bars: the longer side is made to fit. The bars are black if the pictures
    /// show ink, otherwise of the mean colour, which becomes zero by normalisation.
    Pad,
}

/// Whether pictures show ink, and whether the ink is lighter than the ground.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Polarity {
    /// Pictures do not show ink (photographs): nothing is inverted.
    AsIs,
    /// Pictures are known to show light ink on a dark ground, as in MNIST: nothing is inverted.
    InkIsLight,
    /// Dark ink on light paper is recognised and inverted, so that the network always sees light ink.
    Auto,
}

impl Preprocess {
    /// For MNIST: `[1, 28, 28]`, digits located and placed as in MNIST, the lecture's mean 0.1307 and std 0.3081.
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

    /// torchvision's preprocessing for ImageNet: RGB, the shorter side resized to `resize_to` with antialiasing, the centre
    /// cropped to `height` x `width`, ImageNet's mean and standard deviation.
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

    /// Changes how pictures are fitted; `resize_to` is dropped if the new mode does not use it.
    pub fn set_resize_mode(&mut self, mode: ResizeMode) {
        self.resize.mode = mode;
        if mode != ResizeMode::Crop {
            self.resize.resize_to = None;
        }
    }
}
