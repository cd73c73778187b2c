//! Recognising picture files by name.

use std::path::Path;

/// The file name extensions of the formats that can be decoded, in lower case.
pub const EXTENSIONS: [&str; 10] = ["png", "apng", "jpg", "jpeg", "jpe", "jfif", "bmp", "dib", "webp", "gif"];

/// Whether a file's extension is one of [`EXTENSIONS`], in upper or lower case.
pub fn has_picture_extension(path: &Path) -> bool {
    path.extension().is_some_and(|found| EXTENSIONS.iter().any(|known| found.eq_ignore_ascii_case(known)))
}
