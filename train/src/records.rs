//! What a run leaves on the disk and on the screen, epoch by epoch.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use burn::tensor::backend::Backend as BurnBackend;
use kiln_cli::{Exit, Failure, RunFolder, sweep, write_file};
use kiln_data::ImageSet;
use kiln_model::weights::to_bytes;
use kiln_model::{Config as NetworkConfig, Confusion, Description, FORMAT, Network, Tally, Training, softmax};
use serde_json::Value;

use crate::checkpoint::{Checkpoint, Checkpoints};
use crate::config::Config;
use crate::console::Console;
use crate::dashboard::Misread;
use crate::progress::{Progress, Row};
use crate::run_data::{RunData, check_read};
use crate::task::StepOutput;
use crate::tensorboard::EventFile;

/// How many misread images the dashboard gets.
const MISREAD: usize = 12;

/// How many unreadable pictures are named at once.
const UNREADABLE: usize = 20;

/// The records of one run.
pub struct Records {
    /// The run's folder.
    pub run: RunFolder,
    /// Where its lines go.
    pub console: Console,
    events: EventFile,
    checkpoints: Checkpoints,
    description: Description,
    /// What the validation set is called in lines: `test` or `validation`.
    valid_name: &'static str,
    /// The validation images, to draw those that are misread.
    valid: ImageSet,
    misread: Vec<Misread>,
    /// The pictures that could not be read so far, which were told of.
    unreadable: BTreeSet<PathBuf>,
    train: ImageSet,
}

impl Records {
    /// The records of a run that goes on from `progress`: `metrics.csv` is cut back to its epochs, events start anew.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn open(
        run: RunFolder,
        console: Console,
        config: &Config,
        splits: &RunData,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        sweep(run.path());
        let metrics = run.metrics();
        let kept = std::fs::read_to_string(&metrics).unwrap_or_default();
        write_file(&metrics, crate::progress::csv(&kept, &progress.rows).as_bytes())?;
        let events = EventFile::create(run.path(), progress.iteration + 1)
            .map_err(|error| Failure::write(run.path(), &error))?;
        let checkpoints = Checkpoints::new(run.checkpoints(), config.checkpoint_hist);
        let valid_name = if splits.validates_on_test { "test" } else { "validation" };
        let description = describe(config, splits);
        Ok(Self {
            run,
            console,
            events,
            checkpoints,
            description,
            valid_name,
            valid: splits.valid.clone(),
            misread: Vec::new(),
            unreadable: BTreeSet::new(),
            train: splits.train.clone(),
        })
    }

    /// Reports the mean loss of the last iterations.
    pub(crate) fn interval(&mut self, progress: &Progress, loss: f64, lr: f64) -> Result<(), Failure> {
        let Progress { epoch, batch, iteration, .. } = *progress;
        self.console.line(&format!("[{epoch},{batch:>5}] loss:{loss:.3}"))?;
        self.scalars(iteration, &[("loss/iteration", loss), ("learning_rate", lr)])
    }

    pub(crate) fn evaluation_starts(&mut self) {
        self.misread.clear();
    }

    /// Keeps the images that were misread with the most confidence, for the dashboard.
    pub(crate) fn evaluated(&mut self, output: &StepOutput, predicted: &[usize]) {
        let (Some(_), Some([1, height, width])) = (self.console.feed(), self.valid.shape()) else { return };
        let classes = output.logits.len() / output.labels.len().max(1);
        let rows = output.logits.chunks_exact(classes).zip(&output.indices);
        for ((row, &index), (&truth, &predicted)) in rows.zip(output.labels.iter().zip(predicted)) {
            if truth != predicted {
                let (pixels, confidence) =
                    (self.valid.pixels(index).unwrap_or_default(), softmax(row)[predicted] as f32);
                let pixels = pixels.to_vec();
                self.misread.push(Misread { index, width, height, pixels, truth, predicted, confidence });
            }
        }
        self.misread.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then(a.index.cmp(&b.index)));
        self.misread.truncate(MISREAD);
    }

    /// Writes the weights of the epoch that was just completed.
    pub(crate) fn weights<B: BurnBackend>(
        &self,
        network: &Network<B>,
        progress: &Progress,
        best: bool,
    ) -> Result<(), Failure> {
        let accuracy = progress.rows.last().map(|row| row.valid_accuracy).filter(|_| self.valid_name == "test");
        let bytes = self.encode(network, progress.complete(), accuracy)?;
        let paths = [Some(self.run.last()), best.then(|| self.run.best())];
        paths.iter().flatten().try_for_each(|path| write_file(path, &bytes))
    }

    /// The bytes of a weights file of this run.
    pub(crate) fn encode<B: BurnBackend>(
        &self,
        network: &Network<B>,
        epoch: usize,
        test_accuracy: Option<f64>,
    ) -> Result<Vec<u8>, Failure> {
        let mut description = self.description.clone();
        (description.training.epoch, description.training.test_accuracy) = (epoch, test_accuracy);
        to_bytes(network, &description).map_err(|fault| {
            Failure::new(Exit::Input, format!("the weights of epoch {epoch} cannot be kept: {fault}; try a lower --lr"))
        })
    }

    pub(crate) fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), Failure> {
        self.checkpoints.save(checkpoint).map_err(|(path, error)| Failure::write(&path, &error))
    }

    /// Fails if none of the pictures of an epoch could be read.
    pub(crate) fn check_read(&self, train: &Tally, valid: &Tally) -> Result<(), Failure> {
        check_read(&self.train, train).and_then(|()| check_read(&self.valid, valid))
    }

    /// Tells of pictures that were left out because they cannot be read, each once.
    pub(crate) fn tell_unreadable(&mut self) -> Result<(), Failure> {
        let found = [&self.train, &self.valid].map(ImageSet::unreadable);
        let new: Vec<_> =
            found.into_iter().flatten().filter(|(path, _)| self.unreadable.insert(path.clone())).collect();
        for (path, reason) in new.iter().take(UNREADABLE) {
            // A name may hold anything, a line is one line.
            let path = path.display().to_string().replace(char::is_control, "?");
            self.console.line(&format!("left out: {path}: {reason}"))?;
        }
        if new.len() > UNREADABLE {
            self.console.line(&format!("left out: {} more that cannot be read", new.len() - UNREADABLE))?;
        }
        Ok(())
    }

    /// Reports the epoch that was just completed.
    pub(crate) fn epoch(&mut self, progress: &Progress, tally: &Tally, confusion: &Confusion) -> Result<(), Failure> {
        let Some(row) = progress.rows.last() else { return Ok(()) };
        self.tell_unreadable()?;
        let path = self.run.metrics();
        let appended = OpenOptions::new().append(true).open(&path).and_then(|mut file| {
            file.write_all(format!("{}\n", row.to_csv()).as_bytes())?;
            file.sync_data()
        });
        appended.map_err(|error| Failure::write(&path, &error))?;
        let mut scalars = vec![
            ("loss/train", row.train_loss),
            ("loss/valid", row.valid_loss),
            ("accuracy/train", row.train_accuracy),
            ("accuracy/valid", row.valid_accuracy),
            ("images_per_second", row.images_per_second),
        ];
        scalars.extend(row.valid_top5.map(|top5| ("top5/valid", top5)));
        self.scalars(progress.iteration, &scalars)?;
        if let Some(feed) = self.console.feed() {
            feed.confusion(confusion.counts().to_vec());
            feed.misread(std::mem::take(&mut self.misread));
        }
        let Row { valid_accuracy, valid_loss, seconds, images_per_second, .. } = row;
        // The lecture's line cuts the percentage; the exact one follows.
        self.console.epoch(&format!(
            "Accuracy on {} set:{} %  ({:.2} %, loss {valid_loss:.4}; {seconds:.1} s, {images_per_second:.0} images/s)",
            self.valid_name,
            100 * tally.correct / tally.count,
            valid_accuracy * 100.,
        ))
    }

    fn scalars(&mut self, step: usize, scalars: &[(&str, f64)]) -> Result<(), Failure> {
        self.events.scalars(step, scalars).map_err(|error| Failure::write(self.events.path(), &error))
    }
}

fn describe(config: &Config, data: &RunData) -> Description {
    Description {
        architecture: config.model.name().to_owned(),
        classes: data.classes.clone(),
        config: NetworkConfig { classes: data.classes.len(), transform_input: config.transform_input == Some(true) },
        format: FORMAT,
        preprocess: data.preprocess.clone(),
        training: Training {
            dataset: data.name.clone(),
            epoch: 0,
            kiln: env!("CARGO_PKG_VERSION").to_owned(),
            recipe: recipe(config),
            seed: config.seed,
            test_accuracy: None,
        },
    }
}

/// The options that decide the weights, besides model, dataset and seed.
fn recipe(config: &Config) -> BTreeMap<String, Value> {
    const ELSEWHERE: [&str; 14] = [
        "model",
        "dataset",
        "seed",
        "data_dir",
        "offline",
        "workers",
        "backend",
        "device",
        "threads",
        "output",
        "checkpoint_hist",
        "log_interval",
        "dashboard",
        "limit_test",
    ];
    let options = serde_json::to_value(config).unwrap_or_default();
    let options = options.as_object().cloned().unwrap_or_default().into_iter();
    options.filter(|(name, value)| !value.is_null() && !ELSEWHERE.contains(&name.as_str())).collect()
}
