//! The images of a folder.

use std::fs::{self, File};
use std::io::Read;
use std::iter::once;
use std::path::{Path, PathBuf};

use super::{ErrorCode, InputError, Source, Sources, unless_empty};

/// Extensions that make a file an image whatever it holds; a damaged one is then reported, not passed over.
const EXTENSIONS: [&str; 10] = ["png", "jpg", "jpeg", "jpe", "jfif", "bmp", "dib", "webp", "gif", "apng"];

/// The image files directly in a folder, sorted by name: those with a known extension, and others that begin like an
/// image. Hidden files (`.name`) are passed over, as shells do.
pub(super) fn sources(folder: &Path) -> Sources {
    let listed = fs::read_dir(folder).and_then(|entries| {
        let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
        names.collect::<Result<Vec<_>, _>>()
    });
    let mut names = match listed {
        Ok(names) => names,
        Err(error) => return Box::new(once(Err(InputError::system(folder.display(), &error)))),
    };
    names.retain(|name| !name.as_encoded_bytes().starts_with(b"."));
    names.sort_unstable();
    let error = InputError::new(folder.display(), ErrorCode::NoImages, "no images in this folder");
    let folder = folder.to_owned();
    let paths = names.into_iter().map(move |name| folder.join(name));
    unless_empty(paths.filter(is_image).map(|path| Ok(Source::File(path))), error)
}

fn is_image(path: &PathBuf) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    let known = extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()));
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
