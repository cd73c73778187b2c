//! A picture in memory: planar bytes, grey or RGB.
//!
//! The decoder, [`Preprocess`](crate::preprocess::Preprocess), augmentation and the digit reader all share this one form:
//! `[C, H, W]`, one byte per value, C = 1 (grey) or 3 (red, green and blue planes, one after the other). It is the layout of
//! a network's input, so nothing has to be transposed later. Decoding resolves transparency, 16-bit depth, palettes and
//! EXIF orientation.

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
