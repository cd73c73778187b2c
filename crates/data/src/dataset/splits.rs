//! A loaded dataset, and the options for loading one.

use std::path::{Path, PathBuf};

use super::image_set::ImageSet;
use crate::preprocess::Preprocess;

/// A dataset, split for training and testing.
#[derive(Clone, Debug)]
pub struct Splits {
    /// The name that appears in runs and weights files.
    pub name: String,
    /// The training images.
    pub train: ImageSet,
    /// The validation images, if the dataset comes with its own.
    pub valid: Option<ImageSet>,
    /// The test images.
    pub test: ImageSet,
    /// The class names, by index.
    pub classes: Vec<String>,
    /// The preprocessing that suits the images; `None` for picture files of any size, where the network decides.
    pub preprocess: Option<Preprocess>,
}

/// How a dataset is found and loaded.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The folder searched first. Downloads go to a folder in it that is named after the dataset.
    pub data_dir: Option<PathBuf>,
    /// Never use the network.
    pub offline: bool,
    /// Skip classes whose folder cannot be read, instead of failing.
    pub skip_unreadable: bool,
}

/// How many of `len` training images a validation split is for: a share of them if it is below 1, else their number.
pub fn validation_count(split: f64, len: usize) -> usize {
    if split < 1. { (split * len as f64).round() as usize } else { split as usize }
}

/// The last part of a path, which is the name of a dataset given by path.
pub(super) fn folder_name(folder: &Path) -> String {
    let full = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    full.file_name().map_or_else(|| "folder".to_owned(), |name| name.to_string_lossy().into_owned())
}
