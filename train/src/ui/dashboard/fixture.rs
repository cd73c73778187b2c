//! States to test with.

use std::time::{Duration, Instant};

use kiln_model::Metrics;

use super::progress::Step;
use super::state::State;
use super::{Misread, RunInfo};
use crate::event::Split;

/// The metrics of a batch of 64 images with this mean loss, and this percentage of them right.
pub(super) fn metrics(loss: f64, percent: f64) -> Metrics {
    // Percentages of 64 images are no whole numbers: as many more images, of the same loss.
    let count = 6400;
    let correct = (percent * 64.).round() as usize;
    Metrics { count, correct, top5: (correct + 30).min(count), loss_sum: loss * count as f64 }
}

/// A run on a clock of its own: 5 ms an iteration.
pub(super) struct Run {
    pub(super) state: State,
    pub(super) now: Instant,
    iterations: usize,
    batches: usize,
    /// The pass under way, and what its batches add up to.
    pass: (Split, usize, Metrics),
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
        let pass = (Split::Train, 0, Metrics::default());
        Self { state: State::new(info, now), now, iterations, batches, pass }
    }

    pub(super) fn train(&mut self, epoch: usize, iteration: usize, batch: Metrics) {
        self.step(Split::Train, epoch, iteration, self.iterations, batch);
    }

    pub(super) fn valid(&mut self, epoch: usize, done: usize, batch: Metrics) {
        self.step(Split::Valid, epoch, done, self.batches, batch);
    }

    fn step(&mut self, split: Split, epoch: usize, done: usize, total: usize, batch: Metrics) {
        self.now += Duration::from_millis(5);
        if (self.pass.0, self.pass.1) != (split, epoch) {
            self.pass = (split, epoch, Metrics::default());
        }
        self.pass.2.add(&batch);
        let step = Step { split, epoch, items: done * 64, items_total: total * 64, now: self.now };
        self.state.batch(step, &batch, &self.pass.2);
    }
}

/// Nothing run.
pub(super) fn empty() -> State {
    State::new(RunInfo::default(), Instant::now())
}

/// Inside the first epoch: no validation, no matrix, no misread image, and a loss that was NaN once.
pub(super) fn partial() -> Run {
    let mut run = Run::new(10, 100, 10);
    for i in 1..=40 {
        let loss = if i == 7 { f64::NAN } else { 2.3 / i as f64 };
        run.train(1, i, metrics(loss, i as f64));
    }
    run
}

/// Inside the fourth of ten epochs, with everything there is.
pub(super) fn full() -> State {
    let mut run = Run::new(10, 100, 10);
    for epoch in 1..=4 {
        for i in 1..=(if epoch == 4 { 50 } else { 100 }) {
            let t = epoch as f64 + i as f64 / 100.0;
            run.train(epoch, i, metrics(2.0 / t, 100.0 - 20.0 / t));
        }
        for i in 1..=(if epoch == 4 { 0 } else { 10 }) {
            run.valid(epoch, i, metrics(0.5 / epoch as f64, 97.0 + epoch as f64 / 2.0));
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
