//! The images in a folder.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use kiln_data::picture::has_picture_extension;
use walkdir::{DirEntry, WalkDir};

use super::{ErrorCode, Found, InputError, Source, Sources, unless_empty};

/// The image files in a folder, and in those below it if `recursive`, in the order of their names: those with a known
/// extension, and others that begin like an image. Names that begin with a dot are passed over, as shells do.
pub(super) fn sources(folder: &Path, recursive: bool) -> Sources {
    let depth = if recursive { usize::MAX } else { 1 };
    let walk = WalkDir::new(folder).min_depth(1).max_depth(depth).follow_links(true).same_file_system(true);
    let hidden = |entry: &DirEntry| entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".");
    let walk = walk.sort_by_file_name().into_iter().filter_entry(move |entry| !hidden(entry));
    let error = InputError::new(folder.display(), ErrorCode::NoImages, "no images in this folder");
    unless_empty(walk.filter_map(found), error)
}

/// The source that an entry of a folder is, if it is one.
fn found(entry: walkdir::Result<DirEntry>) -> Option<Found> {
    match entry {
        Ok(entry) => is_image(entry.path()).then(|| Ok(Source::InFolder(entry.into_path()))),
        Err(error) => {
            let path = error.path().map(Path::to_owned).unwrap_or_default();
            // A dangling link that is called like an image, or a folder that cannot be read or lies in itself.
            let counts = is_image(&path) || path.is_dir();
            let reason = error.into_io_error().unwrap_or_else(|| io::Error::other("a link to a folder above it"));
            counts.then(|| Err(InputError::system(path.display(), &reason)))
        }
    }
}

fn is_image(path: &Path) -> bool {
    // Called an image, it is one whatever it holds: a damaged one is reported, not passed over.
    let known = has_picture_extension(path);
    match fs::metadata(path) {
        // Opening a pipe would wait for its writer: only files.
        Ok(metadata) => metadata.is_file() && (known || begins_like_an_image(path)),
        // A dangling link: reading it will say what is wrong.
        Err(_) => known,
    }
}

/// Whether a file has the signature of one of the formats that are decoded.
fn begins_like_an_image(path: &Path) -> bool {
    let mut start = [0; 12];
    let Ok(read) = File::open(path).and_then(|file| file.take(12).read(&mut start)) else { return false };
    match &start[..read] {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] | [0xFF, 0xD8, 0xFF, ..] => true,
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => true,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P'] => true,
        // Four reserved bytes keep texts that begin with "BM" out.
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => true,
        _ => false,
    }
}
