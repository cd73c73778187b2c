//! What the dashboard knows of one metric: its histories, its mean over the pass under way and over each epoch.

use std::collections::VecDeque;

use burn_train::metric::{MetricAttributes, MetricDefinition, MetricId, NumericEntry};

use super::history::{History, Recent};

/// Epochs whose means are kept for the summary.
const EPOCHS: usize = 256;
/// The one metric whose mean over an epoch says nothing: its latest value is shown.
const LEARNING_RATE: &str = "Learning Rate";

/// What the samples of a pass come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    Train,
    Valid,
    Test,
}

impl Split {
    pub(super) const ALL: [Split; 3] = [Split::Train, Split::Valid, Split::Test];

    pub(super) fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Valid => "valid",
            Split::Test => "test",
        }
    }
}

/// One metric on one split.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    /// Set by an update, taken by the commit that tells which iteration it belongs to.
    pending: Option<(f64, f64)>,
    sum: f64,
    weight: f64,
    latest: Option<f64>,
    text: Option<String>,
    pub(super) history: History,
    pub(super) recent: Recent,
}

impl Series {
    /// The mean over the pass under way, or over the last one where none is; weighted by the number of samples.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }

    /// What a metric without a number shows.
    pub(super) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    fn hold(&mut self, entry: &NumericEntry) {
        let weight = match entry {
            NumericEntry::Value(_) => 1.0,
            NumericEntry::Aggregated { count, .. } => *count as f64,
        };
        self.pending = Some((entry.current(), weight));
    }

    /// Moves the value held for this iteration into the sums; returns it.
    fn commit(&mut self) -> Option<f64> {
        let (value, weight) = self.pending.take()?;
        self.sum += value * weight;
        self.weight += weight;
        self.latest = Some(value);
        self.recent.push(value);
        Some(value)
    }

    fn start_pass(&mut self) {
        self.sum = 0.0;
        self.weight = 0.0;
    }
}

/// The means of one epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct EpochMeans {
    pub(super) epoch: usize,
    pub(super) train: Option<f64>,
    pub(super) valid: Option<f64>,
}

/// One registered metric.
#[derive(Clone, Debug)]
pub(super) struct Metric {
    pub(super) id: MetricId,
    pub(super) name: String,
    pub(super) unit: Option<String>,
    pub(super) higher_is_better: bool,
    pub(super) numeric: bool,
    pub(super) epochs: VecDeque<EpochMeans>,
    series: [Series; 3],
}

impl Metric {
    pub(super) fn new(definition: MetricDefinition) -> Self {
        let (numeric, unit, higher_is_better) = match definition.attributes {
            MetricAttributes::Numeric(numeric) => (true, numeric.unit, numeric.higher_is_better),
            MetricAttributes::None => (false, None, true),
        };
        Self {
            id: definition.metric_id,
            name: definition.name,
            unit,
            higher_is_better,
            numeric,
            epochs: VecDeque::new(),
            series: Default::default(),
        }
    }

    pub(super) fn series(&self, split: Split) -> &Series {
        &self.series[split as usize]
    }

    /// Keeps a value until [`commit`](Self::commit) says where it belongs.
    pub(super) fn hold(&mut self, split: Split, entry: &NumericEntry) {
        self.numeric = true;
        self.series[split as usize].hold(entry);
    }

    pub(super) fn set_text(&mut self, split: Split, text: String) {
        self.series[split as usize].text = Some(text);
    }

    /// Places the value held for `split` at `x` (in epochs) in epoch `epoch`.
    pub(super) fn commit(&mut self, split: Split, epoch: usize, x: f64) {
        let series = &mut self.series[split as usize];
        let Some(value) = series.commit() else { return };
        if split == Split::Train {
            series.history.push(x, value);
        }
        let shown = if self.name == LEARNING_RATE { series.latest } else { series.mean() };
        if split != Split::Test {
            let means = self.epoch_mut(epoch);
            match split {
                Split::Train => means.train = shown,
                Split::Valid | Split::Test => means.valid = shown,
            }
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
        if let Some(mean) = series.mean() {
            series.history.push(epoch as f64, mean);
        }
    }

    pub(super) fn start_pass(&mut self, split: Split) {
        self.series[split as usize].start_pass();
    }

    /// The number to print for `split`.
    pub(super) fn shown(&self, split: Split) -> Option<f64> {
        let series = self.series(split);
        if self.name == LEARNING_RATE { series.latest } else { series.mean() }
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
        let sign = if self.higher_is_better { 1.0 } else { -1.0 };
        let scores = self.scores().filter(|_| self.is_judged());
        scores.rev().max_by(|(_, a), (_, b)| (a * sign).total_cmp(&(b * sign)))
    }

    /// Whether better and worse mean anything for this metric.
    pub(super) fn is_judged(&self) -> bool {
        self.name != LEARNING_RATE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_train::metric::NumericAttributes;
    use std::sync::Arc;

    fn metric(name: &str, higher_is_better: bool) -> Metric {
        Metric::new(MetricDefinition {
            metric_id: MetricId::new(Arc::new(name.into())),
            name: name.into(),
            description: None,
            attributes: NumericAttributes { unit: None, higher_is_better }.into(),
        })
    }

    fn batch(metric: &mut Metric, split: Split, epoch: usize, value: f64, count: usize) {
        metric.hold(split, &NumericEntry::Aggregated { aggregated_value: value, count });
        metric.commit(split, epoch, epoch as f64);
    }

    #[test]
    fn the_mean_weighs_a_short_last_batch_by_its_size() {
        let mut loss = metric("Loss", false);
        batch(&mut loss, Split::Valid, 1, 1.0, 90);
        batch(&mut loss, Split::Valid, 1, 2.0, 10);
        let mean = loss.shown(Split::Valid).unwrap();
        assert!((mean - 1.1).abs() < 1e-12, "{mean}");
    }

    #[test]
    fn the_best_epoch_is_the_earliest_of_the_best_validated() {
        let mut accuracy = metric("Accuracy", true);
        for (epoch, valid) in [(1, 90.0), (2, 97.0), (3, 97.0), (4, 96.0)] {
            accuracy.start_pass(Split::Train);
            accuracy.start_pass(Split::Valid);
            batch(&mut accuracy, Split::Train, epoch, 99.0 + epoch as f64, 1);
            batch(&mut accuracy, Split::Valid, epoch, valid, 1);
        }
        // Epoch 5 is not validated yet: its training mean must not win against validated epochs.
        accuracy.start_pass(Split::Train);
        batch(&mut accuracy, Split::Train, 5, 100.0, 1);
        assert_eq!(accuracy.best(), Some((2, 97.0)));

        let mut loss = metric("Loss", false);
        batch(&mut loss, Split::Valid, 1, f64::NAN, 1);
        loss.start_pass(Split::Valid);
        batch(&mut loss, Split::Valid, 2, 0.5, 1);
        assert_eq!(loss.best(), Some((2, 0.5)), "NaN is never the best");
    }

    #[test]
    fn the_learning_rate_shows_its_latest_value() {
        let mut rate = metric(LEARNING_RATE, false);
        batch(&mut rate, Split::Train, 1, 0.1, 1);
        batch(&mut rate, Split::Train, 1, 0.001, 1);
        assert_eq!(rate.shown(Split::Train), Some(0.001));
    }
}
