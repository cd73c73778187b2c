//! Sums over images, which batches add to.

use serde::{Deserialize, Serialize};

use super::probabilities::{argmax, log_sum_exp, rank};

/// Sums over images that were classified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Images.
    pub count: usize,
    /// Images whose class came first.
    pub correct: usize,
    /// Images whose class came among the first five.
    pub top5: usize,
    /// Sum of the images' cross-entropies, in nats.
    pub loss_sum: f64,
}

impl Metrics {
    /// Counts a batch from its logits, row by row `[N, classes]`, and classes `[N]`.
    ///
    /// The cross-entropy has label smoothing as in PyTorch: the share `smoothing` of the target is spread over all classes.
    ///
    /// # Panics
    /// If a label is not below `classes`, or there are fewer logits than labels ask for.
    pub fn of(logits: &[f32], classes: usize, labels: &[usize], smoothing: f64) -> Self {
        let mut metrics = Self { count: labels.len(), ..Self::default() };
        for (row, &label) in logits.chunks_exact(classes).zip(labels) {
            metrics.correct += usize::from(argmax(row) == label);
            metrics.top5 += usize::from(rank(row, label) < 5);
            let total = log_sum_exp(row, 1.);
            let mut loss = (1. - smoothing) * (total - f64::from(row[label]));
            if smoothing > 0. {
                let mean = row.iter().map(|&logit| total - f64::from(logit)).sum::<f64>() / classes as f64;
                loss += smoothing * mean;
            }
            metrics.loss_sum += loss;
        }
        metrics
    }

    /// Adds the images of another metrics.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.correct += other.correct;
        self.top5 += other.top5;
        self.loss_sum += other.loss_sum;
    }

    /// Mean cross-entropy, in nats; not a number without images.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.count as f64
    }

    /// Share of images whose class came first, 0 to 1; not a number without images.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.count as f64
    }

    /// Share of images whose class came among the first five, 0 to 1; not a number without images.
    pub fn top5_accuracy(&self) -> f64 {
        self.top5 as f64 / self.count as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Values of torch.nn.functional.cross_entropy in f64 on the same numbers.
    const LOGITS: [f32; 12] = [1.5, -0.25, 3., 0.75, 0., 0., 0., 0., -2., 8., 1., 0.5];

    #[test]
    fn losses_are_those_of_pytorch() {
        let plain = Metrics::of(&LOGITS, 4, &[0, 2, 1], 0.);
        assert!((plain.loss_sum - 3.200_644_207_7).abs() < 1e-9, "{}", plain.loss_sum);
        let smoothed = Metrics::of(&LOGITS, 4, &[0, 2, 1], 0.1);
        assert!((smoothed.loss_sum - 3.838_144_207_7).abs() < 1e-9, "{}", smoothed.loss_sum);
        assert_eq!((plain.count, plain.correct, plain.top5), (3, 1, 3));
    }

    #[test]
    fn of_equal_logits_the_first_class_counts() {
        assert_eq!(Metrics::of(&[0.; 4], 4, &[0], 0.).correct, 1);
        assert_eq!(Metrics::of(&[0.; 4], 4, &[1], 0.).correct, 0);
        assert_eq!(Metrics::of(&[0.; 7], 7, &[4], 0.).top5, 1);
        assert_eq!(Metrics::of(&[0.; 7], 7, &[5], 0.).top5, 0);
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        assert!(Metrics::of(&[1e4, -1e4], 2, &[1], 0.).loss_sum == 2e4);
    }
}
