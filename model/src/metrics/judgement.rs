//! What a network's logits say about one image whose class is known.

use super::probabilities::{argmax, log_sum_exp, rank};

/// What a network said about an image whose class is known. Everything that an evaluation reports follows from these.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// The image's class.
    pub label: usize,
    /// The class of the largest logit; of equal ones the first.
    pub predicted: usize,
    /// Probability of the predicted class, 0 to 1.
    pub confidence: f64,
    /// Negative logarithm of the probability of the image's class (cross-entropy), in nats.
    pub loss: f64,
    /// How many classes the network found likelier than the image's.
    pub rank: usize,
}

impl Judgement {
    /// The judgement in logits `[classes]` that are divided by `temperature` on their way to probabilities.
    ///
    /// # Panics
    /// If there is no logit for the label.
    pub fn of(logits: &[f32], label: usize, temperature: f64) -> Self {
        let predicted = argmax(logits);
        let total = log_sum_exp(logits, temperature);
        let loss = |class: usize| total - f64::from(logits[class]) / temperature;
        let confidence = (-loss(predicted)).exp();
        Self { label, predicted, confidence, loss: loss(label), rank: rank(logits, label) }
    }

    /// Whether the predicted class is the image's.
    pub fn is_correct(&self) -> bool {
        self.predicted == self.label
    }
}
