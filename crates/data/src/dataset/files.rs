//! Pictures in files, decoded when they are asked for; those that cannot be are remembered.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::picture::Picture;

/// Files of pictures in a folder.
#[derive(Debug)]
pub(crate) struct PictureFiles {
    folder: PathBuf,
    /// From the folder on, or whole.
    paths: Vec<PathBuf>,
    /// Those that could not be read so far, with the reasons.
    unreadable: Mutex<BTreeMap<PathBuf, String>>,
}

impl PictureFiles {
    /// Files of which some are known already not to be readable.
    pub(crate) fn new(folder: PathBuf, paths: Vec<PathBuf>, unreadable: BTreeMap<PathBuf, String>) -> Self {
        Self { folder, paths, unreadable: Mutex::new(unreadable) }
    }

    /// Decodes a file; `None` if that fails.
    pub(crate) fn read(&self, place: usize) -> Option<Picture> {
        let path = self.folder.join(self.paths.get(place)?);
        match decode(&path) {
            Ok(picture) => Some(picture),
            Err(reason) => {
                self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).insert(path, reason);
                None
            }
        }
    }

    pub(crate) fn unreadable(&self) -> Vec<(PathBuf, String)> {
        let unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        unreadable.iter().map(|(path, reason)| (path.clone(), reason.clone())).collect()
    }

    /// Why a file could not be read, if it could not.
    pub(crate) fn unreadable_reason(&self, place: usize) -> Option<String> {
        let path = self.folder.join(self.paths.get(place)?);
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned()
    }

    /// Name and size, which tell files apart without reading them.
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
