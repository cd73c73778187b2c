//! The images of a run: the dataset, split and limited as the options say.

use std::sync::Arc;

use burn_dataset::Dataset;
use kiln_cli::{Exit, Failure};
use kiln_data::{ImageSet, Loader, LoaderConfig, Preprocess, Source, Splits};

use kiln_model::{Architecture, Sizes};

use crate::config::Config;

/// The data of a run, split as its options say.
#[derive(Clone, Debug)]
pub struct RunData {
    /// The dataset's name.
    pub name: String,
    /// Images to learn from.
    pub train: ImageSet,
    /// Images to choose the best epoch by: the test set, unless a part of the training set was put aside.
    pub valid: ImageSet,
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
        let Splits { name, train, test, classes, preprocess } = Splits::load(&config.dataset, &source)?;
        if !config.model.takes(train.shape()) {
            let expected = config.model.input();
            let what =
                format!("--model {}: takes images of {expected:?}, {name} has {:?}", config.model, train.shape());
            return Err(Failure::new(Exit::Usage, what));
        }
        let (train, valid) = if config.valid_split == 0. {
            (train, None)
        } else {
            train.split(config.validation_count(train.len()), config.seed).map(|(train, valid)| (train, Some(valid)))?
        };
        let first = |set: ImageSet, limit: Option<usize>| limit.map_or(set.clone(), |limit| set.first(limit));
        let test = first(test, config.limit_test);
        let valid = valid.unwrap_or_else(|| test.clone());
        Ok(Self { name, train: first(train, config.limit_train), valid, test, classes, preprocess })
    }

    /// What a network is made for that learns from these images.
    pub(crate) fn sizes(&self, model: Architecture) -> Sizes {
        let [channels, ..] = self.train.shape();
        Sizes { channels, auxiliary: model.has_auxiliary(), ..model.sizes(self.classes.len()) }
    }

    /// Batches of one of the sets, shuffled by a seed or in order.
    pub(crate) fn loader(&self, set: &ImageSet, config: &Config, shuffle: Option<u64>) -> Loader {
        let options = LoaderConfig { batch_size: config.batch_size, shuffle, workers: config.workers };
        Loader::new(&self.name, Arc::new(set.clone()), &self.preprocess, options)
    }
}
