//! How far a run has come: all that decides how it goes on, besides weights and optimizer.

use std::collections::BTreeMap;

use kiln_model::Metrics;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The state of a run between two batches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// The epoch that is running, from 1.
    pub epoch: usize,
    /// Its batches that are done.
    pub batch: usize,
    /// Iterations done since the run began.
    pub iteration: usize,
    /// What the running epoch's batches summed up to.
    pub train: Metrics,
    /// Sum of the iterations' losses since the last line that reported them.
    pub window: f64,
    /// Number of those iterations.
    pub window_iterations: usize,
    /// Seconds that the running epoch took so far.
    pub seconds: f64,
    /// Those of them that were training.
    pub train_seconds: f64,
    /// The epochs that are complete.
    pub rows: Vec<Row>,
    /// The best of them, if any.
    pub best: Option<Best>,
    /// Whether early stopping ended the run.
    pub stopped_early: bool,
    /// The epochs that the run was asked for.
    pub epochs: usize,
    /// What this is the state of: network, data, batches. Another one cannot go on from here.
    pub subject: String,
    /// The options that decide the result.
    pub recipe: BTreeMap<String, Value>,
}

/// A complete epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Mean loss over the training images as they came by.
    pub train_loss: f64,
    /// Accuracy over the training images as they came by, 0 to 1.
    pub train_accuracy: f64,
    /// Mean loss on the validation set.
    pub valid_loss: f64,
    /// Accuracy on the validation set, 0 to 1.
    pub valid_accuracy: f64,
    /// Top-5 accuracy on the validation set, 0 to 1; `None` where there are no more than five classes.
    pub valid_top5: Option<f64>,
    /// Learning rate of the epoch's last iteration.
    pub lr: f64,
    /// The whole epoch with evaluation and checkpoint.
    pub seconds: f64,
    /// Training alone.
    pub images_per_second: f64,
}

/// The best epoch so far: by validation accuracy, then by validation loss, then the earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Accuracy on the validation set, 0 to 1.
    pub accuracy: f64,
    /// Mean loss on the validation set.
    pub loss: f64,
}

impl Progress {
    /// A run that has not begun.
    pub fn new(epochs: usize, subject: String, recipe: BTreeMap<String, Value>) -> Self {
        Self { epoch: 1, epochs, subject, recipe, ..Self::default() }
    }

    /// Number of complete epochs.
    pub fn complete(&self) -> usize {
        self.rows.len()
    }

    /// Takes in a complete epoch; tells whether it is the best.
    pub fn complete_epoch(&mut self, row: Row) -> bool {
        let (accuracy, loss) = (row.valid_accuracy, row.valid_loss);
        let better =
            self.best.is_none_or(|best| accuracy > best.accuracy || (accuracy == best.accuracy && loss < best.loss));
        if better {
            self.best = Some(Best { epoch: row.epoch, accuracy, loss });
        }
        self.rows.push(row);
        self.epoch += 1;
        self.batch = 0;
        self.train = Metrics::default();
        (self.window, self.window_iterations) = (0., 0);
        self.seconds = 0.;
        self.train_seconds = 0.;
        better
    }

    /// Epochs since the best one.
    pub fn epochs_without_improvement(&self) -> usize {
        self.complete() - self.best.map_or(0, |best| best.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(epoch: usize, valid_accuracy: f64, valid_loss: f64) -> Row {
        Row {
            epoch,
            train_loss: 0.5,
            train_accuracy: 0.9,
            valid_loss,
            valid_accuracy,
            valid_top5: Some(1.),
            lr: 0.01,
            seconds: 2.5,
            images_per_second: 1000.,
        }
    }

    #[test]
    fn the_best_epoch_is_by_accuracy_then_loss_then_the_earlier_one() {
        let mut progress = Progress::new(5, "test".to_owned(), BTreeMap::new());
        let best: Vec<_> = [(0.9, 0.3), (0.8, 0.1), (0.9, 0.2), (0.9, 0.2), (0.91, 0.9)]
            .into_iter()
            .enumerate()
            .map(|(index, (accuracy, loss))| progress.complete_epoch(row(index + 1, accuracy, loss)))
            .collect();
        assert_eq!(best, [true, false, true, false, true]);
        assert_eq!(progress.best.unwrap().epoch, 5);
        assert_eq!(progress.epochs_without_improvement(), 0);
    }

    #[test]
    fn the_state_survives_json_to_the_last_bit() {
        let mut progress = Progress::new(5, "test".to_owned(), BTreeMap::new());
        progress.train.loss_sum = 0.1 + 0.2;
        progress.window = 1. / 3.;
        progress.complete_epoch(row(1, 2. / 3., f64::MIN_POSITIVE));
        progress.window = 1e300 / 7.;
        let json = serde_json::to_string(&progress).unwrap();
        assert_eq!(serde_json::from_str::<Progress>(&json).unwrap(), progress);
    }
}
