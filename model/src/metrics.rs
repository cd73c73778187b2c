//! Exact evaluation: counts and sums over images, never means of means.

use serde::{Deserialize, Serialize};

/// The class of the largest logit; of equal ones the first, as in PyTorch.
fn argmax(logits: &[f32]) -> usize {
    let mut best = 0;
    for (class, &logit) in logits.iter().enumerate() {
        if logit > logits[best] {
            best = class;
        }
    }
    best
}

/// How many classes come before `label` when sorted by logit, the first of equal ones first.
fn rank(logits: &[f32], label: usize) -> usize {
    let own = logits[label];
    logits.iter().enumerate().filter(|&(class, &logit)| logit > own || (logit == own && class < label)).count()
}

/// Negative logarithm of the probability of each class: `log(sum(exp(logits))) - logit`.
fn log_sum_exp(logits: &[f32]) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - f64::from(largest)).exp()).sum();
    f64::from(largest) + sum.ln()
}

/// Logarithms of the classes' probabilities.
pub fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let total = log_sum_exp(logits);
    logits.iter().map(|&logit| f64::from(logit) - total).collect()
}

/// Probabilities of the classes, summing to 1.
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    log_softmax(logits).into_iter().map(f64::exp).collect()
}

/// A class with its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankedClass {
    /// Index of the class.
    pub class: usize,
    /// Its probability, 0 to 1.
    pub confidence: f64,
}

/// The `count` likeliest classes, best first; of equal ones the first.
pub fn top(logits: &[f32], count: usize) -> Vec<RankedClass> {
    let mut classes: Vec<_> =
        softmax(logits).into_iter().enumerate().map(|(class, confidence)| RankedClass { class, confidence }).collect();
    classes.sort_by(|a, b| logits[b.class].total_cmp(&logits[a.class]).then(a.class.cmp(&b.class)));
    classes.truncate(count);
    classes
}

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
            let total = log_sum_exp(row);
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

/// How often each class was taken for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

impl Confusion {
    /// No images yet.
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// Counts a batch from its logits `[N, classes]` and classes `[N]`; gives the predicted classes.
    pub fn add(&mut self, logits: &[f32], labels: &[usize]) -> Vec<usize> {
        let predicted: Vec<_> = logits.chunks_exact(self.classes).map(argmax).collect();
        for (&label, &predicted) in labels.iter().zip(&predicted) {
            self.counts[label * self.classes + predicted] += 1;
        }
        predicted
    }

    /// The counts, row by row: true class, then predicted class.
    pub fn counts(&self) -> &[u64] {
        &self.counts
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
        assert_eq!(top(&[0.; 3], 2).iter().map(|p| p.class).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        let probabilities = softmax(&[1e30, 0., -1e30]);
        assert_eq!(probabilities, [1., 0., 0.]);
        assert!(Metrics::of(&[1e4, -1e4], 2, &[1], 0.).loss_sum == 2e4);
    }

    #[test]
    fn confusion_counts_true_by_predicted() {
        let mut confusion = Confusion::new(2);
        assert_eq!(confusion.add(&[2., 1., 0., 1., 0., 1.], &[0, 0, 1]), [0, 1, 1]);
        assert_eq!(confusion.counts(), [1, 1, 0, 1]);
    }
}
