//! From logits to probabilities, and the order of the classes.

/// The class of the largest logit; of equal ones the first, as in PyTorch.
pub(super) fn argmax(logits: &[f32]) -> usize {
    let mut best = 0;
    for (class, &logit) in logits.iter().enumerate() {
        if logit > logits[best] {
            best = class;
        }
    }
    best
}

/// How many classes come before `label` when sorted by logit, the first of equal ones first.
pub(super) fn rank(logits: &[f32], label: usize) -> usize {
    let own = logits[label];
    logits.iter().enumerate().filter(|&(class, &logit)| logit > own || (logit == own && class < label)).count()
}

/// `log(sum(exp(logits / temperature)))`; less a class's `logit / temperature` it is the negative logarithm of its probability.
pub(super) fn log_sum_exp(logits: &[f32], temperature: f64) -> f64 {
    let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|&logit| ((f64::from(logit) - largest) / temperature).exp()).sum();
    largest / temperature + sum.ln()
}

/// Logarithms of the classes' probabilities, whose logits are divided by `temperature` (1 leaves them as they are).
pub fn log_softmax(logits: &[f32], temperature: f64) -> Vec<f64> {
    let below = below_largest(logits, temperature);
    let total = below.iter().map(|logit| logit.exp()).sum::<f64>().ln();
    below.into_iter().map(|logit| logit - total).collect()
}

/// How far each logit is below the largest, divided by the temperature.
fn below_largest(logits: &[f32], temperature: f64) -> Vec<f64> {
    let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    logits.iter().map(|&logit| (f64::from(logit) - largest) / temperature).collect()
}

/// Probabilities of the classes, summing to 1; their logits are divided by `temperature` (1 leaves them as they are).
pub fn softmax(logits: &[f32], temperature: f64) -> Vec<f64> {
    let shares: Vec<f64> = below_largest(logits, temperature).into_iter().map(f64::exp).collect();
    let total: f64 = shares.iter().sum();
    shares.into_iter().map(|share| share / total).collect()
}

/// A class with its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankedClass {
    /// Index of the class.
    pub class: usize,
    /// Its probability, 0 to 1.
    pub confidence: f64,
}

/// The `count` likeliest classes, best first; of equal ones the first. `temperature` as in [`softmax`].
pub fn top(logits: &[f32], count: usize, temperature: f64) -> Vec<RankedClass> {
    let probabilities = softmax(logits, temperature).into_iter().enumerate();
    let mut classes: Vec<_> = probabilities.map(|(class, confidence)| RankedClass { class, confidence }).collect();
    classes.sort_by(|a, b| logits[b.class].total_cmp(&logits[a.class]).then(a.class.cmp(&b.class)));
    classes.truncate(count);
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_logits_the_first_class_comes_first() {
        assert_eq!(top(&[0.; 3], 2, 1.).iter().map(|p| p.class).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        assert_eq!(softmax(&[1e30, 0., -1e30], 1.), [1., 0., 0.]);
        assert_eq!(softmax(&[3e38, 3e38], 1e-3), [0.5, 0.5]);
    }

    #[test]
    fn a_temperature_divides_the_logits() {
        assert_eq!(softmax(&[3., -1., 0.5], 2.), softmax(&[1.5, -0.5, 0.25], 1.));
        assert_eq!(top(&[3., -1., 0.5], 3, 9.).iter().map(|p| p.class).collect::<Vec<_>>(), [0, 2, 1]);
    }
}
