//! The loss: cross-entropy as `torch.nn.CrossEntropyLoss` has it, of images that may be mixed.

use burn::tensor::{Tensor, TensorData, activation::log_softmax};
use kiln_backend::{Backend, cross_entropy};
use kiln_data::{Batch, Mix};

/// Mean cross-entropy and how its targets are made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loss {
    /// Share of the target that is spread over all classes.
    pub label_smoothing: f64,
    /// How much the images of each class count `[classes]`; empty if all count alike.
    pub class_weights: Vec<f64>,
}

/// What the logits of a batch should be.
pub enum Targets<B: Backend> {
    /// Each image has one class, and all count alike.
    Classes(Tensor<B, 1, burn::tensor::Int>),
    /// What the negative logarithm of each probability counts `[N, classes]`.
    Shares(Tensor<B, 2>),
}

impl Loss {
    /// The targets of a batch.
    pub fn targets<B: Backend>(&self, batch: &Batch<B>, classes: usize) -> Targets<B> {
        if batch.mix.is_none() && self.class_weights.is_empty() {
            return Targets::Classes(batch.targets.clone());
        }
        let shares = self.shares(&batch.labels, batch.mix.as_ref(), classes);
        Targets::Shares(Tensor::from_data(
            TensorData::new(shares, [batch.labels.len(), classes]),
            &batch.images.device(),
        ))
    }

    /// The loss of logits `[N, classes]`, a mean over the images by their weights `[1]`.
    pub fn of<B: Backend>(&self, logits: Tensor<B, 2>, targets: &Targets<B>) -> Tensor<B, 1> {
        match targets {
            Targets::Classes(classes) => cross_entropy(logits, classes.clone(), self.label_smoothing),
            Targets::Shares(shares) => (log_softmax(logits, 1) * shares.clone()).sum().neg(),
        }
    }

    /// What the negative logarithm of each probability counts `[N, classes]`.
    fn shares(&self, labels: &[usize], mix: Option<&Mix>, classes: usize) -> Vec<f32> {
        let weight = |class: usize| self.class_weights.get(class).copied().unwrap_or(1.);
        let spread: Vec<f64> =
            (0..classes).map(|class| self.label_smoothing / classes as f64 * weight(class)).collect();
        let mut shares = spread.repeat(labels.len());
        let mut total = 0.;
        for (at, (row, &label)) in shares.chunks_exact_mut(classes).zip(labels).enumerate() {
            let own = mix.map_or(1., |mix| mix.share);
            let other = mix.map_or(label, |mix| mix.labels[at]);
            for (class, share) in [(label, own), (other, 1. - own)] {
                row[class] += (1. - self.label_smoothing) * share * weight(class);
                total += share * weight(class);
            }
        }
        shares.into_iter().map(|share| (share / total) as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_shares(loss: &Loss, mix: Option<&Mix>, expected: &[f32]) {
        let shares = loss.shares(&[0, 2], mix, 3);
        assert!(shares.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-7), "{shares:?} not {expected:?}");
    }

    #[test]
    fn shares_are_those_of_pytorch() {
        let mix = Mix { labels: vec![2, 1], share: 0.75 };
        let mixed = [0.375, 0., 0.125, 0., 0.125, 0.375];
        assert_shares(&Loss::default(), Some(&mix), &mixed);
        // CrossEntropyLoss(weight=[1, 2, 3], label_smoothing=0.3): the derivative by -log(p) of each class.
        let weighted = Loss { label_smoothing: 0.3, class_weights: vec![1., 2., 3.] };
        assert_shares(&weighted, None, &[0.2, 0.05, 0.075, 0.025, 0.05, 0.6]);
    }
}
