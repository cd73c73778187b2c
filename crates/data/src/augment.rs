//! Augmentation: random changes to training pictures that leave their classes unchanged, and mixtures of two pictures.
//!
//! ```text
//! Picture ─► resized crop, padded crop, flips, affine, elastic, RandAugment, colour, erasing ─► [C, H, W] bytes
//!                  ▲
//!          Draw(seed, epoch, index)                              batch [N, C, H, W] ─► mixup or CutMix
//! ```
//!
//! Each operation is a plain function of a [`Picture`] and parameters that mean what they mean in torchvision; its random
//! form takes them from a [`Draw`]. A draw depends on the seed, the epoch and the picture's index alone, so an epoch is the
//! same for any number of threads and can be resumed after an interruption.

mod colour;
mod crop;
mod elastic;
mod erase;
mod geometry;
mod mix;
mod rand_augment;
mod rounding;
mod sampling;
mod sharpness;
mod tone;

pub use crate::random::Draw;
pub use colour::{ColourJitter, adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation};
pub use crop::{RandomResizedCrop, resized_crop};
pub use elastic::Elastic;
pub use erase::{RandomErasing, erase};
pub use geometry::{Affine, RandomAffine, affine, crop_padded, flip_horizontal, flip_vertical, random_crop_padded};
pub use mix::Mixing;
pub use rand_augment::{Operation, RandAugment};
pub use sharpness::adjust_sharpness;
pub use tone::{autocontrast, equalize, posterize, solarize};

use crate::batch::PlainBatch;
use crate::picture::Picture;
use crate::preprocess::{Polarity, Preprocess, ResizeMode};

/// What is done to training pictures, in the order of the fields. By default nothing is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Augment {
    /// Crops a random part and resizes it, which replaces the usual resizing.
    pub resized_crop: Option<RandomResizedCrop>,
    /// Shifts by up to this many pixels in each direction, filling with black.
    pub crop_padding: usize,
    /// Probability of a horizontal flip.
    pub hflip: f64,
    /// Probability of a vertical flip.
    pub vflip: f64,
    /// Rotates, shifts, scales and shears.
    pub affine: Option<RandomAffine>,
    /// Deforms elastically.
    pub elastic: Option<Elastic>,
    /// Applies random operations on colour and geometry.
    pub rand_augment: Option<RandAugment>,
    /// Changes brightness, contrast, saturation and hue.
    pub colour: Option<ColourJitter>,
    /// Fills a rectangle with the mean colour.
    pub erasing: Option<RandomErasing>,
    /// Mixes the pictures of a batch with each other.
    pub mixing: Option<Mixing>,
}

impl Augment {
    /// A picture as the network's input `[C, H, W]`, changed at random. One that is `fitted` already and has the right shape
    /// is not resized.
    pub(crate) fn apply(&self, picture: Picture, fitted: bool, preprocess: &Preprocess, draw: &mut Draw) -> Picture {
        let mut picture = match &self.resized_crop {
            Some(crop) => {
                // Ink can only be recognised in the whole picture.
                let of_ink = preprocess.polarity == Polarity::Auto || preprocess.resize.mode == ResizeMode::Digit;
                let picture = if of_ink { preprocess.fit(picture, fitted) } else { picture };
                let picture = if preprocess.channels == 1 { picture.to_gray() } else { picture.to_rgb() };
                crop.apply(&picture, preprocess.height, preprocess.width, preprocess.resize.filter, draw)
            }
            None => preprocess.fit(picture, fitted),
        };
        if self.crop_padding > 0 {
            picture = random_crop_padded(&picture, self.crop_padding, 0, draw);
        }
        if draw.chance(self.hflip) {
            flip_horizontal(&mut picture);
        }
        if draw.chance(self.vflip) {
            flip_vertical(&mut picture);
        }
        if let Some(affine) = &self.affine {
            picture = affine.apply(&picture, 0, draw);
        }
        if let Some(elastic) = &self.elastic {
            picture = elastic.apply(&picture, 0, draw);
        }
        if let Some(operations) = &self.rand_augment {
            operations.apply(&mut picture, 0, draw);
        }
        if let Some(jitter) = &self.colour {
            jitter.apply(&mut picture, draw);
        }
        if let Some(erasing) = &self.erasing {
            erasing.apply(&mut picture, mean_colour(preprocess), draw);
        }
        picture
    }

    /// Mixes the images of a batch with each other, if so configured.
    pub(crate) fn mix(&self, batch: &mut PlainBatch, draw: &mut Draw) {
        if let Some(mixing) = &self.mixing {
            mixing.apply(batch, draw);
        }
    }
}

/// The bytes of three channels that are zero after normalisation; black if the pictures show ink, whose ground is black.
fn mean_colour(preprocess: &Preprocess) -> [u8; 3] {
    let byte = |channel: usize| preprocess.mean.get(channel).map_or(0, |mean| (mean * 255.).round() as u8);
    if preprocess.polarity == Polarity::AsIs { std::array::from_fn(byte) } else { [0; 3] }
}
