//! What a dataset consists of, and how one is asked for.

use std::path::{Path, PathBuf};

use super::image_set::ImageSet;
use crate::preprocess::Preprocess;

/// A dataset ready for training and testing.
#[derive(Clone, Debug)]
pub struct Splits {
    /// The name under which runs and weights mention it.
    pub name: String,
    /// Images to learn from.
    pub train: ImageSet,
    /// Images to choose the best epoch by, where the dataset says which.
    pub valid: Option<ImageSet>,
    /// Images to test on.
    pub test: ImageSet,
    /// Names of the classes, by index.
    pub classes: Vec<String>,
    /// How an image becomes a network's input, where all images are alike; otherwise the network decides.
    pub preprocess: Option<Preprocess>,
}

/// Where a dataset may come from.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The first folder to look in, if given; downloads go to a folder in it named like the dataset.
    pub data_dir: Option<PathBuf>,
    /// Opens no socket.
    pub offline: bool,
    /// Leaves out classes whose folder cannot be read, instead of failing.
    pub skip_unreadable: bool,
}

/// The last part of a path, as a dataset's name in runs and weights.
pub(super) fn folder_name(folder: &Path) -> String {
    let full = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    full.file_name().map_or_else(|| "folder".to_owned(), |name| name.to_string_lossy().into_owned())
}
