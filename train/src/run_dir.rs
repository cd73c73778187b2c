//! What a run keeps in its folder: weights, checkpoints, records of its epochs.

pub mod checkpoint;
pub mod evaluation;
pub mod history;
pub mod log;
pub mod outcome;
pub mod progress;
pub mod report;
pub mod tensorboard;

use burn::tensor::backend::Backend as BurnBackend;
use kiln_cli::{RunFolder, write_file};
use kiln_model::Network;
use kiln_model::weights::{Config, Description, FORMAT, Provenance, Weights, to_bytes};

use self::checkpoint::{Checkpoint, Checkpoints, NewestCheckpoint};
use self::outcome::Outcome;
use self::progress::Progress;
use crate::data::RunData;
use crate::error::Error;
use crate::options::Options;

/// The newest checkpoint of a run; `None` if it never wrote one.
///
/// # Errors
/// If it wrote some that cannot be used, or that are gone: a run must not begin again over what it has.
pub fn newest_checkpoint(run: &RunFolder, options: &Options) -> Result<Option<NewestCheckpoint>, Error> {
    let checkpoints = Checkpoints::new(run.checkpoints(), options.machine.checkpoint_hist);
    let found = checkpoints.newest()?;
    let trained = [run.last(), run.best(), run.result()].iter().any(|path| path.exists());
    if found.is_none() && (trained || history::has_rows(&run.metrics())) {
        return Err(Error::NoCheckpoint { folder: run.checkpoints() });
    }
    Ok(found)
}

/// Writes the weights and checkpoints of a run.
pub struct RunDir {
    /// The folder.
    pub folder: RunFolder,
    checkpoints: Checkpoints,
    description: Description,
    /// Whether the accuracy on the validation set is that on the test set.
    validates_on_test: bool,
}

impl RunDir {
    /// The folder of a run on this data.
    pub fn new(folder: RunFolder, options: &Options, data: &RunData) -> Self {
        let recipe = &options.recipe;
        let description = Description {
            architecture: recipe.model.name().to_owned(),
            classes: data.classes.clone(),
            config: Config { classes: data.classes.len() },
            format: FORMAT,
            preprocess: data.preprocess.clone(),
            temperature: None,
            training: Provenance {
                dataset: data.name.clone(),
                epoch: 0,
                kiln: env!("CARGO_PKG_VERSION").to_owned(),
                recipe: recipe.description(),
                seed: recipe.seed,
                test_accuracy: None,
            },
        };
        let checkpoints = Checkpoints::new(folder.checkpoints(), options.machine.checkpoint_hist);
        Self { folder, checkpoints, description, validates_on_test: data.validates_on_test }
    }

    /// Writes a checkpoint.
    ///
    /// # Errors
    /// If it cannot be written; earlier ones are then untouched.
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let description = self.describe(checkpoint.progress.complete(), None);
        self.checkpoints.save(checkpoint, &description).map_err(|(path, error)| Error::write(&path, error))
    }

    /// Writes the weights of the epoch that was just completed; `best.safetensors` too if it is the best.
    ///
    /// # Errors
    /// If a weight is not finite, or a file cannot be written.
    pub fn write_weights<B: BurnBackend>(&self, network: &Network<B>, progress: &Progress) -> Result<(), Error> {
        let epoch = progress.complete();
        let accuracy = progress.rows.last().map(|row| row.valid_accuracy).filter(|_| self.validates_on_test);
        let bytes = self.encode(network, epoch, accuracy)?;
        write_file(&self.folder.last(), &bytes)?;
        if progress.best.is_some_and(|best| best.epoch == epoch) {
            write_file(&self.folder.best(), &bytes)?;
        }
        Ok(())
    }

    /// Writes the weights of the epoch that a checkpoint ends, if the run was killed between the two.
    ///
    /// # Errors
    /// As [`write_weights`](Self::write_weights).
    pub fn complete_weights<B: BurnBackend>(&self, network: &Network<B>, progress: &Progress) -> Result<(), Error> {
        let written = |weights: Result<Weights, _>| {
            weights.is_ok_and(|weights: Weights| weights.description().training.epoch >= progress.complete())
        };
        let at_its_end = progress.batch == 0 && progress.complete() > 0;
        let is_best = progress.best.is_some_and(|best| best.epoch == progress.complete());
        let best_missing = is_best && !written(Weights::read(&self.folder.best()));
        if at_its_end && (best_missing || !written(Weights::read(&self.folder.last()))) {
            self.write_weights(network, progress)?;
        }
        Ok(())
    }

    /// Writes weights of which the test set has now been seen.
    ///
    /// # Errors
    /// As [`write_weights`](Self::write_weights).
    pub fn write_tested<B: BurnBackend>(
        &self,
        path: &std::path::Path,
        network: &Network<B>,
        epoch: usize,
        test_accuracy: f64,
    ) -> Result<(), Error> {
        Ok(write_file(path, &self.encode(network, epoch, Some(test_accuracy))?)?)
    }

    /// Writes how the run ended.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_outcome(&self, outcome: &Outcome) -> Result<(), Error> {
        outcome.write(&self.folder)
    }

    fn encode<B: BurnBackend>(
        &self,
        network: &Network<B>,
        epoch: usize,
        test_accuracy: Option<f64>,
    ) -> Result<Vec<u8>, Error> {
        to_bytes(network, &self.describe(epoch, test_accuracy)).map_err(|fault| Error::WeightsNotKept { epoch, fault })
    }

    fn describe(&self, epoch: usize, test_accuracy: Option<f64>) -> Description {
        let mut description = self.description.clone();
        (description.training.epoch, description.training.test_accuracy) = (epoch, test_accuracy);
        description
    }
}
