//! Picture files with class names, as found in a folder or listed in a table, and the dataset they make up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use burn_dataset::Dataset as _;

use super::files::PictureFiles;
use super::image_set::ImageSet;
use super::splits::Splits;
use crate::error::DataError;
use crate::picture::EXTENSIONS;

/// Names of the part to train on.
pub(super) const TRAIN: [&str; 2] = ["train", "training"];
/// Names of the part to validate on.
pub(super) const VALID: [&str; 3] = ["val", "valid", "validation"];
/// Names of the part to test on.
pub(super) const TEST: [&str; 1] = ["test"];

/// If no test pictures are given, one in this many is taken. The seed is fixed so that every run has the same ones.
const TEST_SHARE: usize = 5;
const TEST_SEED: u64 = 0;

/// The most classes a dataset may have; with more, the labels are probably something else.
const MOST_CLASSES: usize = 10_000;

/// Pictures, each with the name of its class.
#[derive(Default)]
pub(super) struct PictureList {
    pub(super) pictures: Vec<(PathBuf, String)>,
    /// Paths that could not be examined, each with the reason.
    pub(super) unreadable: BTreeMap<PathBuf, String>,
}

/// The parts of a dataset, before classes are numbered.
pub(super) struct Listing<'a> {
    pub(super) name: String,
    /// The folder or table that the user named.
    pub(super) given: &'a Path,
    /// The folder that the pictures' paths are relative to.
    pub(super) folder: &'a Path,
    pub(super) train: PictureList,
    pub(super) valid: Option<PictureList>,
    pub(super) test: Option<PictureList>,
}

impl Listing<'_> {
    /// Numbers the classes and makes the splits.
    pub(super) fn splits(self) -> Result<Splits, DataError> {
        let Self { name, given, folder, train, valid, test } = self;
        let classes: BTreeSet<_> = train.pictures.iter().map(|(_, class)| class.clone()).collect();
        let classes: Vec<_> = classes.into_iter().collect();
        if classes.len() < 2 {
            return Err(DataError::Classes { path: given.to_owned(), found: classes.first().cloned() });
        }
        if classes.len() > MOST_CLASSES {
            return Err(DataError::TooManyClasses { path: given.to_owned(), found: classes.len(), most: MOST_CLASSES });
        }
        let set = |part: PictureList| part.into_set(&name, folder, &classes);
        let train = set(train)?;
        let (valid, test) = (valid.map(set).transpose()?, test.map(set).transpose()?);
        let (train, valid, test) = match (valid, test) {
            (valid, Some(test)) => (train, valid, test),
            // As in torchvision's training scripts, `val` serves as the test set.
            (Some(valid), None) => (train, None, valid),
            (None, None) => {
                let count = (train.len() / TEST_SHARE).max(1);
                let (train, test) = train.split(count, TEST_SEED)?;
                (train, None, test)
            }
        };
        Ok(Splits { name, train, valid, test, classes, preprocess: None })
    }
}

impl PictureList {
    fn into_set(self, name: &str, folder: &Path, classes: &[String]) -> Result<ImageSet, DataError> {
        let Self { pictures, unreadable } = self;
        let (mut paths, mut labels) = (Vec::with_capacity(pictures.len()), Vec::with_capacity(pictures.len()));
        for (path, class) in pictures {
            let Ok(label) = classes.binary_search(&class) else {
                return Err(DataError::UnknownClass { path: folder.join(path), class });
            };
            paths.push(path);
            labels.push(label as u32);
        }
        if paths.is_empty() {
            return Err(DataError::NoPictures { folder: folder.to_owned(), endings: EXTENSIONS.join(", ") });
        }
        Ok(ImageSet::in_files(name, PictureFiles::new(folder.to_owned(), paths, unreadable), labels))
    }
}
