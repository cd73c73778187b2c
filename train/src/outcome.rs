//! How a run ended: the final test, `result.json` and the last line.

use burn_train::InferenceStep;
use kiln_backend::{Backend, Target};
use kiln_cli::{Failure, write_file};
use kiln_data::Batch;
use kiln_model::weights::Weights;
use kiln_model::{Network, Tally};

use crate::config::Config;
use crate::loss::Loss;
use crate::progress::Progress;
use crate::records::Records;
use crate::run_data::{RunData, check_read};
use crate::task::Task;

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

/// Tests the last and the best weights where that was not done after each epoch, and writes `result.json`.
pub(crate) fn finish<B: Backend>(
    config: &Config,
    data: &RunData,
    target: &Target,
    progress: &Progress,
    records: &mut Records,
    last: Option<Task<B>>,
    device: &B::Device,
) -> Result<Outcome, Failure> {
    let (Some(row), Some(best), Some(last)) = (progress.rows.last(), progress.best, last) else {
        unreachable!("a complete run has an epoch");
    };
    let network: Network<B> = Weights::read(&records.run.best())?.network(device)?;
    let of_best = Task { network, loss: Loss::default() };
    let (test_accuracy, test_loss, best_test_accuracy) = if data.validates_on_test {
        (row.valid_accuracy, row.valid_loss, progress.rows[best.epoch - 1].valid_accuracy)
    } else {
        let on_last = test(&last, data, config, device)?;
        (on_last.accuracy(), on_last.loss(), test(&of_best, data, config, device)?.accuracy())
    };
    // Now that the test set has been seen, and the number of epochs is final, both files say so.
    write_file(&records.run.last(), &records.encode(&last.network, row.epoch, Some(test_accuracy))?)?;
    write_file(&records.run.best(), &records.encode(&of_best.network, best.epoch, Some(best_test_accuracy))?)?;
    let mean_rate = progress.rows.iter().map(|row| 1. / row.images_per_second).sum::<f64>();
    let outcome = Outcome {
        epochs: progress.complete(),
        best_epoch: best.epoch,
        test_accuracy,
        test_loss,
        best_valid_accuracy: best.accuracy,
        best_test_accuracy,
        seconds: progress.rows.iter().map(|row| row.seconds).sum(),
        images_per_second: progress.complete() as f64 / mean_rate,
        seed: config.seed,
        model: config.model.name().to_owned(),
        parameters: last.network.parameter_count(),
        dataset: data.name.clone(),
        unreadable: data.unreadable().len(),
        backend: target.backend().to_string(),
        device: target.adapter().to_string(),
    };
    let json = serde_json::to_string_pretty(&outcome).unwrap_or_default();
    write_file(&records.run.result(), format!("{json}\n").as_bytes())?;
    Ok(outcome)
}

/// Classifies the test set.
fn test<B: Backend>(task: &Task<B>, data: &RunData, config: &Config, device: &B::Device) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    for batch in data.test_loader(&data.test, config).epoch(1, 0) {
        let batch = batch?;
        if !batch.labels.is_empty() {
            tally.add(&task.step(Batch::new(batch, device)).tally);
        }
    }
    check_read(&data.test, &tally)?;
    Ok(tally)
}

pub(crate) fn summarise(outcome: &Outcome, records: &mut Records) -> Result<(), Failure> {
    let Outcome { epochs, best_epoch, test_accuracy, best_test_accuracy, seconds, images_per_second, .. } = outcome;
    records.console.line(&format!(
        "{epochs} epochs in {seconds:.1} s, {images_per_second:.0} images/s; test accuracy {:.2} %, best {:.2} % (epoch \
         {best_epoch}); weights in {}",
        100. * test_accuracy,
        100. * best_test_accuracy,
        records.run.best().display()
    ))
}
