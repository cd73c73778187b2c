//! The flags that choose how pictures are fitted.

use kiln_data::preprocess::{Filter, ResizeMode};
use serde::{Deserialize, Serialize};

/// How pictures of another size are fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum FitName {
    /// The centre, after the shorter side was fitted.
    Crop,
    /// Bars beside what is longer.
    Pad,
    /// Without regard to the shape.
    Squash,
}

impl From<FitName> for ResizeMode {
    fn from(name: FitName) -> Self {
        match name {
            FitName::Crop => Self::Crop,
            FitName::Pad => Self::Pad,
            FitName::Squash => Self::Squash,
        }
    }
}

/// How pixels are weighed when a picture is resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Interpolation {
    /// A triangle two pixels wide, as torchvision.
    Bilinear,
    /// A cubic four pixels wide, as timm for most of its weights.
    Bicubic,
    /// The nearest pixel.
    Nearest,
}

impl From<Interpolation> for Filter {
    fn from(name: Interpolation) -> Self {
        match name {
            Interpolation::Bilinear => Self::Bilinear,
            Interpolation::Bicubic => Self::Bicubic,
            Interpolation::Nearest => Self::Nearest,
        }
    }
}
