//! Whether a run can go on: from where it is, with the options and data that it has now.

use burn_dataset::Dataset;
use kiln_cli::{Exit, Failure, RunFolder};

use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::run_data::RunData;

/// The number of epochs that `result.json` reports; one from before the run was continued is not this run's.
pub(crate) fn reported_epochs(run: &RunFolder) -> Option<usize> {
    let outcome: Outcome = serde_json::from_slice(&std::fs::read(run.result()).ok()?).ok()?;
    Some(outcome.epochs)
}

/// A run cannot end before where it is.
pub(crate) fn check_epochs(config: &Config, progress: &Progress) -> Result<(), Failure> {
    let (wanted, complete, batch) = (config.epochs, progress.complete(), progress.batch);
    if wanted > complete || (wanted == complete && batch == 0) {
        return Ok(());
    }
    let what = format!("--epochs {wanted}: the run has completed {complete} epochs and {batch} batches already");
    Err(Failure::new(Exit::Usage, what))
}

/// A checkpoint fits only the network, data and batches that it was made with.
pub(crate) fn check_subject(
    checkpoint: Option<&Checkpoint>,
    config: &Config,
    data: &RunData,
    run: &RunFolder,
) -> Result<(), Failure> {
    let now = subject(config, data);
    match checkpoint.map(|checkpoint| &checkpoint.progress.subject) {
        Some(then) if *then != now => {
            let folder = run.checkpoints();
            let what = format!("{}: made with {then}; options and data now give {now}", folder.display());
            Err(Failure::new(Exit::Weights, what))
        }
        _ => Ok(()),
    }
}

/// What a run is about, in words, with a checksum of the images and their classes.
pub(crate) fn subject(config: &Config, data: &RunData) -> String {
    let sum = data.valid.checksum(data.train.checksum(0));
    format!(
        "{}, {} classes, {} + {} images (checksum {sum:08x}), batches of {}, seed {}",
        config.model,
        data.classes.len(),
        data.train.len(),
        data.valid.len(),
        config.batch_size,
        config.seed
    )
}
