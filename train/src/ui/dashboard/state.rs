//! Everything the training side has told the dashboard.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use kiln_model::Metrics;

use super::metric::Metric;
use super::progress::{RunProgress, Step};
use super::{Misread, RunInfo};
use crate::event::Split;
use crate::measure::MEASURES;

/// Lines the status pane remembers.
const NOTES: usize = 50;

/// Cloned for each frame: what is large and rarely changes is behind an `Arc`.
#[derive(Clone)]
pub(super) struct State {
    pub(super) run: Arc<RunInfo>,
    pub(super) metrics: Vec<Metric>,
    pub(super) progress: RunProgress,
    pub(super) confusion: Option<Arc<ConfusionCounts>>,
    pub(super) misread: Arc<[Misread]>,
    pub(super) notes: VecDeque<Arc<str>>,
    /// Grows with each change; a frame is drawn where it differs from the last frame's.
    pub(super) version: u64,
}

impl State {
    pub(super) fn new(run: RunInfo, now: Instant) -> Self {
        let shown = MEASURES.into_iter().filter(|measure| measure.applies(run.classes.len()));
        Self {
            progress: RunProgress::new(run.first_epoch, run.epochs, run.iterations_per_epoch, now),
            metrics: shown.map(Metric::new).collect(),
            run: Arc::new(run),
            confusion: None,
            misread: Arc::new([]),
            notes: VecDeque::new(),
            version: 0,
        }
    }

    /// Takes in a batch: where it belongs, its metrics, and those of the pass so far.
    pub(super) fn batch(&mut self, step: Step, batch: &Metrics, total: &Metrics) {
        self.version += 1;
        if self.progress.is_new_pass(&step) && self.progress.split == Some(Split::Valid) {
            let epoch = self.progress.epoch;
            self.metrics.iter_mut().for_each(|metric| metric.finish_validation(epoch));
        }
        self.progress.advance(step);
        let x = self.progress.epochs_done();
        for metric in &mut self.metrics {
            let measure = metric.measure;
            metric.add(step.split, step.epoch, x, measure.of(batch), measure.of(total));
        }
    }

    pub(super) fn set_confusion(&mut self, counts: Vec<u64>) {
        if let Some(confusion) = ConfusionCounts::new(counts, self.run.classes.len(), self.progress.epoch) {
            self.version += 1;
            self.confusion = Some(Arc::new(confusion));
        }
    }

    pub(super) fn set_misread(&mut self, images: Vec<Misread>) {
        self.version += 1;
        self.misread = images.into();
    }

    pub(super) fn add_note(&mut self, line: String) {
        self.version += 1;
        if self.notes.len() == NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back(line.into());
    }

    /// The name of class `class`, or its index where it has none.
    pub(super) fn class_name(&self, class: usize) -> String {
        self.run.classes.get(class).cloned().unwrap_or_else(|| class.to_string())
    }
}

/// A confusion matrix.
#[derive(Debug)]
pub(super) struct ConfusionCounts {
    counts: Vec<u64>,
    pub(super) classes: usize,
    /// The epoch whose validation counted it.
    pub(super) epoch: usize,
}

impl ConfusionCounts {
    /// `None` unless `counts` is a matrix of `classes` rows and columns.
    fn new(counts: Vec<u64>, classes: usize, epoch: usize) -> Option<Self> {
        (classes > 0 && classes.checked_mul(classes) == Some(counts.len())).then_some(Self { counts, classes, epoch })
    }

    /// Images of class `truth` taken for class `predicted`.
    pub(super) fn count(&self, truth: usize, predicted: usize) -> u64 {
        self.counts[truth * self.classes + predicted]
    }

    pub(super) fn row(&self, truth: usize) -> &[u64] {
        &self.counts[truth * self.classes..][..self.classes]
    }

    /// The largest count of all.
    pub(super) fn largest(&self) -> u64 {
        self.counts.iter().copied().max().unwrap_or(0)
    }

    /// Correct and all.
    pub(super) fn totals(&self) -> (u64, u64) {
        ((0..self.classes).map(|class| self.count(class, class)).sum(), self.counts.iter().sum())
    }

    /// The pairs `(truth, predicted, count)` of different classes with the largest counts, largest first.
    pub(super) fn most_confused(&self, most: usize) -> Vec<(usize, usize, u64)> {
        let cells = (0..self.counts.len()).map(|i| (i / self.classes, i % self.classes, self.counts[i]));
        let mut pairs: Vec<_> = cells.filter(|&(truth, predicted, count)| truth != predicted && count > 0).collect();
        pairs.sort_by_key(|&(truth, predicted, count)| (std::cmp::Reverse(count), truth, predicted));
        pairs.truncate(most);
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn batches_belong_to_their_epoch() {
        // The first batch of epoch 2 arrives before anything says that epoch 1 is over.
        let mut run = fixture::Run::new(3, 2, 1);
        run.train(1, 1, fixture::metrics(2.0, 0.));
        run.train(1, 2, fixture::metrics(1.0, 0.));
        run.valid(1, 1, fixture::metrics(0.75, 0.));
        run.train(2, 1, fixture::metrics(0.5, 0.));
        let loss = &run.state.metrics[0];
        assert_eq!(loss.epochs[0].train, Some(1.5));
        assert_eq!(loss.epochs[0].valid, Some(0.75));
        assert_eq!(loss.epochs[1].train, Some(0.5));
        let points: Vec<_> = loss.series(Split::Valid).history.buckets().iter().map(|b| (b.x(), b.mean())).collect();
        assert_eq!(points, [(1.0, 0.75)]);
    }

    #[test]
    fn a_matrix_of_another_size_is_ignored() {
        let mut state = fixture::full();
        let before = state.confusion.clone().map(|confusion| confusion.totals());
        state.set_confusion(vec![1, 2, 3]);
        assert_eq!(state.confusion.map(|confusion| confusion.totals()), before);
    }

    #[test]
    fn the_most_confused_pairs_come_first() {
        let confusion = ConfusionCounts::new(vec![9, 1, 0, 4, 8, 2, 0, 0, 7], 3, 1).unwrap();
        assert_eq!(confusion.most_confused(2), [(1, 0, 4), (1, 2, 2)]);
        assert_eq!(confusion.totals(), (24, 31));
    }
}
