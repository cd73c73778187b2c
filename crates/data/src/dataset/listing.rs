//! Pictures in files with the names of their classes, as a folder or a table gives them, made into a dataset.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use burn_dataset::Dataset as _;

use super::files::PictureFiles;
use super::image_set::ImageSet;
use super::splits::Splits;
use crate::error::DataError;
use crate::picture::EXTENSIONS;

/// What a folder of training pictures and those beside it are called.
pub(super) const TRAIN: [&str; 2] = ["train", "training"];
pub(super) const VALID: [&str; 3] = ["val", "valid", "validation"];
pub(super) const TEST: [&str; 1] = ["test"];

/// Where nothing says which pictures are to test on: one of so many, chosen by this seed alone, so that all runs have the
/// same.
const TEST_SHARE: usize = 5;
const TEST_SEED: u64 = 0;

/// More classes than this are labels of something else.
const MOST_CLASSES: usize = 10_000;

/// Pictures that are found, each with its class's name.
#[derive(Default)]
pub(super) struct PictureList {
    pub(super) pictures: Vec<(PathBuf, String)>,
    /// What could not be looked at, with the reason.
    pub(super) unreadable: BTreeMap<PathBuf, String>,
}

/// The parts of a dataset whose classes have only names yet.
pub(super) struct Listing<'a> {
    pub(super) name: String,
    /// What the user named.
    pub(super) given: &'a Path,
    /// What the paths of pictures start from.
    pub(super) folder: &'a Path,
    pub(super) train: PictureList,
    pub(super) valid: Option<PictureList>,
    pub(super) test: Option<PictureList>,
}

impl Listing<'_> {
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
            // As torchvision's scripts have it.
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
