//! The flag that chooses how pictures are fitted.

use kiln_data::preprocess::ResizeMode;
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
