//! The loss: cross-entropy as `torch.nn.CrossEntropyLoss` has it, of images that may be mixed.

use burn::tensor::backend::Backend as BurnBackend;
use burn::tensor::{DType, Int, Tensor, TensorData};
use kiln_backend::{Backend, cross_entropy};
use kiln_data::Mix;
use kiln_model::log_softmax;

/// Mean cross-entropy and how its targets are made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loss {
    /// Share of the target that is spread over all classes.
    pub label_smoothing: f64,
    /// How much the images of each class count `[classes]`; empty if all count alike.
    pub class_weights: Vec<f64>,
}

/// A batch's targets.
pub enum Targets<B: Backend> {
    /// Each image has one class, and all count alike.
    Classes(Tensor<B, 1, Int>),
    /// Soft targets: what the negative logarithm of each probability counts `[N, classes]`.
    Soft(Vec<f64>),
}

/// A loss, ready to go backward.
pub struct LossValue<B: Backend> {
    /// Its gradient is the loss's `[1]`.
    pub graph: Tensor<B, 1>,
    /// The loss, where it was computed on the way.
    pub loss: Option<f64>,
}

impl Loss {
    /// The targets of a batch whose images have these `labels`, which `classes` has on the device.
    pub fn targets<B: Backend>(
        &self,
        classes: Tensor<B, 1, Int>,
        labels: &[usize],
        mix: Option<&Mix>,
        count: usize,
    ) -> Targets<B> {
        match mix.is_none() && self.class_weights.is_empty() {
            true => Targets::Classes(classes),
            false => Targets::Soft(self.soft_targets(labels, mix, count)),
        }
    }

    /// The loss of logits `[N, classes]`, a mean over the images by their weights.
    pub fn of<B: Backend>(&self, logits: Tensor<B, 2>, targets: &Targets<B>) -> LossValue<B> {
        match targets {
            Targets::Classes(classes) => {
                LossValue { graph: cross_entropy(logits, classes.clone(), self.label_smoothing), loss: None }
            }
            Targets::Soft(targets) => {
                let [rows, classes] = logits.dims();
                let values = to_floats(logits.clone().detach());
                let (loss, gradient) = soft_cross_entropy(&values, targets, classes);
                let gradient = Tensor::from_data(TensorData::new(gradient, [rows, classes]), &logits.device());
                // Not by Burn's logarithm, whose gradient ndarray only approximates.
                LossValue { graph: (logits * gradient).sum(), loss: Some(loss) }
            }
        }
    }

    /// What a batch's images count in all: their number, or the sum of their classes' weights.
    pub fn total_weight(&self, labels: &[usize], mix: Option<&Mix>) -> f64 {
        let own = mix.map_or(1., |mix| mix.share);
        let weight = |labels: &[usize]| labels.iter().map(|&label| self.weight(label)).sum::<f64>();
        own * weight(labels) + mix.map_or(0., |mix| (1. - own) * weight(&mix.labels))
    }

    fn weight(&self, class: usize) -> f64 {
        self.class_weights.get(class).copied().unwrap_or(1.)
    }

    /// What the negative logarithm of each probability counts `[N, classes]`.
    fn soft_targets(&self, labels: &[usize], mix: Option<&Mix>, classes: usize) -> Vec<f64> {
        let spread: Vec<f64> =
            (0..classes).map(|class| self.label_smoothing / classes as f64 * self.weight(class)).collect();
        let mut targets = spread.repeat(labels.len());
        let total = self.total_weight(labels, mix);
        for (at, (row, &label)) in targets.chunks_exact_mut(classes).zip(labels).enumerate() {
            let own = mix.map_or(1., |mix| mix.share);
            let other = mix.map_or(label, |mix| mix.labels[at]);
            for (class, share) in [(label, own), (other, 1. - own)] {
                row[class] += (1. - self.label_smoothing) * share * self.weight(class);
            }
        }
        targets.into_iter().map(|target| target / total).collect()
    }
}

/// Cross-entropy of logits `[N, classes]` with soft targets, and its gradient by the logits.
fn soft_cross_entropy(logits: &[f32], targets: &[f64], classes: usize) -> (f64, Vec<f32>) {
    let mut loss = 0.;
    let mut gradient = Vec::with_capacity(logits.len());
    for (row, targets) in logits.chunks_exact(classes).zip(targets.chunks_exact(classes)) {
        let total: f64 = targets.iter().sum();
        for (logarithm, target) in log_softmax(row, 1.).into_iter().zip(targets) {
            loss -= target * logarithm;
            gradient.push((logarithm.exp() * total - target) as f32);
        }
    }
    (loss, gradient)
}

/// A tensor's values on the CPU.
pub(crate) fn to_floats<B: BurnBackend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    let data = tensor.into_data().convert_dtype(DType::F32);
    data.into_vec().unwrap_or_else(|error| unreachable!("converted to f32: {error:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_soft_targets(loss: &Loss, mix: Option<&Mix>, expected: &[f64]) {
        let targets = loss.soft_targets(&[0, 2], mix, 3);
        assert!(targets.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-7), "{targets:?} not {expected:?}");
    }

    #[test]
    fn soft_targets_are_those_of_pytorch() {
        let mix = Mix { labels: vec![2, 1], share: 0.75 };
        let mixed = [0.375, 0., 0.125, 0., 0.125, 0.375];
        assert_soft_targets(&Loss::default(), Some(&mix), &mixed);
        // CrossEntropyLoss(weight=[1, 2, 3], label_smoothing=0.3): the derivative by -log(p) of each class.
        let weighted = Loss { label_smoothing: 0.3, class_weights: vec![1., 2., 3.] };
        assert_soft_targets(&weighted, None, &[0.2, 0.05, 0.075, 0.025, 0.05, 0.6]);
    }

    #[test]
    fn loss_and_gradient_are_those_of_pytorch() {
        // F.cross_entropy(logits, tensor([0, 2]), weight=tensor([1., 2., 3.]), label_smoothing=0.3) and its gradient, float64.
        let weighted = Loss { label_smoothing: 0.3, class_weights: vec![1., 2., 3.] };
        let targets = weighted.soft_targets(&[0, 2], None, 3);
        let (loss, gradient) = soft_cross_entropy(&[1., -0.5, 2., 0., 0.25, -1.], &targets, 3);
        assert!((loss - LOSS).abs() < 1e-12, "{loss}");
        assert!(gradient.iter().zip(GRADIENT).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-7), "{gradient:?}");
    }

    const LOSS: f64 = 1.6915629676935409;
    const GRADIENT: [f64; 6] = [
        -0.11754224096861679,
        -0.03160118702184683,
        0.14914342799046365,
        0.2295340184432221,
        0.27682814909276354,
        -0.5063621675359857,
    ];
}
