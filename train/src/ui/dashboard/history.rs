//! The history of one metric in bounded memory: the whole run at low resolution, the end of it at full resolution.

use std::collections::VecDeque;

/// Buckets in a whole history; a plot has two Braille columns for each character, so no terminal shows more.
const BUCKETS: usize = 256;
/// Values in a recent history.
pub(super) const RECENT: usize = 600;
/// Larger values (and NaN) are left out: the arithmetic of a plot's axes would overflow.
const LARGEST: f64 = 1e100;

/// Neighbouring samples drawn as one: their mean is the line, their extremes the band around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    start: f64,
    end: f64,
    sum: f64,
    count: u32,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Bucket {
    fn of(x: f64, y: f64) -> Self {
        Self { start: x, end: x, sum: y, count: 1, min: y, max: y }
    }

    fn join(&mut self, later: &Bucket) {
        self.end = later.end;
        self.sum += later.sum;
        self.count += later.count;
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
    }

    pub(super) fn x(&self) -> f64 {
        (self.start + self.end) / 2.0
    }

    pub(super) fn mean(&self) -> f64 {
        self.sum / f64::from(self.count)
    }
}

/// A whole run of samples in at most [`BUCKETS`] buckets.
///
/// Each bucket takes `stride` samples. When all are full, neighbours are joined and the stride doubles: a push costs a
/// few additions, and 2^30 samples take the memory of 256. No extreme is ever lost, only its place is blurred.
#[derive(Clone, Debug)]
pub(super) struct MetricHistory {
    buckets: Vec<Bucket>,
    stride: u32,
    ends: Option<[(f64, f64); 2]>,
}

impl Default for MetricHistory {
    fn default() -> Self {
        Self { buckets: Vec::new(), stride: 1, ends: None }
    }
}

impl MetricHistory {
    /// Adds the value `y` at position `x`; positions ascend.
    pub(super) fn push(&mut self, x: f64, y: f64) {
        if !is_plottable(y) {
            return;
        }
        match &mut self.ends {
            Some([_, last]) => *last = (x, y),
            None => self.ends = Some([(x, y); 2]),
        }
        match self.buckets.last_mut() {
            Some(bucket) if bucket.count < self.stride => bucket.join(&Bucket::of(x, y)),
            _ => {
                if self.buckets.len() == BUCKETS {
                    self.halve();
                }
                self.buckets.push(Bucket::of(x, y));
            }
        }
    }

    fn halve(&mut self) {
        for i in 0..BUCKETS / 2 {
            let mut joined = self.buckets[2 * i];
            joined.join(&self.buckets[2 * i + 1]);
            self.buckets[i] = joined;
        }
        self.buckets.truncate(BUCKETS / 2);
        self.stride = self.stride.saturating_mul(2);
    }

    /// The buckets, oldest first.
    pub(super) fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// The very first sample.
    pub(super) fn first(&self) -> Option<(f64, f64)> {
        self.ends.map(|[first, _]| first)
    }

    /// The very last sample.
    pub(super) fn last(&self) -> Option<(f64, f64)> {
        self.ends.map(|[_, last]| last)
    }
}

/// The last [`RECENT`] values.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent(VecDeque<f64>);

impl Recent {
    pub(super) fn push(&mut self, y: f64) {
        if !is_plottable(y) {
            return;
        }
        if self.0.len() == RECENT {
            self.0.pop_front();
        }
        self.0.push_back(y);
    }

    /// The values, oldest first.
    pub(super) fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.0.iter().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

pub(super) fn is_plottable(y: f64) -> bool {
    y.abs() <= LARGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_history_keeps_its_ends_its_extremes_and_its_mean() {
        let mut history = MetricHistory::default();
        let n = 1_000_003;
        let value = |i: usize| match i {
            123_457 => 99.0,
            654_321 => -7.0,
            _ => (i % 10) as f64,
        };
        for i in 0..n {
            history.push(i as f64, value(i));
        }
        assert!(history.buckets().len() <= BUCKETS, "{} buckets", history.buckets().len());
        assert!(history.buckets().len() >= BUCKETS / 2, "too coarse: {} buckets", history.buckets().len());
        assert_eq!(history.first(), Some((0.0, 0.0)));
        assert_eq!(history.last(), Some(((n - 1) as f64, value(n - 1))));
        let max = history.buckets().iter().map(|bucket| bucket.max).fold(f64::MIN, f64::max);
        let min = history.buckets().iter().map(|bucket| bucket.min).fold(f64::MAX, f64::min);
        assert_eq!((min, max), (-7.0, 99.0));
        let sum: f64 = history.buckets().iter().map(|bucket| bucket.mean() * f64::from(bucket.count)).sum();
        let expected: f64 = (0..n).map(value).sum();
        assert!((sum - expected).abs() < 1e-3 * expected, "{sum} {expected}");
    }

    #[test]
    fn buckets_cover_the_run_in_order() {
        let mut history = MetricHistory::default();
        for i in 0..10_000 {
            history.push(f64::from(i), 1.0);
        }
        assert!(history.buckets().windows(2).all(|pair| pair[0].x() < pair[1].x()));
        assert_eq!(history.buckets().iter().map(|bucket| bucket.count).sum::<u32>(), 10_000);
        let full = &history.buckets()[..history.buckets().len() - 1];
        assert!(full.iter().all(|bucket| bucket.count == history.stride), "buckets of one width");
    }

    #[test]
    fn a_diverged_loss_leaves_the_plot_usable() {
        let mut history = MetricHistory::default();
        let mut recent = Recent::default();
        for y in [1.0, f64::NAN, f64::INFINITY, 1e300, 2.0] {
            history.push(0.0, y);
            recent.push(y);
        }
        assert_eq!(history.buckets().len(), 2);
        assert_eq!(recent.values().collect::<Vec<_>>(), [1.0, 2.0]);
    }

    #[test]
    fn recent_keeps_the_newest() {
        let mut recent = Recent::default();
        for i in 0..RECENT + 5 {
            recent.push(i as f64);
        }
        assert_eq!(recent.len(), RECENT);
        assert_eq!(recent.values().next(), Some(5.0));
        assert_eq!(recent.values().last(), Some((RECENT + 4) as f64));
    }
}
