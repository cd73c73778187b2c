//! Two networks on the same images: whether one is better than the other, or luckier.

use super::interval::{Interval, Z};

/// How many images two networks classify correctly, together and alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paired {
    /// Both.
    pub both: u64,
    /// The first one alone.
    pub only_first: u64,
    /// The second one alone.
    pub only_second: u64,
    /// None.
    pub neither: u64,
}

impl Paired {
    /// Counts images, each given as whether the first network is right and whether the second one is.
    pub fn of(images: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut paired = Self::default();
        for image in images {
            *match image {
                (true, true) => &mut paired.both,
                (true, false) => &mut paired.only_first,
                (false, true) => &mut paired.only_second,
                (false, false) => &mut paired.neither,
            } += 1;
        }
        paired
    }

    /// Images.
    pub fn count(&self) -> u64 {
        self.both + self.only_first + self.only_second + self.neither
    }

    /// Accuracy of the second network less that of the first, -1 to 1; not a number without images.
    pub fn difference(&self) -> f64 {
        (self.only_second as f64 - self.only_first as f64) / self.count() as f64
    }

    /// How likely networks that are equally good differ at least so much: McNemar's test in its exact form, two-sided
    /// (McNemar, "Note on the sampling error of the difference between correlated proportions", 1947). Only images that one
    /// network alone has right count, and each would be either's with probability 1/2.
    pub fn p_value(&self) -> f64 {
        let (fewer, count) = (self.only_first.min(self.only_second), self.only_first + self.only_second);
        // The terms binomial(count, k) / 2^count from k = fewer down to 0, each from the one before.
        let largest: f64 = (1..=fewer).map(|k| ((count - fewer + k) as f64 / k as f64).ln()).sum();
        let mut term = (largest - count as f64 * std::f64::consts::LN_2).exp();
        let mut tail = 0.;
        for k in (0..=fewer).rev() {
            tail += term;
            term *= k as f64 / (count - k + 1) as f64;
        }
        (2. * tail).min(1.)
    }

    /// The 95 % interval of [`difference`](Self::difference): Tango's, which is to two paired shares what Wilson's is to one
    /// ("Equivalence test and confidence interval for the difference in proportions for the paired-sample design", 1998). It is
    /// everything without images.
    pub fn interval(&self) -> Interval {
        let difference = self.difference();
        if self.count() == 0 {
            return Interval { low: -1., high: 1. };
        }
        // The score falls as the assumed difference grows.
        let bound = |mut inside: f64, mut outside: f64, z: f64| {
            for _ in 0..100 {
                let middle = (inside + outside) / 2.;
                *(if self.score(middle).abs() <= z { &mut inside } else { &mut outside }) = middle;
            }
            inside
        };
        Interval { low: bound(difference, -1., Z), high: bound(difference, 1., Z) }
    }

    /// How many standard deviations the counts are from what they would be if the difference were `assumed`, with the other
    /// share as it is then likeliest.
    fn score(&self, assumed: f64) -> f64 {
        let (n, gained, lost) = (self.count() as f64, self.only_second as f64, self.only_first as f64);
        let (a, b) = (2. * n, -gained - lost + (2. * n - gained + lost) * assumed);
        let c = -lost * assumed * (1. - assumed);
        let share = ((b * b - 4. * a * c).max(0.).sqrt() - b) / (2. * a);
        let variance = n * (2. * share + assumed * (1. - assumed));
        let above = gained - lost - n * assumed;
        if above == 0. { 0. } else { above / variance.max(0.).sqrt() }
    }
}
