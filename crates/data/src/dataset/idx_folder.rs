//! Folders of four IDX files, the form in which MNIST and its variants are published.

use std::path::Path;

use super::idx;
use super::image_set::ImageSet;
use super::splits::Splits;
use crate::error::DataError;
use crate::preprocess::Preprocess;

/// Training images and labels.
const TRAIN: [&str; 2] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"];
/// Test images and labels.
const TEST: [&str; 2] = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// Whether a folder has all four files, compressed or not.
pub(super) fn is_complete(folder: &Path) -> bool {
    TRAIN.iter().chain(&TEST).all(|file| idx::find(folder, file).is_ok())
}

/// Whether a folder has any of the four files, compressed or not.
pub(super) fn has_any(folder: &Path) -> bool {
    TRAIN.iter().chain(&TEST).any(|file| idx::find(folder, file).is_ok())
}

/// Reads a folder's four files as the dataset `name`. Without `class_names` the classes are named by their numbers.
pub(super) fn read(
    folder: &Path,
    name: String,
    class_names: Option<&[&str]>,
    preprocess: fn(&ImageSet) -> Preprocess,
) -> Result<Splits, DataError> {
    let read = |images: &str, labels: &str| {
        let (images, labels) = (idx::find(folder, images)?, idx::find(folder, labels)?);
        Ok::<_, DataError>((ImageSet::from_idx(&name, &images, &labels)?, images, labels))
    };
    let (train, _, train_labels) = read(TRAIN[0], TRAIN[1])?;
    let (test, test_images, test_labels) = read(TEST[0], TEST[1])?;
    if let (Some(found), Some(expected)) = (test.shape(), train.shape())
        && found != expected
    {
        return Err(DataError::SizeMismatch { path: test_images, found, expected });
    }
    let classes: Vec<String> = match class_names {
        Some(names) => names.iter().map(|&class| class.to_owned()).collect(),
        None => (0..=train.largest_label()).map(|label| label.to_string()).collect(),
    };
    for (set, path) in [(&train, train_labels), (&test, test_labels)] {
        if let Some((place, label)) = set.label_beyond(classes.len()) {
            return Err(DataError::Label { path, offset: 8 + place as u64, label, classes: classes.len() });
        }
    }
    let preprocess = Some(preprocess(&train));
    Ok(Splits { name, train, valid: None, test, classes, preprocess })
}

impl ImageSet {
    /// Reads images and labels from two IDX files, plain or compressed.
    ///
    /// # Errors
    /// If a file is missing, damaged or empty, or the numbers of images and labels differ.
    pub fn from_idx(name: &str, images_path: &Path, labels_path: &Path) -> Result<Self, DataError> {
        let images = idx::read_images(images_path)?;
        let labels = idx::read_labels(labels_path)?;
        if labels.len() != images.count {
            return Err(DataError::CountMismatch {
                labels_path: labels_path.to_owned(),
                images_path: images_path.to_owned(),
                labels: labels.len(),
                images: images.count,
            });
        }
        if labels.is_empty() {
            return Err(DataError::Empty { path: images_path.to_owned() });
        }
        let labels = labels.into_iter().map(u32::from).collect();
        Ok(Self::in_memory(name, [1, images.height, images.width], images.pixels, labels))
    }
}
