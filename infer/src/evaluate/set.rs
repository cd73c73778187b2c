//! Which images weights are evaluated on.

use std::collections::HashMap;

use burn_dataset::Dataset;
use clap::ValueEnum;
use kiln_data::{DataError, ImageSet, LabelledImage, LoadOptions, Splits, is_named, validation_count};
use kiln_model::weights::{Description, Provenance, Weights};

use super::error::EvaluateError;
use crate::printable;

/// A part of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Split {
    /// The images to learn from, without those that were held out when the weights were trained.
    Train,
    /// The images to choose by: the dataset's own, or those that were held out of the training images.
    Valid,
    /// The images to test on.
    Test,
    /// All of them, such as a folder of classes that nothing was ever split off.
    All,
}

impl Split {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
            Self::All => "all",
        }
    }
}

/// What the user says about the images.
#[derive(Clone, Debug)]
pub struct DatasetChoice {
    /// The dataset's name or path; `None` for the one that the weights were trained on.
    pub dataset: Option<String>,
    /// The part of it.
    pub split: Split,
    /// How many images of the part at most; `None` for all.
    pub limit: Option<usize>,
    /// How the dataset is found.
    pub load: LoadOptions,
}

/// The images of an evaluation.
#[derive(Clone, Debug)]
pub struct EvaluationSet {
    /// The dataset's name.
    pub dataset: String,
    /// The part of it.
    pub split: Split,
    /// Names of the dataset's classes.
    pub classes: Vec<String>,
    /// The images, one set after the other.
    pub(super) sets: Vec<ImageSet>,
}

impl DatasetChoice {
    /// Loads the dataset and takes the part.
    ///
    /// # Errors
    /// If nobody says which dataset, or it cannot be used or has no such part.
    pub fn load(&self, weights: &Weights) -> Result<EvaluationSet, EvaluateError> {
        let training = &weights.description().training;
        let name = match &self.dataset {
            Some(name) => name,
            None => named(weights)?,
        };
        let splits = Splits::load(name, &self.load)?;
        let dataset = splits.name.clone();
        let classes = splits.classes.clone();
        let mut sets = part(splits, self.split, training)?;
        if let Some(limit) = self.limit {
            let mut left = limit;
            for set in &mut sets {
                *set = set.first(left);
                left -= set.len().min(left);
            }
            sets.retain(|set| !set.is_empty());
        }
        Ok(EvaluationSet { dataset, split: self.split, classes, sets })
    }
}

/// The name of the dataset that weights were trained on.
fn named(weights: &Weights) -> Result<&str, EvaluateError> {
    let (path, dataset) = (weights.path().display().to_string(), &weights.description().training.dataset);
    match dataset.as_str() {
        "" => Err(EvaluateError::NoDataset { weights: path }),
        dataset if is_named(dataset) => Ok(dataset),
        dataset => Err(EvaluateError::Unnamed { weights: path, dataset: printable(dataset) }),
    }
}

/// The images of a part. Training images that were held out when weights were trained count as validation images, whatever the
/// dataset itself says, since that is what they were.
fn part(splits: Splits, split: Split, training: &Provenance) -> Result<Vec<ImageSet>, EvaluateError> {
    let Splits { name, train, valid, test, .. } = splits;
    let held_out = training.recipe.get("valid_split").and_then(serde_json::Value::as_f64).unwrap_or(0.);
    let (train, valid) = match split {
        Split::Train | Split::Valid if held_out > 0. && training.dataset == name => {
            let (wanted, len) = (validation_count(held_out, train.len()), train.len());
            let parts = train.split(wanted, training.seed);
            let (train, valid) = parts.map_err(|_| EvaluateError::HeldOut { dataset: name.clone(), wanted, len })?;
            (train, Some(valid))
        }
        _ => (train, valid),
    };
    Ok(match split {
        Split::Train => vec![train],
        Split::Valid => vec![valid.ok_or(EvaluateError::NoValid { dataset: name })?],
        Split::Test => vec![test],
        Split::All => [Some(train), valid, Some(test)].into_iter().flatten().collect(),
    })
}

impl EvaluationSet {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.sets.iter().map(ImageSet::len).sum()
    }

    /// Whether the images are in memory, not in files.
    pub fn is_in_memory(&self) -> bool {
        self.sets.iter().all(|set| set.shape().is_some())
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The dataset and the part, in words.
    pub fn title(&self) -> String {
        let dataset = printable(&self.dataset);
        match self.split {
            Split::All => dataset,
            split => format!("{dataset} ({})", split.name()),
        }
    }

    /// The network's class for each class of the dataset: by place if the names are the same, else by name.
    ///
    /// # Errors
    /// If one has a class that the other lacks, or names are not unique.
    pub fn classes_in(&self, weights: &Weights) -> Result<Vec<usize>, EvaluateError> {
        let Description { classes, .. } = weights.description();
        if *classes == self.classes {
            return Ok((0..classes.len()).collect());
        }
        let places: HashMap<_, _> = classes.iter().enumerate().map(|(place, name)| (name, place)).collect();
        let found: Vec<_> = self.classes.iter().filter_map(|name| places.get(name).copied()).collect();
        let mut reached = found.clone();
        reached.sort_unstable();
        reached.dedup();
        if found.len() == self.classes.len() && reached.len() == classes.len() && found.len() == classes.len() {
            return Ok(found);
        }
        Err(EvaluateError::Classes {
            weights: weights.path().display().to_string(),
            dataset: printable(&self.dataset),
            of_dataset: self.classes.clone(),
            of_weights: classes.clone(),
        })
    }

    /// The file of an image, or its number in its part of the dataset.
    pub fn source(&self, index: usize) -> String {
        let place = self.place(index);
        let path = place.and_then(|(set, within)| set.path(within));
        path.map_or_else(|| format!("image {index}"), |path| path.display().to_string())
    }

    /// An image; `None` if there is none of this number.
    pub(super) fn image(&self, index: usize) -> Option<LabelledImage> {
        let (set, within) = self.place(index)?;
        set.get(within)
    }

    /// The files that were found unreadable, each with the reason.
    pub fn unreadable(&self) -> Vec<(std::path::PathBuf, String)> {
        let mut files: Vec<_> = self.sets.iter().flat_map(ImageSet::unreadable).collect();
        files.sort();
        files.dedup();
        files
    }

    /// That not one of the images could be read.
    pub(super) fn none_read(&self) -> EvaluateError {
        let reason = self.unreadable().into_iter().next();
        let reason = reason.map_or_else(String::new, |(path, reason)| format!("{}: {reason}", path.display()));
        DataError::Unreadable { dataset: self.dataset.clone(), len: self.len(), reason }.into()
    }

    fn place(&self, mut index: usize) -> Option<(&ImageSet, usize)> {
        for set in &self.sets {
            if index < set.len() {
                return Some((set, index));
            }
            index -= set.len();
        }
        None
    }
}
