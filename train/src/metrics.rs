//! The metrics that burn-train shows, from exact counts over the epoch so far.

use std::marker::PhantomData;
use std::sync::Arc;

use burn_train::logger::MetricLogger;
use burn_train::metric::store::{EpochSummary, MetricsUpdate, Split};
use burn_train::metric::{
    Metric, MetricAttributes, MetricDefinition, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry,
};
use kiln_model::Tally;

/// One number of a [`Tally`].
pub trait Measure: Clone + Send + Sync + 'static {
    /// Its name, as shown.
    const NAME: &'static str;
    /// Its unit, if it has one.
    const UNIT: Option<&'static str>;
    /// Whether more is better.
    const HIGHER_IS_BETTER: bool;

    /// The number.
    fn of(tally: &Tally) -> f64;
}

/// Mean cross-entropy, in nats.
#[derive(Clone, Debug)]
pub struct Loss;
/// Share of images whose class came first, in percent.
#[derive(Clone, Debug)]
pub struct Accuracy;
/// Share of images whose class came among the first five, in percent.
#[derive(Clone, Debug)]
pub struct Top5;

impl Measure for Loss {
    const NAME: &'static str = "Loss";
    const UNIT: Option<&'static str> = None;
    const HIGHER_IS_BETTER: bool = false;

    fn of(tally: &Tally) -> f64 {
        tally.loss()
    }
}

impl Measure for Accuracy {
    const NAME: &'static str = "Accuracy";
    const UNIT: Option<&'static str> = Some("%");
    const HIGHER_IS_BETTER: bool = true;

    fn of(tally: &Tally) -> f64 {
        100. * tally.accuracy()
    }
}

impl Measure for Top5 {
    const NAME: &'static str = "Top-5 Accuracy";
    const UNIT: Option<&'static str> = Some("%");
    const HIGHER_IS_BETTER: bool = true;

    fn of(tally: &Tally) -> f64 {
        100. * tally.top5_accuracy()
    }
}

/// A measure as a burn-train metric.
#[derive(Clone, Debug)]
pub struct Counted<M> {
    epoch: Tally,
    batch: Tally,
    measure: PhantomData<M>,
}

impl<M> Counted<M> {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self { epoch: Tally::default(), batch: Tally::default(), measure: PhantomData }
    }
}

impl<M> Default for Counted<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Measure> Metric for Counted<M> {
    type Input = Tally;

    fn name(&self) -> MetricName {
        Arc::new(M::NAME.to_owned())
    }

    fn attributes(&self) -> MetricAttributes {
        let unit = M::UNIT.map(str::to_owned);
        NumericAttributes { unit, higher_is_better: M::HIGHER_IS_BETTER }.into()
    }

    fn update(&mut self, tally: &Tally, _: &MetricMetadata) -> SerializedEntry {
        self.batch = *tally;
        self.epoch.add(tally);
        SerializedEntry::new(format!("{:.4}", M::of(&self.epoch)), entry::<M>(tally).serialize())
    }

    fn clear(&mut self) {
        *self = Self::new();
    }
}

impl<M: Measure> Numeric for Counted<M> {
    fn value(&self) -> NumericEntry {
        entry::<M>(&self.batch)
    }

    fn running_value(&self) -> NumericEntry {
        entry::<M>(&self.epoch)
    }
}

/// A value with its number of images, so that whoever averages can weigh a short last batch rightly.
fn entry<M: Measure>(tally: &Tally) -> NumericEntry {
    NumericEntry::Aggregated { aggregated_value: M::of(tally), count: tally.count }
}

/// Keeps burn-train from writing its own metric files: ours are `metrics.csv` and the TensorBoard events.
pub struct NoFiles;

impl MetricLogger for NoFiles {
    fn log(&mut self, _: MetricsUpdate, _: usize, _: &Split) {}

    fn read_numeric(&mut self, name: &str, _: usize, _: &Split) -> Result<Vec<NumericEntry>, String> {
        Err(format!("{name} is not kept by burn-train"))
    }

    fn log_metric_definition(&mut self, _: MetricDefinition) {}

    fn log_epoch_summary(&mut self, _: EpochSummary) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::data::dataloader::Progress;

    #[test]
    fn a_short_last_batch_counts_by_its_images() {
        let tally = |count, correct, loss_sum| Tally { count, correct, top5: count, loss_sum };
        let mut accuracy = Counted::<Accuracy>::new();
        let mut loss = Counted::<Loss>::new();
        let (progress, global_progress) = (Progress::new(0, 1), Progress::new(0, 1));
        let metadata = MetricMetadata { progress, global_progress, iteration: None, lr: None };
        for tally in [tally(64, 32, 64.), tally(16, 16, 0.)] {
            let shown = accuracy.update(&tally, &metadata);
            assert!(shown.serialized.ends_with(&format!(",{}", tally.count)), "{}", shown.serialized);
            loss.update(&tally, &metadata);
        }
        assert_eq!(accuracy.running_value().current(), 60.);
        assert_eq!(loss.running_value().current(), 0.8);
        let NumericEntry::Aggregated { aggregated_value, count } = accuracy.value() else { panic!("no count") };
        assert_eq!((aggregated_value, count), (100., 16));
        accuracy.clear();
        assert!(accuracy.running_value().current().is_nan());
    }
}
