//! Folders of pictures with one folder for each class.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::listing::{Listing, PictureList, TEST, TRAIN, VALID};
use super::progress::ScanProgress;
use super::splits::{Splits, folder_name};
use crate::error::DataError;
use crate::picture::{EXTENSIONS, has_picture_extension};

/// Reads a folder that contains `train` and `val` (and perhaps `test`), or the class folders themselves; in that case one
/// picture in five is used for testing. Classes are numbered in the order of their folders' names. Pictures may be nested
/// more deeply. Names that begin with a dot are skipped.
pub(super) fn read(folder: &Path, skip_unreadable: bool) -> Result<Splits, DataError> {
    let part = |names: &[&str]| {
        let mut parts: Vec<_> = folders(folder).filter(|path| is_called(path, names)).collect();
        parts.sort();
        parts.into_iter().next()
    };
    let train_folder = part(&TRAIN);
    if let (None, Some(found)) = (&train_folder, part(&[&VALID[..], &TEST].concat())) {
        return Err(DataError::NoTraining { found });
    }
    let find = |part: &Path| find(folder, part, skip_unreadable);
    let train = find(train_folder.as_deref().unwrap_or(folder))?;
    let [valid, test] = match train_folder {
        Some(_) => [part(&VALID), part(&TEST)].map(|path| path.map(|path| find(&path)).transpose()),
        None => [Ok(None), Ok(None)],
    };
    Listing { name: folder_name(folder), given: folder, folder, train, valid: valid?, test: test? }.splits()
}

/// The folders directly in a folder.
fn folders(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir())
}

/// Whether the last part of a path is one of these names, in upper or lower case.
fn is_called(path: &Path, names: &[&str]) -> bool {
    path.file_name().is_some_and(|found| names.iter().any(|name| found.eq_ignore_ascii_case(name)))
}

/// The pictures in the class folders of `part`, sorted by path; the paths are relative to `folder`, which contains `part`.
/// Other file systems mounted below are not searched.
fn find(folder: &Path, part: &Path, skip_unreadable: bool) -> Result<PictureList, DataError> {
    let mut found = PictureList::default();
    // Class folders in which no picture was found yet.
    let mut empty = BTreeSet::new();
    let mut progress = ScanProgress::new(part);
    let hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
    let walk =
        WalkDir::new(part).min_depth(1).follow_links(true).same_file_system(true).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(|entry| entry.depth() == 0 || !hidden(entry.file_name())) {
        progress.next();
        let entry = match entry {
            Ok(entry) => entry,
            // A dangling link, or one to a folder that contains it.
            Err(error) => {
                let path = error.path().unwrap_or(part).to_owned();
                if error.depth() == 1 && path.is_dir() && !skip_unreadable {
                    return Err(DataError::UnreadableClass { path, source: error.into() });
                }
                found.unreadable.insert(path, error.to_string());
                continue;
            }
        };
        if entry.depth() == 1 && entry.file_type().is_dir() {
            empty.insert(entry.file_name().to_owned());
        }
        if entry.depth() < 2 || !has_picture_extension(entry.path()) || !entry.file_type().is_file() {
            continue;
        }
        let within = entry.path().strip_prefix(part).unwrap_or(entry.path());
        let class = within.iter().next().unwrap_or_default();
        empty.remove(class);
        let class = class.to_string_lossy().into_owned();
        let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        found.pictures.push((path.to_owned(), class));
    }
    if found.pictures.is_empty() {
        return Err(DataError::NoPictures { folder: part.to_owned(), endings: EXTENSIONS.join(", ") });
    }
    match empty.first().filter(|_| !skip_unreadable) {
        Some(class) => Err(DataError::EmptyClass { path: part.join(class) }),
        None => Ok(found),
    }
}
