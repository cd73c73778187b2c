//! Decoding the bytes of an image file into a [`Picture`].
//!
//! The format is recognised by content, not by the file's name. The header is checked before anything is allocated, so a
//! file of fifty bytes that claims to be 60,000 pixels wide costs nothing.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::integrity::{jpeg_is_complete, webp_is_consistent};
use super::planar::Picture;

/// The most pixels that [`Picture::decode`] accepts: 100 megapixels, twice what a large camera delivers.
pub const MAX_PIXELS: u64 = 100_000_000;

/// Images of no more pixels are decoded without first asking whether there is enough memory.
const SMALL: u64 = 1_000_000;

/// The longest side that [`Picture::decode`] accepts, in pixels (JPEG's own limit).
pub const MAX_SIDE: u32 = 65_535;

/// The most bytes that the decoder may allocate: enough for 100 megapixels of RGBA.
const MAX_ALLOCATION: u64 = 512 << 20;

/// Why an image cannot be decoded. Each message is one line and names no file, since the caller knows which it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// There are no bytes.
    #[error("the image is empty (0 bytes)")]
    Empty,
    /// The content is in none of the supported formats.
    #[error("not a PNG, JPEG, BMP, WebP or GIF image")]
    UnknownFormat,
    /// The header announces more pixels than are accepted, or a side longer than [`MAX_SIDE`].
    #[error("the image is too large: {width}x{height} pixels (at most {max_pixels} in all and {MAX_SIDE} a side)")]
    TooLarge {
        /// Columns announced by the header.
        width: u32,
        /// Rows announced by the header.
        height: u32,
        /// The most pixels that are accepted.
        max_pixels: u64,
    },
    /// The system does not have the memory that it takes to decode and fit the image.
    #[error("not enough memory for an image of {width}x{height} pixels")]
    Memory {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The file ends early or contradicts itself.
    #[error("damaged {format} image: {reason}")]
    Damaged {
        /// The format, such as "PNG".
        format: &'static str,
        /// The decoder's reason, on one line.
        reason: String,
    },
    /// The file is valid but uses a rare feature that the decoder does not support.
    #[error("this {format} image cannot be read: {reason}")]
    Unsupported {
        /// The format, such as "PNG".
        format: &'static str,
        /// The decoder's reason, on one line.
        reason: String,
    },
}

impl Picture {
    /// Decodes a PNG, JPEG, BMP, WebP or GIF file; of an animation, the first frame.
    ///
    /// Grey files yield 1 channel, all others 3. The EXIF orientation is applied. Transparent pixels are composited over
    /// white, so black ink on a transparent page becomes black on white; only light ink on a page that is mostly transparent,
    /// which would vanish, is composited over black. 16-bit values are rounded to 8 bits.
    ///
    /// # Errors
    /// See [`DecodeError`]. A truncated JPEG is an error; its missing part is not filled with grey.
    pub fn decode(bytes: &[u8]) -> Result<Picture, DecodeError> {
        Self::decode_within(bytes, MAX_PIXELS)
    }

    /// Like [`decode`](Self::decode), with another limit than [`MAX_PIXELS`].
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode_within(bytes: &[u8], max_pixels: u64) -> Result<Picture, DecodeError> {
        if bytes.is_empty() {
            return Err(DecodeError::Empty);
        }
        let (format, name) = recognise(bytes).ok_or(DecodeError::UnknownFormat)?;
        if format == ImageFormat::WebP && !webp_is_consistent(bytes) {
            return Err(damaged(name, "its parts do not fit together, or the file ends before the image does"));
        }

        let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
        let mut limits = Limits::no_limits();
        // An image of the most pixels, with four channels of 16 bits, may be decoded.
        limits.max_alloc = Some(max_pixels.saturating_mul(8).max(MAX_ALLOCATION));
        reader.limits(limits);
        let mut decoder = reader.into_decoder().map_err(|error| explain(error, name, (0, 0), max_pixels))?;

        let size @ (width, height) = decoder.dimensions();
        let pixels = u64::from(width) * u64::from(height);
        if pixels > max_pixels || width.max(height) > MAX_SIDE {
            return Err(DecodeError::TooLarge { width, height, max_pixels });
        }
        if width == 0 || height == 0 {
            return Err(damaged(name, "it has no pixels"));
        }
        if format == ImageFormat::Jpeg && !jpeg_is_complete(bytes) {
            return Err(damaged(name, "the file ends before the image does"));
        }

        if pixels > SMALL && !has_memory(decoder.total_bytes(), pixels) {
            return Err(DecodeError::Memory { width, height });
        }

        // A broken EXIF block is no reason to reject a good image.
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut image = DynamicImage::from_decoder(decoder).map_err(|error| explain(error, name, size, max_pixels))?;
        image.apply_orientation(orientation);
        Ok(planar(image))
    }

    /// A picture from a decoded image, by the same rules as [`decode`](Self::decode); `None` if it has no pixels.
    pub fn from_image(image: DynamicImage) -> Option<Picture> {
        (image.width() > 0 && image.height() > 0).then(|| planar(image))
    }
}

/// Whether the system grants the memory that decoding, rotating and fitting an image takes at a time. A Rust program ends where
/// memory is refused, so this asks beforehand; nothing of what is granted is touched.
fn has_memory(decoded: u64, pixels: u64) -> bool {
    let bytes = decoded.saturating_mul(3).saturating_add(pixels.saturating_mul(6));
    usize::try_from(bytes).is_ok_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok())
}

/// Recognises the format by its signature.
fn recognise(bytes: &[u8]) -> Option<(ImageFormat, &'static str)> {
    let format = image::guess_format(bytes).ok()?;
    let name = match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Bmp => "BMP",
        ImageFormat::WebP => "WebP",
        ImageFormat::Gif => "GIF",
        _ => return None,
    };
    Some((format, name))
}

fn damaged(format: &'static str, reason: &str) -> DecodeError {
    DecodeError::Damaged { format, reason: reason.to_owned() }
}

/// Converts the decoder's error; `size` is `(width, height)`, or zeros if unknown.
fn explain(error: ImageError, format: &'static str, (width, height): (u32, u32), max_pixels: u64) -> DecodeError {
    let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    match error {
        ImageError::Limits(_) if width > 0 => DecodeError::TooLarge { width, height, max_pixels },
        ImageError::Unsupported(error) => DecodeError::Unsupported { format, reason: one_line(error.to_string()) },
        ImageError::Decoding(error) => {
            // The outer error only repeats the format's name.
            let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            DecodeError::Damaged { format, reason: one_line(reason) }
        }
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            damaged(format, "the file ends before the image does")
        }
        other => DecodeError::Damaged { format, reason: one_line(other.to_string()) },
    }
}

/// Converts interleaved pixels of any depth to 8-bit planes, compositing transparency over white, or black where it must be.
fn planar(image: DynamicImage) -> Picture {
    let (height, width) = (image.height() as usize, image.width() as usize);
    let color = image.color();
    let pixels = match (color.has_color(), color.has_alpha()) {
        (false, false) => image.into_luma8().into_raw(),
        (false, true) => over_page::<1, 2>(image.into_luma_alpha8().as_raw()),
        (true, false) => split::<3>(image.into_rgb8().as_raw()),
        (true, true) => over_page::<3, 4>(image.into_rgba8().as_raw()),
    };
    Picture { channels: if color.has_color() { 3 } else { 1 }, height, width, pixels }
}

/// `[H, W, C]` to `[C, H, W]`.
fn split<const C: usize>(interleaved: &[u8]) -> Vec<u8> {
    let (pixels, _) = interleaved.as_chunks::<C>();
    let mut planes = vec![0; C * pixels.len()];
    for (channel, plane) in planes.chunks_exact_mut(pixels.len().max(1)).enumerate() {
        for (value, pixel) in plane.iter_mut().zip(pixels) {
            *value = pixel[channel];
        }
    }
    planes
}

/// Visible pixels that are darker than this in some channel can be seen on white.
const DARK: u8 = 190;

/// The brightness of the page below: white, but black if more than half of the image is transparent and no more than a
/// hundredth of what is visible could be seen on white.
fn page<const C: usize, const A: usize>(pixels: &[[u8; A]]) -> u32 {
    let (mut visible, mut dark) = (0, 0);
    for pixel in pixels.iter().filter(|pixel| pixel[C] >= 128) {
        visible += 1;
        dark += usize::from(pixel[..C].iter().any(|&value| value < DARK));
    }
    if visible > 0 && 2 * visible < pixels.len() && 100 * dark <= visible { 0 } else { 255 }
}

/// `[H, W, C + alpha]` to `[C, H, W]` over a page; `A` is C + 1.
fn over_page<const C: usize, const A: usize>(interleaved: &[u8]) -> Vec<u8> {
    let (pixels, _) = interleaved.as_chunks::<A>();
    let page = page::<C, A>(pixels);
    let mut planes = vec![0; C * pixels.len()];
    for (channel, plane) in planes.chunks_exact_mut(pixels.len().max(1)).enumerate() {
        for (value, pixel) in plane.iter_mut().zip(pixels) {
            let alpha = u32::from(pixel[C]);
            let sum = u32::from(pixel[channel]) * alpha + page * (255 - alpha);
            *value = ((sum + 127) / 255) as u8;
        }
    }
    planes
}
