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
        let entry = NumericEntry::Aggregated { aggregated_value: M::of(tally), count: tally.count };
        SerializedEntry::new(format!("{:.4}", M::of(&self.epoch)), entry.serialize())
    }

    fn clear(&mut self) {
        *self = Self::new();
    }
}

impl<M: Measure> Numeric for Counted<M> {
    fn value(&self) -> NumericEntry {
        NumericEntry::Value(M::of(&self.batch))
    }

    fn running_value(&self) -> NumericEntry {
        NumericEntry::Value(M::of(&self.epoch))
    }
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
