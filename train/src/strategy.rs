//! The learning strategy: burn-train's `Learner` takes the steps, its metrics and renderer show them, and everything that
//! decides a run's course is here, on the training thread: resume, interruption, the best epoch, early stopping.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use burn::data::dataloader::{DataLoaderIterator, Progress as Items};
use burn::module::{AutodiffModule, Module};
use burn::optim::{GradientsParams, Optimizer};
use burn::record::{FullPrecisionSettings, NamedMpkBytesRecorder, Recorder};
use burn::tensor::backend::AutodiffBackend;
use burn_train::{
    EventProcessorTraining, InferenceStep, Learner, LearnerEvent, LearningComponentsMarker, SupervisedLearningStrategy,
    SupervisedTrainingEventProcessor, TrainLoader, TrainingComponents, TrainingItem, TrainingModel, ValidLoader,
};
use kiln_backend::Backend;
use kiln_cli::{Exit, Failure};
use kiln_data::{Batch, Cursor, DataError};
use kiln_model::{Confusion, Tally};

use crate::average::Average;
use crate::checkpoint::Checkpoint;
use crate::gradients;
use crate::optimizer::RunOptimizer;
use crate::progress::{Progress, Row};
use crate::records::Records;
use crate::schedule::Schedule;
use crate::task::{StepOutput, Task};

/// What the `Learner` is made of.
pub type Parts<B> = LearningComponentsMarker<B, Schedule, Task<B>, RunOptimizer<Task<B>, B>>;

/// How a run's training ended, if nothing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All epochs are complete, or early stopping ended it.
    Complete,
    /// The user stopped it; a checkpoint is written.
    Interrupted,
}

/// The recorder of checkpoints: full precision, names and identities included.
pub type CheckpointRecorder = NamedMpkBytesRecorder<FullPrecisionSettings>;

/// What decides a run besides its parts.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Number of classes.
    pub classes: usize,
    /// Decides what is dropped, besides the batch.
    pub seed: u64,
    /// The learning rate of each iteration.
    pub schedule: Schedule,
    /// Batches in an epoch.
    pub batches: usize,
    /// Batches whose gradients make one step.
    pub accumulated: usize,
    /// The last epoch.
    pub epochs: usize,
    /// Iterations between the lines that report the loss.
    pub log_interval: usize,
    /// Largest norm of the gradients, if limited.
    pub clip_grad: Option<f64>,
    /// Epochs without improvement after which the run stops, if limited.
    pub patience: Option<usize>,
}

/// A run's strategy. `fit` takes the state out and puts it back with the ending.
pub struct Strategy<B: AutodiffBackend> {
    /// What decides the run.
    pub plan: Plan,
    /// Where it runs.
    pub device: B::Device,
    /// Where the training loader starts its next epoch.
    pub train_cursor: Cursor,
    /// Where the validation loader tells of errors.
    pub valid_cursor: Cursor,
    /// The optimizer that the `Learner` steps.
    pub optimizer: RunOptimizer<Task<B>, B>,
    /// Asks whether the user wants to stop.
    pub should_stop: Arc<dyn Fn() -> bool + Send + Sync>,
    /// The run's state and its records on the disk.
    pub session: Arc<Mutex<Session<B>>>,
}

/// What a strategy changes while it runs.
pub struct Session<B: AutodiffBackend> {
    /// How far the run has come.
    pub progress: Progress,
    /// Its files.
    pub records: Records,
    /// How it ended, once it has.
    pub ending: Option<Result<Ending, Failure>>,
    /// The moving average of the weights, if one is kept.
    pub average: Option<Average<B::InnerBackend>>,
    /// The network as it is after training, once it has ended; of averaged weights if they are kept.
    pub task: Option<Task<B::InnerBackend>>,
}

type Events<B> = SupervisedTrainingEventProcessor<Parts<B>>;

impl<B> SupervisedLearningStrategy<Parts<B>> for Strategy<B>
where
    B: AutodiffBackend + Backend,
    B::InnerBackend: Backend,
{
    fn fit(
        &self,
        components: TrainingComponents<Parts<B>>,
        learner: Learner<Parts<B>>,
        train: TrainLoader<Parts<B>>,
        valid: ValidLoader<Parts<B>>,
        _first_epoch: usize,
    ) -> (TrainingModel<Parts<B>>, Events<B>) {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let Session { progress, records, ending, average, task } = &mut *session;
        let interrupter = components.interrupter.clone();
        let mut course = Course {
            strategy: self,
            progress,
            records,
            average,
            learner,
            events: components.event_processor,
            should_stop: &|| (self.should_stop)() || interrupter.should_stop(),
        };
        *ending = Some(course.run(&train, &valid));
        *task = Some(course.result());
        let Course { learner, events, .. } = course;
        (learner.model(), events)
    }
}

/// A run under way.
struct Course<'a, B: AutodiffBackend + Backend>
where
    B::InnerBackend: Backend,
{
    strategy: &'a Strategy<B>,
    progress: &'a mut Progress,
    records: &'a mut Records,
    average: &'a mut Option<Average<B::InnerBackend>>,
    learner: Learner<Parts<B>>,
    events: Events<B>,
    should_stop: &'a dyn Fn() -> bool,
}

impl<B: AutodiffBackend + Backend> Course<'_, B>
where
    B::InnerBackend: Backend,
{
    fn run(&mut self, train: &TrainLoader<Parts<B>>, valid: &ValidLoader<Parts<B>>) -> Result<Ending, Failure> {
        while !self.is_over() {
            let started = Instant::now();
            let before = self.progress.seconds;
            let complete = self.train_epoch(train)? && self.finish_epoch(valid, started)?;
            if !complete {
                self.progress.seconds = before + started.elapsed().as_secs_f64();
                self.save()?;
                return Ok(Ending::Interrupted);
            }
            if (self.should_stop)() && !self.is_over() {
                return Ok(Ending::Interrupted);
            }
        }
        Ok(Ending::Complete)
    }

    fn is_over(&self) -> bool {
        self.progress.stopped_early || self.progress.epoch > self.strategy.plan.epochs
    }

    /// Trains on what is left of the epoch; `false` if the user stopped it.
    fn train_epoch(&mut self, train: &TrainLoader<Parts<B>>) -> Result<bool, Failure> {
        let plan = &self.strategy.plan;
        let started = Instant::now();
        let before = self.progress.train_seconds;
        self.strategy.train_cursor.set(self.progress.epoch, self.progress.batch);
        let mut batches = train.iter();
        while self.progress.batch < plan.batches {
            if (self.should_stop)() {
                self.progress.train_seconds = before + started.elapsed().as_secs_f64();
                return Ok(false);
            }
            self.learner.lr_step();
            if let Some(grads) = self.gradients(&mut *batches)? {
                let grads = match plan.clip_grad {
                    Some(largest) => gradients::clip(&self.learner.model(), grads, largest),
                    None => grads,
                };
                self.learner.optimizer_step(grads);
            }
            self.progress.iteration += 1;
            if let Some(average) = self.average {
                average.update(&self.learner.model().network, self.progress.iteration);
            }
            let reports = self.progress.batch.div_ceil(plan.accumulated).is_multiple_of(plan.log_interval);
            if reports && self.progress.window_iterations > 0 {
                let iterations = std::mem::take(&mut self.progress.window_iterations) as f64;
                let loss = std::mem::take(&mut self.progress.window) / iterations;
                self.records.interval(self.progress, loss, self.learner.lr_current())?;
            }
        }
        self.progress.train_seconds = before + started.elapsed().as_secs_f64();
        Ok(true)
    }

    /// The mean gradients over the images of the next batches, as many as make one step or are left of the epoch; `None` if
    /// none of the images could be read. Nothing stops it on the way: running statistics would have moved already.
    fn gradients(
        &mut self,
        batches: &mut dyn DataLoaderIterator<Batch<B>>,
    ) -> Result<Option<GradientsParams>, Failure> {
        let plan = &self.strategy.plan;
        let end = (self.progress.batch + plan.accumulated).min(plan.batches);
        let (mut sum, mut total, mut weight) = (None, Tally::default(), 0.);
        while self.progress.batch < end {
            let Some(batch) = batches.next() else {
                let dataset = "training set".to_owned();
                let (index, len) = (self.progress.train.count, batches.progress().items_total);
                let error = DataError::Item { dataset, index, len };
                return Err(self.strategy.train_cursor.take_failure().unwrap_or(error).into());
            };
            // What dropout draws depends on the batch alone: a resumed run draws the same.
            let place = (self.progress.epoch - 1) * plan.batches + self.progress.batch;
            let draws = plan.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(place as u64);
            self.progress.batch += 1;
            if batch.labels.is_empty() {
                continue;
            }
            B::seed(&self.strategy.device, draws);
            let step = self.learner.train_step(batch);
            let tally = step.item.tally;
            if !tally.loss_sum.is_finite() {
                return Err(self.not_finite());
            }
            total.add(&tally);
            weight += step.item.weight;
            sum = Some(match sum {
                // Alone it is a mean already.
                None if plan.accumulated == 1 => step.grads,
                sum => {
                    let sum = sum.unwrap_or_default();
                    gradients::plus(&self.learner.model(), sum, step.grads, step.item.weight)
                }
            });
            self.show_train(step.item, batches.progress());
        }
        if total.count == 0 {
            return Ok(None);
        }
        self.progress.train.add(&total);
        self.progress.window += total.loss();
        self.progress.window_iterations += 1;
        if plan.accumulated == 1 {
            return Ok(sum);
        }
        let mean = |sum| gradients::plus(&self.learner.model(), GradientsParams::new(), sum, 1. / weight);
        Ok(sum.map(mean))
    }

    /// The network that is evaluated and kept.
    fn result(&self) -> Task<B::InnerBackend> {
        let task = self.learner.model();
        match &self.average {
            Some(average) => Task { network: average.network.clone(), loss: task.loss },
            None => task.valid(),
        }
    }

    fn not_finite(&self) -> Failure {
        let Progress { epoch, batch, iteration, .. } = *self.progress;
        let what = format!(
            "the loss is not finite after iteration {iteration} (epoch {epoch}, batch {batch}): try a lower --lr or \
             --clip-grad; earlier checkpoints are kept"
        );
        Failure::new(Exit::Input, what)
    }

    /// Evaluates and records a trained epoch; `false` if the user stopped it.
    fn finish_epoch(&mut self, valid: &ValidLoader<Parts<B>>, started: Instant) -> Result<bool, Failure> {
        let model = self.result();
        self.events.process_train(LearnerEvent::EndEpoch(self.progress.epoch));
        let Some((tally, confusion)) = self.evaluate(&model, valid)? else { return Ok(false) };
        self.records.check_read(&self.progress.train, &tally)?;
        self.events.process_valid(LearnerEvent::EndEpoch(self.progress.epoch));
        if !tally.loss_sum.is_finite() {
            return Err(self.not_finite());
        }
        let train = self.progress.train;
        let before = self.progress.seconds;
        let row = Row {
            epoch: self.progress.epoch,
            train_loss: train.loss(),
            train_accuracy: train.accuracy(),
            valid_loss: tally.loss(),
            valid_accuracy: tally.accuracy(),
            valid_top5: (self.strategy.plan.classes > 5).then(|| tally.top5_accuracy()),
            lr: self.strategy.plan.schedule.at(self.progress.iteration.saturating_sub(1)),
            seconds: before + started.elapsed().as_secs_f64(),
            images_per_second: train.count as f64 / self.progress.train_seconds,
        };
        let best = self.progress.complete_epoch(row);
        let patience = self.strategy.plan.patience;
        self.progress.stopped_early =
            patience.is_some_and(|patience| self.progress.epochs_without_improvement() >= patience);
        self.records.weights(&model.network, self.progress, best)?;
        self.save()?;
        if let Some(row) = self.progress.rows.last_mut() {
            row.seconds = before + started.elapsed().as_secs_f64();
        }
        self.records.epoch(self.progress, &tally, &confusion)?;
        Ok(true)
    }

    /// Classifies the validation set; `None` if the user stopped it.
    fn evaluate(
        &mut self,
        model: &Task<B::InnerBackend>,
        valid: &ValidLoader<Parts<B>>,
    ) -> Result<Option<(Tally, Confusion)>, Failure> {
        let mut tally = Tally::default();
        let mut confusion = Confusion::new(self.strategy.plan.classes);
        self.records.evaluation_starts();
        self.strategy.valid_cursor.set(1, 0);
        let mut batches = valid.iter();
        while let Some(batch) = batches.next() {
            if (self.should_stop)() {
                return Ok(None);
            }
            if batch.labels.is_empty() {
                continue;
            }
            let output = model.step(batch);
            tally.add(&output.tally);
            let predicted = confusion.add(&output.logits, &output.labels);
            self.records.evaluated(&output, &predicted);
            let (epochs, iteration) = (self.epochs(), self.progress.iteration);
            let item = TrainingItem::new(output, batches.progress(), epochs, Some(iteration), None);
            self.events.process_valid(LearnerEvent::ProcessedItem(item));
        }
        drop(batches);
        match self.strategy.valid_cursor.take_failure() {
            Some(error) => Err(error.into()),
            None => Ok(Some((tally, confusion))),
        }
    }

    fn show_train(&mut self, output: StepOutput, items: Items) {
        let (epochs, iteration, lr) = (self.epochs(), self.progress.iteration, self.learner.lr_current());
        let item = TrainingItem::new(output, items, epochs, Some(iteration), Some(lr));
        self.events.process_train(LearnerEvent::ProcessedItem(item));
    }

    fn epochs(&self) -> Items {
        Items::new(self.progress.epoch, self.strategy.plan.epochs)
    }

    /// Writes a checkpoint of this very moment.
    fn save(&mut self) -> Result<(), Failure> {
        let recorder = CheckpointRecorder::default();
        let recorded = |result: Result<Vec<u8>, burn::record::RecorderError>| {
            result.map_err(|error| Failure::new(Exit::Output, format!("the checkpoint cannot be made: {error}")))
        };
        let model = recorded(Recorder::<B>::record(&recorder, self.learner.model().into_record(), ()))?;
        let optimizer = Optimizer::<Task<B>, B>::to_record(&self.strategy.optimizer);
        let optimizer = recorded(Recorder::<B>::record(&recorder, optimizer, ()))?;
        let average = self.average.as_ref().map(|average| average.network.clone().into_record());
        let average = average.map(|record| recorded(Recorder::<B::InnerBackend>::record(&recorder, record, ())));
        let average = average.transpose()?;
        self.records.checkpoint(&Checkpoint { model, optimizer, average, progress: self.progress.clone() })
    }
}
