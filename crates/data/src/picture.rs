//! A picture in memory: planar bytes, grey or RGB.
//!
//! Everything that looks at pixels (decoder, [`Preprocess`](crate::preprocess::Preprocess), digit reader) speaks this
//! one form: `[C, H, W]`, one byte a value, C = 1 (grey) or 3 (red, green, blue planes one after the other). It is the
//! layout of a network's input, so nothing has to be transposed later. Transparency, 16-bit depth, palettes and EXIF
//! orientation are gone once a picture is decoded.

#[cfg(feature = "images")]
mod decode;
mod extension;
#[cfg(feature = "images")]
mod integrity;
mod planar;
mod rect;
pub(crate) mod resample;

#[cfg(feature = "images")]
pub use decode::{DecodeError, MAX_PIXELS, MAX_SIDE};
pub use extension::{EXTENSIONS, has_picture_extension};
pub use planar::Picture;
pub use rect::Rect;
