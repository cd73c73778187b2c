//! From a source to a network's pixels: read, decode, fit.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use kiln_data::picture::DecodeError;
use kiln_data::preprocess::Fitted;
use kiln_data::{Picture, Preprocess, open};

use crate::inputs::{ErrorCode, InputError, Source};

/// The longest file that is read: 100 megapixels of RGBA fit, an endless pipe does not.
pub const MAX_BYTES: u64 = 512 << 20;

/// An image ready for the network.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Where it came from.
    pub source: Source,
    /// Its pixels `[C, H, W]`, and what was done to get them.
    pub fitted: Fitted,
    /// Each digit of it by itself, from left to right, if they were asked for.
    pub digits: Option<Vec<Fitted>>,
    /// Time to read and decode it.
    pub decode: Duration,
    /// Time to fit it.
    pub preprocess: Duration,
}

/// Reads, decodes and fits an image of at most `max_pixels` pixels.
///
/// # Errors
/// If there is no such file, or it is no image.
pub fn prepare(source: Source, preprocess: &Preprocess, max_pixels: u64) -> Result<Prepared, InputError> {
    let start = Instant::now();
    let bytes = read(&source)?;
    let read = start.elapsed();
    match prepare_bytes(source.clone(), &bytes, preprocess, max_pixels) {
        Ok(prepared) => Ok(Prepared { decode: read + prepared.decode, ..prepared }),
        Err(error) => Err(InputError::decode(source, &error)),
    }
}

/// Decodes and fits the bytes of an image file of at most `max_pixels` pixels.
///
/// # Errors
/// If they are no image.
pub fn prepare_bytes(
    source: Source,
    bytes: &[u8],
    preprocess: &Preprocess,
    max_pixels: u64,
) -> Result<Prepared, DecodeError> {
    let start = Instant::now();
    let picture = Picture::decode_within(bytes, max_pixels)?;
    let decoded = Instant::now();
    let fitted = preprocess.pixels(&picture);
    Ok(Prepared { source, fitted, digits: None, decode: decoded - start, preprocess: decoded.elapsed() })
}

/// As [`prepare`], with each digit of the image by itself too.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_digits(source: Source, preprocess: &Preprocess, max_pixels: u64) -> Result<Prepared, InputError> {
    let start = Instant::now();
    let picture = read_picture(&source, max_pixels)?;
    let decoded = Instant::now();
    let digits = preprocess.digits(&picture);
    // The largest stands for the image.
    let largest = digits.iter().max_by_key(|digit| digit.region.height);
    let fitted = largest.cloned().unwrap_or_else(|| preprocess.pixels(&picture));
    Ok(Prepared { source, fitted, digits: Some(digits), decode: decoded - start, preprocess: decoded.elapsed() })
}

/// Reads and decodes an image of at most `max_pixels` pixels.
///
/// # Errors
/// If there is no such file, or it is no image.
pub fn read_picture(source: &Source, max_pixels: u64) -> Result<Picture, InputError> {
    let bytes = read(source)?;
    Picture::decode_within(&bytes, max_pixels).map_err(|error| InputError::decode(source, &error))
}

fn read(source: &Source) -> Result<Vec<u8>, InputError> {
    let bytes = match source {
        Source::File(path) | Source::InFolder(path) => open(path).and_then(|file| {
            let length = file.metadata()?.len();
            // A file that says itself that it is too long need not be read.
            if length > MAX_BYTES { Ok(None) } else { read_all(file, length as usize) }
        }),
        Source::Standard => read_all(io::stdin().lock(), 0),
    };
    let too_large = || {
        let what = format!("the file is too large: more than {} MB", MAX_BYTES >> 20);
        InputError::new(source, ErrorCode::TooLarge, what)
    };
    bytes.map_err(|error| InputError::system(source, &error))?.ok_or_else(too_large)
}

/// All bytes; `None` if there are more than [`MAX_BYTES`].
fn read_all(reader: impl Read, expected: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::with_capacity(expected);
    reader.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= MAX_BYTES).then_some(bytes))
}
