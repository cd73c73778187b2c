//! The course of a run: for each epoch, for each batch, a step; then an evaluation, a checkpoint, and word of it all.
//!
//! Everything that decides a run is here or in what this calls, on one thread. Screens and files of records hear of it as
//! [`Event`]s.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use crate::error::Error;
use burn::module::AutodiffModule;
use burn::optim::GradientsParams;
use burn::tensor::backend::AutodiffBackend;
use kiln_backend::Backend;
use kiln_data::{Batches, Loader};
use kiln_model::{Confusion, Metrics, Network, state_dict};

use crate::data::{RunData, check_read};
use crate::event::{Batch, Epoch, Event, Interval, Observers, Split};
use crate::learner::Learner;
use crate::optim::ema::Average;
use crate::optim::gradients;
use crate::options::recipe::Recipe;
use crate::run_dir::RunDir;
use crate::run_dir::checkpoint::Checkpoint;
use crate::run_dir::progress::{Progress, Row};
use crate::step::{self, BatchOutput};
use crate::stop::StopRequest;

/// How a run's training ended, if nothing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All epochs are complete, or early stopping ended it.
    Complete,
    /// The user stopped it; a checkpoint is written.
    Interrupted,
}

/// A run under way.
pub struct Engine<'a, B: AutodiffBackend + Backend>
where
    B::InnerBackend: Backend,
{
    /// What decides its result.
    pub recipe: &'a Recipe,
    /// Iterations between the lines that report the loss.
    pub log_interval: usize,
    /// Its images.
    pub data: &'a RunData,
    /// Batches to learn from.
    pub train: Loader,
    /// Batches to choose the best epoch by.
    pub valid: Loader,
    /// The network, and what takes its steps.
    pub learner: Learner<B>,
    /// The moving average of its weights, if one is kept.
    pub average: Option<Average<B::InnerBackend>>,
    /// Where it computes.
    pub device: B::Device,
    /// How far it has come.
    pub progress: Progress,
    /// Its folder.
    pub run_dir: &'a RunDir,
    /// Who hears of it.
    pub observers: Observers,
    /// The user's wish to stop.
    pub stop: &'a StopRequest,
    /// The pictures that cannot be read and were told of.
    pub unreadable: BTreeSet<PathBuf>,
}

impl<B: AutodiffBackend + Backend> Engine<'_, B>
where
    B::InnerBackend: Backend,
{
    /// Trains until the last epoch is complete, early stopping ends it, or the user does.
    ///
    /// # Errors
    /// If the loss is not finite, images cannot be read, or something cannot be written.
    pub fn run(&mut self) -> Result<Ending, Error> {
        while !self.is_over() {
            let started = Instant::now();
            let before = self.progress.seconds;
            let complete = self.train_epoch()? && self.finish_epoch(started)?;
            if !complete {
                self.progress.seconds = before + started.elapsed().as_secs_f64();
                self.save()?;
                return Ok(Ending::Interrupted);
            }
            if self.stop.is_requested() && !self.is_over() {
                return Ok(Ending::Interrupted);
            }
        }
        Ok(Ending::Complete)
    }

    fn is_over(&self) -> bool {
        self.progress.stopped_early || self.progress.epoch > self.recipe.epochs
    }

    /// Trains on what is left of the epoch; `false` if the user stopped it.
    fn train_epoch(&mut self) -> Result<bool, Error> {
        let started = Instant::now();
        let before = self.progress.train_seconds;
        let mut batches = self.train.epoch(self.progress.epoch, self.progress.batch);
        while self.progress.batch < self.train.batches_per_epoch() {
            if self.stop.is_requested() {
                self.progress.train_seconds = before + started.elapsed().as_secs_f64();
                return Ok(false);
            }
            let lr = self.learner.next_rate();
            if let Some(grads) = self.gradients(&mut batches)? {
                self.learner.optimize(match self.recipe.clip_grad {
                    Some(largest) => gradients::clip(&self.learner.network(), grads, largest),
                    None => grads,
                });
            }
            self.progress.iteration += 1;
            if let Some(average) = &mut self.average {
                average.update(&self.learner.network(), self.progress.iteration);
            }
            self.report(lr)?;
        }
        self.progress.train_seconds = before + started.elapsed().as_secs_f64();
        Ok(true)
    }

    /// The mean gradients over the images of the next batches, as many as make one step or are left of the epoch; `None` if
    /// none of the images could be read. Nothing stops it on the way: running statistics would have moved already.
    fn gradients(&mut self, batches: &mut Batches) -> Result<Option<GradientsParams>, Error> {
        let accumulated = self.recipe.grad_accum_steps;
        let end = (self.progress.batch + accumulated).min(self.train.batches_per_epoch());
        let (mut sum, mut step, mut weight) = (None, Metrics::default(), 0.);
        while self.progress.batch < end {
            let Some(batch) = batches.next().transpose()? else { break };
            // What dropout draws depends on the batch alone: a resumed run draws the same.
            let place = (self.progress.epoch - 1) * self.train.batches_per_epoch() + self.progress.batch;
            let draws = self.recipe.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(place as u64);
            self.progress.batch += 1;
            if batch.labels.is_empty() {
                continue;
            }
            B::seed(&self.device, draws);
            let (output, grads) = self.learner.train_step(batch);
            if !output.metrics.loss_sum.is_finite() {
                return Err(self.not_finite());
            }
            step.add(&output.metrics);
            weight += output.weight;
            sum = Some(match sum {
                // Alone it is a mean already.
                None if accumulated == 1 => grads,
                sum => gradients::plus(&self.learner.network(), sum.unwrap_or_default(), grads, output.weight),
            });
            let items = (self.progress.batch * self.recipe.batch_size).min(self.train.len());
            let mut total = self.progress.train;
            total.add(&step);
            self.tell_batch(Split::Train, items, &output, total)?;
        }
        if step.count == 0 {
            return Ok(None);
        }
        self.progress.train.add(&step);
        self.progress.window += step.loss();
        self.progress.window_iterations += 1;
        if accumulated == 1 {
            return Ok(sum);
        }
        let mean = |sum| gradients::plus(&self.learner.network(), GradientsParams::new(), sum, 1. / weight);
        Ok(sum.map(mean))
    }

    /// Tells of the mean loss since it was told of last, if that is due.
    fn report(&mut self, lr: f64) -> Result<(), Error> {
        let Progress { epoch, batch, iteration, window_iterations, .. } = self.progress;
        let steps = batch.div_ceil(self.recipe.grad_accum_steps);
        if !steps.is_multiple_of(self.log_interval) || window_iterations == 0 {
            return Ok(());
        }
        let loss = std::mem::take(&mut self.progress.window) / window_iterations as f64;
        self.progress.window_iterations = 0;
        self.observers.tell(Event::Interval(Interval { epoch, batch, iteration, loss, lr }))
    }

    /// Evaluates, saves and reports a trained epoch; `false` if the user stopped it.
    fn finish_epoch(&mut self, started: Instant) -> Result<bool, Error> {
        let network = self.result();
        let Some((valid, confusion)) = self.evaluate(&network)? else { return Ok(false) };
        self.check_images(&valid)?;
        if !valid.loss_sum.is_finite() {
            return Err(self.not_finite());
        }
        let before = self.progress.seconds;
        let train = self.progress.train;
        let is_best = self.progress.complete_epoch(Row {
            epoch: self.progress.epoch,
            train_loss: train.loss(),
            train_accuracy: train.accuracy(),
            valid_loss: valid.loss(),
            valid_accuracy: valid.accuracy(),
            valid_top5: (self.data.classes.len() > 5).then(|| valid.top5_accuracy()),
            lr: self.recipe.schedule(self.iterations()).at(self.progress.iteration.saturating_sub(1)),
            seconds: before + started.elapsed().as_secs_f64(),
            images_per_second: train.count as f64 / self.progress.train_seconds,
        });
        let patience = self.recipe.patience;
        self.progress.stopped_early =
            patience.is_some_and(|patience| self.progress.epochs_without_improvement() >= patience);
        // First what the run goes on from, so that weights without a checkpoint are never a run's that has just begun.
        self.save()?;
        self.run_dir.write_weights(&network, &self.progress)?;
        let iteration = self.progress.iteration;
        let Some(row) = self.progress.rows.last_mut() else { return Ok(true) };
        row.seconds = before + started.elapsed().as_secs_f64();
        self.observers.tell(Event::Epoch(Epoch { row, iteration, valid, is_best, confusion: &confusion }))?;
        Ok(true)
    }

    /// Classifies the validation set; `None` if the user stopped it.
    fn evaluate(&mut self, network: &Network<B::InnerBackend>) -> Result<Option<(Metrics, Confusion)>, Error> {
        let mut total = Metrics::default();
        let mut confusion = Confusion::new(self.data.classes.len());
        self.observers.tell(Event::Evaluation)?;
        for (index, batch) in self.valid.epoch(1, 0).enumerate() {
            if self.stop.is_requested() {
                return Ok(None);
            }
            let batch = batch?;
            if batch.labels.is_empty() {
                continue;
            }
            let output = step::evaluate(network, batch, &self.device);
            total.add(&output.metrics);
            confusion.add(&output.logits, &output.labels);
            let items = ((index + 1) * self.recipe.batch_size).min(self.valid.len());
            self.tell_batch(Split::Valid, items, &output, total)?;
        }
        Ok(Some((total, confusion)))
    }

    fn tell_batch(&mut self, split: Split, items: usize, output: &BatchOutput, total: Metrics) -> Result<(), Error> {
        let items_total = if split == Split::Train { self.train.len() } else { self.valid.len() };
        let Progress { epoch, iteration, .. } = self.progress;
        self.observers.tell(Event::Batch(Batch { split, epoch, items, items_total, iteration, output, total }))
    }

    /// Tells of pictures that cannot be read, and fails if none can, of a set or of a class.
    fn check_images(&mut self, valid: &Metrics) -> Result<(), Error> {
        for line in self.data.tell_unreadable(&mut self.unreadable) {
            self.observers.tell(Event::Note(&line))?;
        }
        check_read(&self.data.train, &self.progress.train)?;
        check_read(&self.data.valid, valid)?;
        self.data.check_classes(self.recipe)
    }

    /// The network that is evaluated and kept: the trained one, or the average of its weights.
    pub fn result(&self) -> Network<B::InnerBackend> {
        match &self.average {
            Some(average) => average.network.clone(),
            None => self.learner.network().valid(),
        }
    }

    /// Steps in an epoch.
    fn iterations(&self) -> usize {
        self.train.batches_per_epoch().div_ceil(self.recipe.grad_accum_steps)
    }

    fn not_finite(&self) -> Error {
        let Progress { epoch, batch, iteration, .. } = self.progress;
        Error::NotFinite { iteration, epoch, batch }
    }

    /// Writes a checkpoint of this very moment.
    fn save(&self) -> Result<(), Error> {
        let network = self.learner.network();
        self.run_dir.save(&Checkpoint {
            model: state_dict(&network),
            optimizer: self.learner.optimizer().save(&network),
            average: self.average.as_ref().map(|average| state_dict(&average.network)),
            progress: self.progress.clone(),
        })
    }
}
