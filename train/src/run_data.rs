//! The images of a run: the dataset, split and limited as the options say.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use burn_dataset::Dataset;
use kiln_cli::{Exit, Failure};
use kiln_data::{Augment, DataError, ImageSet, Loader, LoaderConfig, Preprocess, Source, Splits};

use kiln_model::{Architecture, Sizes, Tally};

use crate::config::Config;

/// The data of a run, split as its options say.
#[derive(Clone, Debug)]
pub struct RunData {
    /// The dataset's name.
    pub name: String,
    /// Images to learn from.
    pub train: ImageSet,
    /// Images to choose the best epoch by: the test set, unless the dataset has others or a part of the training set was put
    /// aside.
    pub valid: ImageSet,
    /// Whether the images to choose by are those to test on.
    pub validates_on_test: bool,
    /// Images to test on.
    pub test: ImageSet,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// How an image becomes the network's input.
    pub preprocess: Preprocess,
}

impl RunData {
    /// Loads the dataset and splits it as the options say.
    pub(crate) fn load(config: &Config) -> Result<Self, Failure> {
        let source = Source { data_dir: config.data_dir.clone(), offline: config.offline };
        let Splits { name, train, valid, test, classes, preprocess } = Splits::load(&config.dataset, &source)?;
        let preprocess = fitted(preprocess.unwrap_or_else(|| of_pictures(config.model)), config);
        let shape = [preprocess.channels, preprocess.height, preprocess.width];
        if !config.model.takes(shape) {
            let expected = config.model.input();
            let what = format!("--model {}: takes images of {expected:?}, {name} has {shape:?}", config.model);
            return Err(Failure::new(Exit::Usage, what));
        }
        let (train, valid) = if config.valid_split == 0. {
            (train, valid)
        } else {
            train.split(config.validation_count(train.len()), config.seed).map(|(train, valid)| (train, Some(valid)))?
        };
        let has_valid = valid.is_some();
        let first = |set: ImageSet, limit: Option<usize>| limit.map_or(set.clone(), |limit| set.first(limit));
        let test = first(test, config.limit_test);
        let valid = valid.unwrap_or_else(|| test.clone());
        let train = first(train, config.limit_train);
        Ok(Self { name, train, valid, validates_on_test: !has_valid, test, classes, preprocess })
    }

    /// What a network is made for that learns from these images.
    pub(crate) fn sizes(&self, config: &Config) -> Sizes {
        let model = config.model;
        Sizes {
            channels: self.preprocess.channels,
            auxiliary: model.has_auxiliary(),
            transform_input: config.transform_input == Some(true),
            ..model.sizes(self.classes.len())
        }
    }

    /// Checks what options ask of the data.
    pub(crate) fn check(&self, config: &Config) -> Result<(), Failure> {
        /// Numbers of the largest batch, of four bytes each.
        const LARGEST: usize = 1 << 31;
        let Preprocess { channels, height, width, .. } = self.preprocess;
        let usage = |what: String| Err(Failure::new(Exit::Usage, what));
        config.loss(self)?;
        if config.transform_input == Some(true) && channels != 3 {
            return usage(format!(
                "--transform-input true: wants images of 3 channels, {} gives {channels}",
                self.name
            ));
        }
        let images = config.batch_size.min(self.train.len().max(self.valid.len()));
        if images.saturating_mul(channels * height * width) > LARGEST {
            let (size, shape) = (config.batch_size, [channels, height, width]);
            return usage(format!(
                "--batch-size {size}: a batch of images of {shape:?} is too large; take a smaller one"
            ));
        }
        Ok(())
    }

    /// The pictures that were found not to be readable so far.
    pub(crate) fn unreadable(&self) -> BTreeSet<PathBuf> {
        let sets = [&self.train, &self.valid, &self.test];
        sets.iter().flat_map(|set| set.unreadable()).map(|(path, _)| path).collect()
    }

    /// Batches to learn from: shuffled, and augmented if that is wanted.
    pub(crate) fn train_loader(&self, config: &Config) -> Loader {
        let augment = config.augment.augment().map(|augment| (augment, config.seed));
        self.loader(&self.train, config, Some(config.seed), augment)
    }

    /// Batches of one of the sets as it is.
    pub(crate) fn test_loader(&self, set: &ImageSet, config: &Config) -> Loader {
        self.loader(set, config, None, None)
    }

    fn loader(&self, set: &ImageSet, config: &Config, shuffle: Option<u64>, augment: Option<(Augment, u64)>) -> Loader {
        let options = LoaderConfig { batch_size: config.batch_size, shuffle, workers: config.workers, augment };
        Loader::new(&self.name, Arc::new(set.clone()), &self.preprocess, options)
    }

    /// Weights of the classes by which all count alike, however many training images each has: all images over classes times
    /// the class's images, as in scikit-learn.
    pub(crate) fn balanced_weights(&self) -> Vec<f64> {
        let classes = self.classes.len();
        let mut counts = vec![0; classes];
        self.train.labels().for_each(|label| counts[label] += 1);
        counts.iter().map(|&count| self.train.len() as f64 / (classes * count.max(1)) as f64).collect()
    }
}

/// Fails if none of a set's pictures was counted, since none could be read.
///
/// # Errors
/// That.
pub(crate) fn check_read(set: &ImageSet, tally: &Tally) -> Result<(), Failure> {
    if tally.count > 0 {
        return Ok(());
    }
    let (path, reason) = set.unreadable().into_iter().next().unwrap_or_default();
    let reason = format!("{}: {reason}", path.display());
    Err(DataError::Unreadable { dataset: set.name().to_owned(), len: set.len(), reason }.into())
}

/// How pictures become a network's input where the dataset does not say.
fn of_pictures(model: Architecture) -> Preprocess {
    let [_, height, width] = model.input();
    match model {
        _ if Architecture::LECTURE.contains(&model) || model.published().is_some() => model.preprocess(),
        _ => Preprocess::imagenet(height, width, height),
    }
}

/// With the sizes and ways that the options ask for.
fn fitted(mut preprocess: Preprocess, config: &Config) -> Preprocess {
    if let Some(side) = config.img_size {
        let resize_to = &mut preprocess.resize.resize_to;
        *resize_to = resize_to.map(|shorter| (shorter * side + preprocess.height / 2) / preprocess.height);
        (preprocess.height, preprocess.width) = (side, side);
    }
    if let Some(mode) = config.resize_mode {
        preprocess.set_resize_mode(mode.into());
    }
    if let Some(channels) = config.in_chans.filter(|&channels| channels != preprocess.channels) {
        let spread = |values: &[f32]| vec![values.iter().sum::<f32>() / values.len() as f32; channels];
        (preprocess.mean, preprocess.std) = (spread(&preprocess.mean), spread(&preprocess.std));
        preprocess.channels = channels;
    }
    preprocess
}
