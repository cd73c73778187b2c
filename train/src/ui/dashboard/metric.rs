//! What the dashboard knows of one metric: its histories, its mean over the pass under way and over each epoch.

use std::collections::VecDeque;

use super::history::{MetricHistory, Recent};
use crate::event::Split;
use crate::measure::Measure;

/// Epochs whose means are kept for the summary.
const EPOCHS: usize = 256;

impl Split {
    pub(super) const ALL: [Split; 2] = [Split::Train, Split::Valid];

    pub(super) fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Valid => "valid",
        }
    }
}

/// One metric on one split.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    /// The mean over the pass under way, or over the last one where none is.
    mean: Option<f64>,
    pub(super) history: MetricHistory,
    pub(super) recent: Recent,
}

/// The means of one epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct EpochMeans {
    pub(super) epoch: usize,
    pub(super) train: Option<f64>,
    pub(super) valid: Option<f64>,
}

/// One metric.
#[derive(Clone, Debug)]
pub(super) struct Metric {
    pub(super) measure: Measure,
    pub(super) epochs: VecDeque<EpochMeans>,
    series: [Series; 2],
}

impl Metric {
    pub(super) fn new(measure: Measure) -> Self {
        Self { measure, epochs: VecDeque::new(), series: Default::default() }
    }

    pub(super) fn series(&self, split: Split) -> &Series {
        &self.series[split as usize]
    }

    /// Takes in a batch of `split`, its `value` and the `mean` over the pass so far, at `x` (in epochs) in epoch `epoch`.
    pub(super) fn add(&mut self, split: Split, epoch: usize, x: f64, value: f64, mean: f64) {
        let series = &mut self.series[split as usize];
        series.mean = Some(mean);
        series.recent.push(value);
        if split == Split::Train {
            series.history.push(x, value);
        }
        let means = self.epoch_mut(epoch);
        match split {
            Split::Train => means.train = Some(mean),
            Split::Valid => means.valid = Some(mean),
        }
    }

    fn epoch_mut(&mut self, epoch: usize) -> &mut EpochMeans {
        if self.epochs.back().is_none_or(|last| last.epoch != epoch) {
            if self.epochs.len() == EPOCHS {
                self.epochs.pop_front();
            }
            self.epochs.push_back(EpochMeans { epoch, train: None, valid: None });
        }
        let last = self.epochs.len() - 1;
        &mut self.epochs[last]
    }

    /// A validation pass of `epoch` is over: its mean becomes one point of the plotted history.
    pub(super) fn finish_validation(&mut self, epoch: usize) {
        let series = &mut self.series[Split::Valid as usize];
        if let Some(mean) = series.mean {
            series.history.push(epoch as f64, mean);
        }
    }

    /// The number to print for `split`.
    pub(super) fn shown(&self, split: Split) -> Option<f64> {
        self.series(split).mean
    }

    /// The epochs still remembered, each with the finite mean that it is judged by: that of validation, or of training
    /// where nothing has been validated yet.
    pub(super) fn scores(&self) -> impl DoubleEndedIterator<Item = (usize, f64)> + '_ {
        let validated = self.epochs.iter().any(|means| means.valid.is_some());
        let scored =
            self.epochs.iter().map(move |means| (means.epoch, if validated { means.valid } else { means.train }));
        scored.filter_map(|(epoch, score)| score.filter(|score| score.is_finite()).map(|score| (epoch, score)))
    }

    /// The best epoch and its score; the earliest of equal ones, as the choice of the best weights has it.
    pub(super) fn best(&self) -> Option<(usize, f64)> {
        let sign = if self.measure.higher_is_better { 1.0 } else { -1.0 };
        self.scores().rev().max_by(|(_, a), (_, b)| (a * sign).total_cmp(&(b * sign)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::MEASURES;

    fn batch(metric: &mut Metric, split: Split, epoch: usize, value: f64) {
        metric.add(split, epoch, epoch as f64, value, value);
    }

    #[test]
    fn the_best_epoch_is_the_earliest_of_the_best_validated() {
        let [loss, accuracy, _] = MEASURES;
        let mut accuracy = Metric::new(accuracy);
        for (epoch, valid) in [(1, 90.0), (2, 97.0), (3, 97.0), (4, 96.0)] {
            batch(&mut accuracy, Split::Train, epoch, 99.0 + epoch as f64);
            batch(&mut accuracy, Split::Valid, epoch, valid);
        }
        // Epoch 5 is not validated yet: its training mean must not win against validated epochs.
        batch(&mut accuracy, Split::Train, 5, 100.0);
        assert_eq!(accuracy.best(), Some((2, 97.0)));

        let mut loss = Metric::new(loss);
        batch(&mut loss, Split::Valid, 1, f64::NAN);
        batch(&mut loss, Split::Valid, 2, 0.5);
        assert_eq!(loss.best(), Some((2, 0.5)), "NaN is never the best");
    }
}
