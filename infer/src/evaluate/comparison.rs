//! Two weights on the same images.

use kiln_model::{Interval, Paired};
use serde::Serialize;

use super::classify_set::Evaluated;

/// How two weights, A and B, differ on the same images.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Comparison {
    /// Images that both classify correctly.
    pub both_correct: u64,
    /// Images that only A does.
    pub only_a_correct: u64,
    /// Images that only B does.
    pub only_b_correct: u64,
    /// Images that neither does.
    pub both_wrong: u64,
    /// Accuracy of B less that of A, -1 to 1.
    pub difference: f64,
    /// Lower bound of the difference's 95 % interval.
    pub difference_low: f64,
    /// Upper bound of the difference's 95 % interval.
    pub difference_high: f64,
    /// How likely weights that are equally good differ at least so much (McNemar's exact test, two-sided).
    pub p_value: f64,
    /// Whether that is less likely than 5 %.
    pub significant: bool,
}

impl Comparison {
    /// How often the difference may be called one where there is none.
    pub const LEVEL: f64 = 0.05;

    /// Compares what two weights said of the same images.
    pub fn new(a: &Evaluated, b: &Evaluated) -> Self {
        // By index: a file may have become unreadable in between.
        let of_b = |index: usize| b.images.binary_search_by_key(&index, |(index, _)| *index).ok();
        let pairs = a.images.iter().filter_map(|(index, a)| Some((a, &b.images[of_b(*index)?].1)));
        let paired = Paired::of(pairs.map(|(a, b)| (a.is_correct(), b.is_correct())));
        let Interval { low, high } = paired.interval();
        Self {
            both_correct: paired.both,
            only_a_correct: paired.only_first,
            only_b_correct: paired.only_second,
            both_wrong: paired.neither,
            difference: paired.difference(),
            difference_low: low,
            difference_high: high,
            p_value: paired.p_value(),
            significant: paired.p_value() < Self::LEVEL,
        }
    }

    /// What follows, in a sentence or two.
    pub fn conclusion(&self) -> String {
        let points = |share: f64| format!("{:+.2}", 100. * share);
        let (low, high) = (points(self.difference_low), points(self.difference_high));
        let (p, difference) = (p_value(self.p_value), points(self.difference));
        let numbers = format!("B's accuracy less A's: {difference} points (95 % interval {low} to {high}), {p}");
        let meaning = match (self.significant, self.difference > 0.) {
            (true, true) => "B is better: the difference is more than chance at the 5 % level",
            (true, false) => "A is better: the difference is more than chance at the 5 % level",
            (false, _) => "the difference may be chance: it is not significant at the 5 % level",
        };
        format!("{numbers}; {meaning}")
    }
}

/// A probability to three places, or as a power of ten.
fn p_value(p: f64) -> String {
    if p < 0.001 { format!("p = {p:.1e}") } else { format!("p = {p:.3}") }
}
