//! The numbers that dashboards show and curves are drawn of. One line adds one.

use kiln_model::Metrics;

/// A number of a batch's or an epoch's metrics.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Its name, as shown.
    pub name: &'static str,
    /// Its unit, if it has one.
    pub unit: Option<&'static str>,
    /// Whether more is better.
    pub higher_is_better: bool,
    /// The fewest classes for which it says anything.
    least_classes: usize,
    value: fn(&Metrics) -> f64,
}

/// All measures, in the order in which they are shown: mean cross-entropy in nats, and the percentages of images whose class
/// came first and among the first five.
pub const MEASURES: [Measure; 3] = [
    Measure { name: "Loss", unit: None, higher_is_better: false, least_classes: 0, value: Metrics::loss },
    Measure { name: "Accuracy", unit: Some("%"), higher_is_better: true, least_classes: 0, value: percent_correct },
    Measure { name: "Top-5 Accuracy", unit: Some("%"), higher_is_better: true, least_classes: 6, value: percent_top5 },
];

fn percent_correct(metrics: &Metrics) -> f64 {
    100. * metrics.accuracy()
}

fn percent_top5(metrics: &Metrics) -> f64 {
    100. * metrics.top5_accuracy()
}

impl Measure {
    /// The number; not a number without images.
    pub fn of(&self, metrics: &Metrics) -> f64 {
        (self.value)(metrics)
    }

    /// Whether it says anything about so many classes.
    pub fn applies(&self, classes: usize) -> bool {
        classes >= self.least_classes
    }
}
