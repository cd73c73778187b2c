//! Picture files that are decoded on demand, with a record of those that cannot be.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::picture::Picture;

/// The picture files of a dataset.
#[derive(Debug)]
pub(crate) struct PictureFiles {
    folder: PathBuf,
    /// Relative to the folder, or absolute.
    paths: Vec<PathBuf>,
    /// The files found unreadable so far, each with the reason.
    unreadable: Mutex<BTreeMap<PathBuf, String>>,
}

impl PictureFiles {
    /// Picture files, some of which may already be known to be unreadable.
    pub(crate) fn new(folder: PathBuf, paths: Vec<PathBuf>, unreadable: BTreeMap<PathBuf, String>) -> Self {
        Self { folder, paths, unreadable: Mutex::new(unreadable) }
    }

    /// The file's path.
    pub(crate) fn path(&self, place: usize) -> Option<PathBuf> {
        Some(self.folder.join(self.paths.get(place)?))
    }

    /// Reads and decodes a file. If that fails, records why and returns `None`.
    pub(crate) fn read(&self, place: usize) -> Option<Picture> {
        let path = self.path(place)?;
        match decode(&path) {
            Ok(picture) => Some(picture),
            Err(reason) => {
                self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).insert(path, reason);
                None
            }
        }
    }

    /// The files found unreadable so far, each with the reason, in the order of their paths.
    pub(crate) fn unreadable(&self) -> Vec<(PathBuf, String)> {
        let unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        unreadable.iter().map(|(path, reason)| (path.clone(), reason.clone())).collect()
    }

    /// Why a file is unreadable, if it was found to be.
    pub(crate) fn unreadable_reason(&self, place: usize) -> Option<String> {
        let path = self.path(place)?;
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned()
    }

    /// The file's path and size, which distinguish files without reading them.
    pub(crate) fn fingerprint(&self, place: usize) -> Vec<u8> {
        let Some(path) = self.paths.get(place) else { return Vec::new() };
        let size = std::fs::metadata(self.folder.join(path)).map_or(0, |metadata| metadata.len());
        [path.as_os_str().as_encoded_bytes(), &size.to_le_bytes()].concat()
    }
}

#[cfg(feature = "images")]
fn decode(path: &std::path::Path) -> Result<Picture, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    Picture::decode(&bytes).map_err(|error| error.to_string())
}

#[cfg(not(feature = "images"))]
fn decode(_path: &std::path::Path) -> Result<Picture, String> {
    Err("this build decodes no pictures".to_owned())
}
