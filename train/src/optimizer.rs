//! SGD, Adam and AdamW exactly as PyTorch computes them, as one Burn optimizer; and the handle that lets a strategy read
//! the state of the optimizer that burn-train's `Learner` owns.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::module::AutodiffModule;
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::{GradientsParams, MultiGradientsParams, Optimizer, SimpleOptimizer};
use burn::record::Record;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Device, Tensor};

use crate::config::{Config, OptimizerName};

/// The rule and its constants.
#[derive(Clone, Debug)]
pub struct Rule {
    name: OptimizerName,
    momentum: f64,
    weight_decay: f64,
    /// The decay of what has one dimension: biases, and weights of normalisations.
    bias_weight_decay: f64,
}

/// PyTorch's defaults for Adam and AdamW.
const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

impl Rule {
    /// The rule that the options ask for.
    pub fn new(config: &Config) -> Self {
        Self {
            name: config.opt,
            momentum: config.momentum,
            weight_decay: config.weight_decay.unwrap_or(0.),
            bias_weight_decay: config.bias_weight_decay,
        }
    }
}

/// What a rule remembers of one weight tensor.
#[derive(Record, Clone)]
pub struct RuleState<B: Backend, const D: usize> {
    /// Momentum of SGD, or Adam's mean of gradients.
    first: Tensor<B, D>,
    /// Adam's mean of squared gradients.
    second: Option<Tensor<B, D>>,
    /// Steps taken.
    steps: usize,
}

impl<B: Backend> SimpleOptimizer<B> for Rule {
    type State<const D: usize> = RuleState<B, D>;

    fn step<const D: usize>(
        &self,
        lr: f64,
        weight: Tensor<B, D>,
        grad: Tensor<B, D>,
        state: Option<RuleState<B, D>>,
    ) -> (Tensor<B, D>, Option<RuleState<B, D>>) {
        let decoupled = self.name == OptimizerName::Adamw;
        let decay = if D > 1 { self.weight_decay } else { self.bias_weight_decay };
        let weight = if decoupled && decay > 0. { weight * (1. - lr * decay) } else { weight };
        let grad = match !decoupled && decay > 0. {
            true => grad + weight.clone() * decay,
            false => grad,
        };
        let steps = state.as_ref().map_or(0, |state| state.steps) + 1;
        if self.name == OptimizerName::Sgd {
            if self.momentum == 0. {
                return (weight - grad * lr, None);
            }
            let first = match state {
                Some(state) => state.first * self.momentum + grad,
                None => grad,
            };
            let step = first.clone() * lr;
            return (weight - step, Some(RuleState { first, second: None, steps }));
        }
        let squared = grad.clone().powi_scalar(2);
        let (first, second) = match state {
            Some(RuleState { first, second: Some(second), .. }) => {
                (first * BETA_1 + grad * (1. - BETA_1), second * BETA_2 + squared * (1. - BETA_2))
            }
            _ => (grad * (1. - BETA_1), squared * (1. - BETA_2)),
        };
        let bias = |beta: f64| 1. - beta.powi(steps as i32);
        let spread = second.clone().sqrt() / bias(BETA_2).sqrt() + EPSILON;
        let step = first.clone() / spread * (lr / bias(BETA_1));
        (weight - step, Some(RuleState { first, second: Some(second), steps }))
    }

    fn to_device<const D: usize>(mut state: RuleState<B, D>, device: &Device<B>) -> RuleState<B, D> {
        state.first = state.first.to_device(device);
        state.second = state.second.map(|second| second.to_device(device));
        state
    }
}

/// An optimizer that several hands hold: the `Learner` steps it, the strategy saves it.
pub struct Shared<O>(Arc<Mutex<O>>);

/// The optimizer of a training run.
pub type RunOptimizer<M, B> = Shared<OptimizerAdaptor<Rule, M, B>>;

impl<M: AutodiffModule<B>, B: AutodiffBackend> RunOptimizer<M, B> {
    /// An optimizer that has not taken a step.
    pub fn new(rule: Rule) -> Self {
        Self(Arc::new(Mutex::new(OptimizerAdaptor::from(rule))))
    }
}

impl<O> Shared<O> {
    fn lock(&self) -> MutexGuard<'_, O> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O> Clone for Shared<O> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: AutodiffModule<B>, B: AutodiffBackend, O: Optimizer<M, B>> Optimizer<M, B> for Shared<O> {
    type Record = O::Record;

    fn step(&mut self, lr: f64, module: M, grads: GradientsParams) -> M {
        self.lock().step(lr, module, grads)
    }

    fn step_multi(&mut self, lr: f64, module: M, grads: MultiGradientsParams) -> M {
        self.lock().step_multi(lr, module, grads)
    }

    fn to_record(&self) -> O::Record {
        self.lock().to_record()
    }

    fn load_record(self, record: O::Record) -> Self {
        let loaded = self.lock().clone().load_record(record);
        *self.lock() = loaded;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_backend::Reference;

    /// Three steps of torch.optim on weights (1, -2) with gradients (0.5, -1), (-0.25, 2), (1, 1) and lr 0.1.
    fn assert_steps(rule: &Rule, expected: [[f32; 2]; 3]) {
        let device = Default::default();
        let tensor = |values: [f32; 2]| Tensor::<Reference, 1>::from_floats(values, &device);
        let (mut weight, mut state) = (tensor([1., -2.]), None);
        for (grad, expected) in [[0.5, -1.], [-0.25, 2.], [1., 1.]].into_iter().zip(expected) {
            (weight, state) = rule.step(0.1, weight, tensor(grad), state);
            let values = weight.to_data().to_vec::<f32>().unwrap();
            for (value, expected) in values.iter().zip(expected) {
                assert!((value - expected).abs() < 1e-6, "{rule:?}: {values:?} not {expected:?}");
            }
        }
    }

    #[test]
    fn steps_are_those_of_pytorch() {
        let rule = |name, momentum, decay| Rule { name, momentum, weight_decay: 9., bias_weight_decay: decay };
        assert_steps(&rule(OptimizerName::Sgd, 0.5, 0.), SGD);
        assert_steps(&rule(OptimizerName::Sgd, 0.5, 0.1), SGD_DECAY);
        assert_steps(&rule(OptimizerName::Sgd, 0., 0.), SGD_PLAIN);
        assert_steps(&rule(OptimizerName::Adam, 0., 0.1), ADAM_DECAY);
        assert_steps(&rule(OptimizerName::Adamw, 0., 0.1), ADAMW);
    }

    const SGD: [[f32; 2]; 3] = [[0.95, -1.9], [0.95, -2.05], [0.85, -2.225]];
    const SGD_DECAY: [[f32; 2]; 3] = [[0.94, -1.88], [0.9256, -2.0012], [0.809144, -2.141788]];
    const SGD_PLAIN: [[f32; 2]; 3] = [[0.95, -1.9], [0.975, -2.1], [0.875, -2.2]];
    const ADAM_DECAY: [[f32; 2]; 3] = [[0.9, -1.9], [0.8544414, -1.9250178], [0.7815045, -1.9654195]];
    const ADAMW: [[f32; 2]; 3] = [[0.89, -1.88], [0.8544664, -1.8978103], [0.7801105, -1.9307563]];
}
