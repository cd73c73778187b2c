//! The images of a run: the dataset, split and limited as the options say.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Error;
use burn_dataset::Dataset;
use kiln_data::{Augment, DataError, ImageSet, LoadOptions, Loader, LoaderConfig, Preprocess, Splits};
use kiln_model::{Architecture, Metrics, Sizes};

use crate::loss::Loss;
use crate::options::recipe::Recipe;
use crate::options::{ClassWeights, Options};

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
    pub(crate) fn load(options: &Options) -> Result<Self, Error> {
        let Options { recipe, machine } = options;
        let load_options = LoadOptions {
            data_dir: machine.data_dir.clone(),
            offline: machine.offline,
            skip_unreadable: recipe.skip_unreadable,
        };
        let Splits { name, train, valid, test, classes, preprocess } = Splits::load(&recipe.dataset, &load_options)?;
        let preprocess = fitted(preprocess.unwrap_or_else(|| of_pictures(recipe.model)), recipe)?;
        let shape = [preprocess.channels, preprocess.height, preprocess.width];
        if !recipe.model.takes(shape) {
            return Err(Error::option(
                format!("model {}", recipe.model),
                format!(
                    "takes images {}, but would get {shape:?} [channels, height, width]",
                    recipe.model.takes_in_words()
                ),
            ));
        }
        let (train, valid) = if recipe.valid_split == 0. {
            (train, valid)
        } else {
            let count = recipe.validation_count(train.len());
            train.split(count, recipe.seed).map(|(train, valid)| (train, Some(valid)))?
        };
        let has_valid = valid.is_some();
        let first = |set: ImageSet, limit: Option<usize>| limit.map_or(set.clone(), |limit| set.first(limit));
        let test = first(test, recipe.limit_test);
        let valid = valid.unwrap_or_else(|| test.clone());
        let train = first(train, recipe.limit_train);
        let data = Self { name, train, valid, validates_on_test: !has_valid, test, classes, preprocess };
        data.check_batch_size(recipe)?;
        Ok(data)
    }

    /// What the validation set is called in lines.
    pub(crate) fn valid_name(&self) -> &'static str {
        if self.validates_on_test { "test" } else { "validation" }
    }

    /// What a network is made for that learns from these images.
    pub(crate) fn sizes(&self, model: Architecture) -> Sizes {
        Sizes {
            channels: self.preprocess.channels,
            auxiliary: model.has_auxiliary(),
            ..model.sizes(self.classes.len())
        }
    }

    fn check_batch_size(&self, recipe: &Recipe) -> Result<(), Error> {
        /// Numbers of the largest batch, of four bytes each.
        const LARGEST: usize = 1 << 31;
        let Preprocess { channels, height, width, .. } = self.preprocess;
        let images = recipe.batch_size.min(self.train.len().max(self.valid.len()));
        if images.saturating_mul(channels * height * width) > LARGEST {
            let (size, shape) = (recipe.batch_size, [channels, height, width]);
            let reason = format!("a batch of images of {shape:?} is too large; take a smaller one");
            return Err(Error::option(format!("batch-size {size}"), reason));
        }
        Ok(())
    }

    /// The loss over these images.
    ///
    /// # Errors
    /// If there are not as many class weights as classes.
    pub(crate) fn loss(&self, recipe: &Recipe) -> Result<Loss, Error> {
        let classes = self.classes.len();
        let class_weights = match &recipe.class_weights {
            None => Vec::new(),
            Some(ClassWeights::Balanced) => self.balanced_weights(),
            Some(ClassWeights::Given(weights)) if weights.len() == classes => weights.clone(),
            Some(ClassWeights::Given(weights)) => {
                let count = weights.len();
                let reason = format!("{count} numbers, but {} has {classes} classes", self.name);
                return Err(Error::option("class-weights", reason));
            }
        };
        Ok(Loss { label_smoothing: recipe.label_smoothing, class_weights })
    }

    /// What a run on these images is about, in words, with a checksum of the images and their classes.
    pub(crate) fn subject(&self, recipe: &Recipe) -> String {
        let sum = self.valid.checksum(self.train.checksum(0));
        format!(
            "{}, {} classes, {} + {} images (checksum {sum:08x}), batches of {}, seed {}",
            recipe.model,
            self.classes.len(),
            self.train.len(),
            self.valid.len(),
            recipe.batch_size,
            recipe.seed
        )
    }

    /// The pictures that were found not to be readable so far.
    pub(crate) fn unreadable(&self) -> BTreeSet<PathBuf> {
        let sets = [&self.train, &self.valid, &self.test];
        sets.iter().flat_map(|set| set.unreadable()).map(|(path, _)| path).collect()
    }

    /// A line for each picture that was left out and is not among those `told` of, a few at a time.
    pub(crate) fn tell_unreadable(&self, told: &mut BTreeSet<PathBuf>) -> Vec<String> {
        /// How many are named at once.
        const NAMED: usize = 20;
        let found = [&self.train, &self.valid].map(ImageSet::unreadable);
        let new: Vec<_> = found.into_iter().flatten().filter(|(path, _)| told.insert(path.clone())).collect();
        let line = |(path, reason): &(PathBuf, String)| {
            // A name may hold anything, a line is one line.
            format!("left out: {}: {reason}", path.display().to_string().replace(char::is_control, "?"))
        };
        let more = new.len().saturating_sub(NAMED);
        let more = (more > 0).then(|| format!("left out: {more} more that cannot be read"));
        new.iter().take(NAMED).map(line).chain(more).collect()
    }

    /// Fails if a class has pictures to learn from, but none of them can be read.
    pub(crate) fn check_classes(&self, recipe: &Recipe) -> Result<(), Error> {
        match self.train.unreadable_classes().into_iter().next() {
            Some((class, reason)) if !recipe.skip_unreadable => {
                let source = format!("none of its pictures can; one of them: {reason}").into();
                Err(DataError::UnreadableClass { path: self.classes[class].clone().into(), source }.into())
            }
            _ => Ok(()),
        }
    }

    /// Batches to learn from: shuffled, and augmented if that is wanted.
    pub(crate) fn train_loader(&self, options: &Options) -> Loader {
        let Recipe { augment, seed, .. } = &options.recipe;
        let augment = augment.augment().map(|augment| (augment, *seed));
        self.loader(&self.train, options, Some(*seed), augment)
    }

    /// Batches of one of the sets as it is.
    pub(crate) fn test_loader(&self, set: &ImageSet, options: &Options) -> Loader {
        self.loader(set, options, None, None)
    }

    fn loader(
        &self,
        set: &ImageSet,
        options: &Options,
        shuffle: Option<u64>,
        augment: Option<(Augment, u64)>,
    ) -> Loader {
        let (batch_size, workers) = (options.recipe.batch_size, options.machine.workers);
        let config = LoaderConfig { batch_size, shuffle, workers, augment };
        Loader::new(&self.name, Arc::new(set.clone()), &self.preprocess, config)
    }

    /// Weights of the classes by which all count alike, however many training images each has: all images over classes times
    /// the class's images, as in scikit-learn.
    fn balanced_weights(&self) -> Vec<f64> {
        let classes = self.classes.len();
        let mut counts = vec![0; classes];
        self.train.labels().for_each(|label| counts[label] += 1);
        counts.iter().map(|&count| self.train.len() as f64 / (classes * count.max(1)) as f64).collect()
    }
}

/// Checks that at least one picture of a set could be read and was counted.
///
/// # Errors
/// If none was.
pub(crate) fn check_read(set: &ImageSet, metrics: &Metrics) -> Result<(), Error> {
    if metrics.count > 0 {
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
        _ if Architecture::LECTURE.contains(&model) || model.pretrained().is_some() => model.preprocess(),
        _ => Preprocess::imagenet(height, width, height),
    }
}

/// With the sizes, ways and numbers that the options ask for.
fn fitted(mut preprocess: Preprocess, recipe: &Recipe) -> Result<Preprocess, Error> {
    if let Some(side) = recipe.img_size {
        let resize_to = &mut preprocess.resize.resize_to;
        *resize_to = resize_to.map(|shorter| (shorter * side + preprocess.height / 2) / preprocess.height);
        (preprocess.height, preprocess.width) = (side, side);
    }
    if let Some(mode) = recipe.resize_mode {
        preprocess.set_resize_mode(mode.into());
    }
    if let Some(channels) = recipe.in_chans.filter(|&channels| channels != preprocess.channels) {
        let spread = |values: &[f32]| vec![values.iter().sum::<f32>() / values.len() as f32; channels];
        (preprocess.mean, preprocess.std) = (spread(&preprocess.mean), spread(&preprocess.std));
        preprocess.channels = channels;
    }
    let channels = preprocess.channels;
    for (option, given, own) in
        [("mean", &recipe.mean, &mut preprocess.mean), ("std", &recipe.std, &mut preprocess.std)]
    {
        let given: Vec<f32> = given.iter().map(|&value| value as f32).collect();
        match given.len() {
            0 => {}
            1 => *own = given.repeat(channels),
            count if count == channels => *own = given,
            count => return Err(Error::option(option, format!("{count} numbers for images of {channels} channels"))),
        }
    }
    Ok(preprocess)
}
