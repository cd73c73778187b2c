//! States to test with.

use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::data::dataloader::Progress;
use burn_train::metric::{
    MetricAttributes, MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry, SerializedEntry,
};
use burn_train::renderer::{EvaluationProgress, MetricState, TrainingProgress};

use super::metric::Split;
use super::renderer::training_step;
use super::state::State;
use super::{Misread, RunInfo};

pub(super) fn definition(name: &str, unit: Option<&str>, higher_is_better: bool) -> MetricDefinition {
    let attributes = NumericAttributes { unit: unit.map(str::to_owned), higher_is_better };
    let attributes = MetricAttributes::Numeric(attributes);
    MetricDefinition { metric_id: id(name), name: name.into(), description: None, attributes }
}

pub(super) fn value(name: &str, value: f64, count: usize) -> MetricState {
    let text = SerializedEntry::new(value.to_string(), value.to_string());
    let number = NumericEntry::Aggregated { aggregated_value: value, count };
    MetricState::Numeric(MetricEntry::new(id(name), text), number)
}

pub(super) fn training_progress(epoch: usize, epochs: usize, items: usize, total: usize) -> TrainingProgress {
    TrainingProgress {
        progress: Some(Progress { items_processed: items, items_total: total }),
        global_progress: Progress { items_processed: epoch, items_total: epochs },
        iteration: None,
    }
}

pub(super) fn evaluation_progress(items: usize, total: usize) -> EvaluationProgress {
    EvaluationProgress { progress: Progress { items_processed: items, items_total: total }, iteration: None }
}

fn id(name: &str) -> MetricId {
    MetricId::new(Arc::new(name.to_owned()))
}

/// A run on a clock of its own: 5 ms an iteration.
pub(super) struct Run {
    pub(super) state: State,
    pub(super) now: Instant,
    iterations: usize,
    batches: usize,
}

impl Run {
    pub(super) fn new(epochs: usize, iterations: usize, batches: usize) -> Self {
        let now = Instant::now();
        let info = RunInfo {
            name: "lecture-cnn-mnist-007".into(),
            model: "lecture-cnn".into(),
            dataset: "mnist".into(),
            backend: "ndarray".into(),
            epochs,
            first_epoch: 1,
            iterations_per_epoch: iterations,
            classes: (0..10).map(|digit| digit.to_string()).collect(),
        };
        let mut state = State::new(info, now);
        state.register(definition("Loss", None, false));
        state.register(definition("Accuracy", Some("%"), true));
        state.register(definition("Top-5 Accuracy", Some("%"), true));
        state.register(definition("Learning Rate", None, false));
        Self { state, now, iterations, batches }
    }

    pub(super) fn train(&mut self, epoch: usize, iteration: usize, values: &[(&str, f64)]) {
        self.step(Split::Train, epoch, iteration, self.iterations, values);
    }

    pub(super) fn valid(&mut self, epoch: usize, batch: usize, values: &[(&str, f64)]) {
        self.step(Split::Valid, epoch, batch, self.batches, values);
    }

    fn step(&mut self, split: Split, epoch: usize, done: usize, total: usize, values: &[(&str, f64)]) {
        self.now += Duration::from_millis(5);
        for &(name, number) in values {
            self.state.update(split, value(name, number, 64));
        }
        let epochs = self.state.run.epochs;
        self.state.commit(training_step(split, &training_progress(epoch, epochs, done * 64, total * 64), self.now));
    }
}

/// Nothing registered, nothing run.
pub(super) fn empty() -> State {
    State::new(RunInfo::default(), Instant::now())
}

/// Inside the first epoch: no validation, no matrix, no misread image, and a loss that was NaN once.
pub(super) fn partial() -> Run {
    let mut run = Run::new(10, 100, 10);
    for i in 1..=40 {
        let loss = if i == 7 { f64::NAN } else { 2.3 / i as f64 };
        run.train(1, i, &[("Loss", loss), ("Accuracy", i as f64), ("Learning Rate", 0.01)]);
    }
    run
}

/// Inside the fourth of ten epochs, with everything there is.
pub(super) fn full() -> State {
    let mut run = Run::new(10, 100, 10);
    for epoch in 1..=4 {
        for i in 1..=(if epoch == 4 { 50 } else { 100 }) {
            let t = epoch as f64 + i as f64 / 100.0;
            let (loss, accuracy) = (2.0 / t, 100.0 - 20.0 / t);
            run.train(
                epoch,
                i,
                &[("Loss", loss), ("Accuracy", accuracy), ("Top-5 Accuracy", 99.0), ("Learning Rate", 0.01)],
            );
        }
        for i in 1..=(if epoch == 4 { 0 } else { 10 }) {
            let accuracy = 97.0 + epoch as f64 / 2.0;
            run.valid(epoch, i, &[("Loss", 0.5 / epoch as f64), ("Accuracy", accuracy), ("Top-5 Accuracy", 99.5)]);
        }
    }
    run.state.set_confusion(confusion(10));
    run.state.set_misread((0..8).map(misread).collect());
    run.state.add_note("saved epoch 3, the best so far".into());
    run.state
}

/// 1000 right of each class; 4 is taken for 9 in 37 cases.
pub(super) fn confusion(classes: usize) -> Vec<u64> {
    let mut counts = vec![0; classes * classes];
    for class in 0..classes {
        counts[class * classes + class] = 1000;
        counts[class * classes + (class + 1) % classes] = class as u64 % 5;
    }
    if classes == 10 {
        counts[4 * 10 + 9] = 37;
    }
    counts
}

/// A 28 x 28 image with a light ring on black, a 4 taken for a 9.
pub(super) fn misread(index: usize) -> Misread {
    let ring = |i: usize| {
        let (x, y) = ((i % 28) as f32 - 13.5, (i / 28) as f32 - 13.5);
        if (7.0..10.0).contains(&x.hypot(y)) { 255 } else { 0 }
    };
    let pixels = (0..28 * 28).map(ring).collect();
    Misread { index, width: 28, height: 28, pixels, truth: 4, predicted: 9, confidence: 0.871 }
}
