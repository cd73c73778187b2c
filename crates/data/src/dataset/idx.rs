//! The IDX format of MNIST and its variants: a magic number, big-endian dimensions, then the bytes.
//!
//! Images are `00 00 08 03`, count, height, width; labels `00 00 08 01`, count. Files may be compressed with gzip.
//! Source: <http://yann.lecun.com/exdb/mnist/> (the format's description).

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::error::DataError;

/// The longest side of an image, in pixels. A header that says more is taken to be damaged.
const MAX_SIDE: u32 = 4096;

/// The grey images of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdxImages {
    /// Number of images.
    pub count: usize,
    /// Rows of each image.
    pub height: usize,
    /// Columns of each image.
    pub width: usize,
    /// `[count, height, width]`, 0 = black.
    pub pixels: Vec<u8>,
}

/// Finds `name` or `name.gz` in a folder, preferring the uncompressed file.
///
/// # Errors
/// If neither exists.
pub fn find(folder: &Path, name: &str) -> Result<PathBuf, DataError> {
    [folder.join(name), folder.join(format!("{name}.gz"))]
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| DataError::NoFile { folder: folder.to_owned(), file: name.to_owned() })
}

/// Reads a file of images.
///
/// # Errors
/// If the file cannot be read, is of another kind, or is shorter or longer than its header says.
pub fn read_images(path: &Path) -> Result<IdxImages, DataError> {
    let mut reader = IdxReader::open(path)?;
    reader.magic([0, 0, 8, 3], "an IDX file of images (00 00 08 03)")?;
    let (count, height, width) = (reader.dimension()?, reader.dimension()?, reader.dimension()?);
    for (offset, name, side) in [(8, "height", height), (12, "width", width)] {
        if side == 0 || side > MAX_SIDE {
            let reason = format!("an image {name} of {side}, outside 1 to {MAX_SIDE}");
            return Err(DataError::Header { path: path.to_owned(), offset, reason });
        }
    }
    let pixels = reader.rest(u64::from(count) * u64::from(height) * u64::from(width))?;
    Ok(IdxImages { count: count as usize, height: height as usize, width: width as usize, pixels })
}

/// Reads a file of labels.
///
/// # Errors
/// If the file cannot be read, is of another kind, or is shorter or longer than its header says.
pub fn read_labels(path: &Path) -> Result<Vec<u8>, DataError> {
    let mut reader = IdxReader::open(path)?;
    reader.magic([0, 0, 8, 1], "an IDX file of labels (00 00 08 01)")?;
    let count = reader.dimension()?;
    reader.rest(u64::from(count))
}

/// A file's content, decompressed if necessary, with the current offset for error messages.
struct IdxReader<'a> {
    path: &'a Path,
    bytes: Box<dyn Read>,
    compressed: bool,
    offset: u64,
}

impl<'a> IdxReader<'a> {
    fn open(path: &'a Path) -> Result<Self, DataError> {
        let failed = |source| DataError::Read { path: path.to_owned(), source };
        let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(failed)?);
        // By content, not by name: a browser may have decompressed the file but kept the `.gz`.
        let compressed = std::io::BufRead::fill_buf(&mut file).map_err(failed)?.starts_with(&[0x1f, 0x8b]);
        let bytes: Box<dyn Read> = if compressed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        Ok(Self { path, bytes, compressed, offset: 0 })
    }

    /// Reads until `buffer` is full or the content ends; returns the number of bytes.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, DataError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.bytes.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(self.offset + filled as u64, error)),
            }
        }
        self.offset += filled as u64;
        Ok(filled)
    }

    fn broken(&self, offset: u64, source: std::io::Error) -> DataError {
        let path = self.path.to_owned();
        if self.compressed { DataError::Gzip { path, offset, source } } else { DataError::Read { path, source } }
    }

    fn magic(&mut self, expected: [u8; 4], kind: &'static str) -> Result<(), DataError> {
        let mut found = [0; 4];
        let filled = self.fill(&mut found)?;
        if filled == 4 && found == expected {
            return Ok(());
        }
        Err(DataError::Kind { path: self.path.to_owned(), expected: kind, found: found[..filled].to_vec() })
    }

    fn dimension(&mut self) -> Result<u32, DataError> {
        let mut bytes = [0; 4];
        let start = self.offset;
        if self.fill(&mut bytes)? < 4 {
            let expected = start + 4;
            return Err(DataError::Truncated { path: self.path.to_owned(), offset: self.offset, expected });
        }
        Ok(u32::from_be_bytes(bytes))
    }

    /// Reads the content after the header, which must be exactly `size` bytes.
    ///
    /// Memory grows with what is actually there, not with what a damaged header claims.
    fn rest(&mut self, size: u64) -> Result<Vec<u8>, DataError> {
        let expected = self.offset + size;
        let mut content = Vec::new();
        let mut chunk = vec![0; 1 << 16];
        while (content.len() as u64) < size {
            let wanted = (size - content.len() as u64).min(chunk.len() as u64) as usize;
            let filled = self.fill(&mut chunk[..wanted])?;
            content.extend_from_slice(&chunk[..filled]);
            if filled < wanted {
                return Err(DataError::Truncated { path: self.path.to_owned(), offset: self.offset, expected });
            }
        }
        // Reading past the end also makes the decompressor verify the checksum.
        if self.fill(&mut chunk[..1])? > 0 {
            return Err(DataError::Trailing { path: self.path.to_owned(), expected });
        }
        Ok(content)
    }
}
