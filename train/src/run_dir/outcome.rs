//! How a run ended: `result.json` and the last line.

use crate::error::Error;
use kiln_cli::{RunFolder, write_file};

/// What `result.json` holds; fields in its order.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Outcome {
    /// Complete epochs.
    pub epochs: usize,
    /// The epoch of `best.safetensors`.
    pub best_epoch: usize,
    /// Accuracy of `last.safetensors` on the test set, 0 to 1.
    pub test_accuracy: f64,
    /// Mean loss of `last.safetensors` on the test set.
    pub test_loss: f64,
    /// Accuracy of `best.safetensors` on the validation set, 0 to 1.
    pub best_valid_accuracy: f64,
    /// Accuracy of `best.safetensors` on the test set, 0 to 1.
    pub best_test_accuracy: f64,
    /// Time of all epochs, with evaluation and checkpoints.
    pub seconds: f64,
    /// Mean over the epochs, training alone.
    pub images_per_second: f64,
    /// Seed of weights and order.
    pub seed: u64,
    /// The architecture's name.
    pub model: String,
    /// Trained numbers.
    pub parameters: usize,
    /// The dataset's name.
    pub dataset: String,
    /// Pictures of the training, validation and test sets that were left out because they cannot be read.
    #[serde(default)]
    pub unreadable: usize,
    /// The backend's name.
    pub backend: String,
    /// The device.
    pub device: String,
}

impl Outcome {
    /// The outcome of the run as its folder has it.
    pub fn read(run: &RunFolder) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(run.result()).ok()?).ok()
    }

    /// Writes `result.json`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, run: &RunFolder) -> Result<(), Error> {
        let json = serde_json::to_string_pretty(self).unwrap_or_default();
        Ok(write_file(&run.result(), format!("{json}\n").as_bytes())?)
    }

    /// The last line of a run.
    pub fn summary(&self, run: &RunFolder, chosen_on: &str) -> String {
        let Self { epochs, best_epoch, test_accuracy, best_test_accuracy, seconds, images_per_second, .. } = self;
        format!(
            "{epochs} epochs in {seconds:.1} s, {images_per_second:.0} images/s; test accuracy {:.2} %, best {:.2} % (epoch \
             {best_epoch}, chosen on the {chosen_on} set); weights in {}",
            100. * test_accuracy,
            100. * best_test_accuracy,
            run.best().display()
        )
    }
}
