//! Validation of descriptions read from files.

use super::description::{MAX_SIDE, Preprocess, ResizeMode};

/// Why a [`Preprocess`] is invalid.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PreprocessError {
    /// The number of channels is neither 1 (grey) nor 3 (RGB).
    #[error("preprocess: channels is {0}, expected 1 or 3")]
    Channels(usize),
    /// A size is out of range.
    #[error("preprocess: {field} is {value}, expected 1 to {MAX_SIDE}")]
    Size {
        /// "height", "width" or "resize_to".
        field: &'static str,
        /// Its value.
        value: usize,
    },
    /// `mean` or `std` has the wrong number of values.
    #[error("preprocess: {field} has {found} values, expected one for each of {channels} channels")]
    Length {
        /// "mean" or "std".
        field: &'static str,
        /// Number of values.
        found: usize,
        /// Number of channels.
        channels: usize,
    },
    /// A mean is not finite, or a std is not finite and positive.
    #[error(
        "preprocess: {field}[{index}] is {value}, expected a finite number{}",
        if *field == "std" { " above 0" } else { "" }
    )]
    Value {
        /// "mean" or "std".
        field: &'static str,
        /// The channel.
        index: usize,
        /// Its value.
        value: f32,
    },
    /// `resize_to` is given with a mode that does not use it.
    #[error("preprocess: resize_to only goes with the mode crop")]
    ResizeToWithoutCrop,
    /// `resize_to` is too small to cover the crop.
    #[error("preprocess: resize_to is {resize_to}, less than the crop of {crop} pixels")]
    ResizeToTooSmall {
        /// Its value.
        resize_to: usize,
        /// The longer side of the crop.
        crop: usize,
    },
}

impl Preprocess {
    /// Checks what the types do not guarantee. Call this on anything read from a file.
    ///
    /// # Errors
    /// The first field that is out of range.
    pub fn validate(&self) -> Result<(), PreprocessError> {
        if !matches!(self.channels, 1 | 3) {
            return Err(PreprocessError::Channels(self.channels));
        }
        let sides = [("height", Some(self.height)), ("width", Some(self.width)), ("resize_to", self.resize.resize_to)];
        for (field, value) in sides {
            if let Some(value) = value.filter(|value| !(1..=MAX_SIDE).contains(value)) {
                return Err(PreprocessError::Size { field, value });
            }
        }
        if let Some(resize_to) = self.resize.resize_to {
            let crop = self.height.max(self.width);
            if self.resize.mode != ResizeMode::Crop {
                return Err(PreprocessError::ResizeToWithoutCrop);
            }
            if resize_to < crop {
                return Err(PreprocessError::ResizeToTooSmall { resize_to, crop });
            }
        }
        for (field, values) in [("mean", &self.mean), ("std", &self.std)] {
            if values.len() != self.channels {
                return Err(PreprocessError::Length { field, found: values.len(), channels: self.channels });
            }
            let wrong = |value: f32| !value.is_finite() || (field == "std" && value <= 0.0);
            if let Some(index) = values.iter().position(|&value| wrong(value)) {
                return Err(PreprocessError::Value { field, index, value: values[index] });
            }
        }
        Ok(())
    }
}
