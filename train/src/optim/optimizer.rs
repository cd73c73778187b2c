//! SGD, Adam and AdamW exactly as PyTorch computes them, as one Burn optimizer whose state can be read and put back.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::ops::{FloatTensor, FloatTensorOps};
use burn::tensor::{Tensor, TensorPrimitive};
use kiln_model::{NamedTensor, Network, Parameter, ParameterError, parameters};
use serde::{Deserialize, Serialize};

/// Which optimizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerName {
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Adam.
    Adam,
    /// Adam with decoupled weight decay.
    Adamw,
}

impl std::fmt::Display for OptimizerName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sgd => "sgd",
            Self::Adam => "adam",
            Self::Adamw => "adamw",
        })
    }
}

/// An optimizer's constants.
#[derive(Clone, Debug)]
pub struct Hyperparameters {
    /// Which optimizer.
    pub name: OptimizerName,
    /// Momentum of SGD.
    pub momentum: f64,
    /// Weight decay of matrices and kernels.
    pub weight_decay: f64,
    /// Weight decay of what has one dimension: biases, and weights of normalisations.
    pub bias_weight_decay: f64,
}

/// PyTorch's defaults for Adam and AdamW.
const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// What an optimizer remembers of one weight tensor.
#[derive(Clone, Debug)]
struct State<B: Backend> {
    /// Momentum of SGD, or Adam's mean of gradients.
    first: FloatTensor<B>,
    /// Adam's mean of squared gradients.
    second: Option<FloatTensor<B>>,
    /// Steps taken.
    steps: usize,
}

fn tensor<B: Backend, const D: usize>(primitive: FloatTensor<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

fn primitive<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> FloatTensor<B> {
    tensor.into_primitive().tensor()
}

impl Hyperparameters {
    /// One step of one weight tensor, from what is remembered of it.
    fn step<B: Backend, const D: usize>(
        &self,
        lr: f64,
        weight: Tensor<B, D>,
        grad: Tensor<B, D>,
        state: Option<State<B>>,
    ) -> (Tensor<B, D>, Option<State<B>>) {
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
                Some(state) => tensor(state.first) * self.momentum + grad,
                None => grad,
            };
            let step = first.clone() * lr;
            return (weight - step, Some(State { first: primitive(first), second: None, steps }));
        }
        let squared = grad.clone().powi_scalar(2);
        let (first, second) = match state {
            Some(State { first, second: Some(second), .. }) => {
                (tensor(first) * BETA_1 + grad * (1. - BETA_1), tensor(second) * BETA_2 + squared * (1. - BETA_2))
            }
            _ => (grad * (1. - BETA_1), squared * (1. - BETA_2)),
        };
        let bias = |beta: f64| 1. - beta.powi(steps as i32);
        let spread = second.clone().sqrt() / bias(BETA_2).sqrt() + EPSILON;
        let step = first.clone() / spread * (lr / bias(BETA_1));
        (weight - step, Some(State { first: primitive(first), second: Some(primitive(second)), steps }))
    }

    /// What PyTorch calls the parts of the state.
    fn state_names(&self) -> (&'static str, &'static str) {
        match self.name {
            OptimizerName::Sgd => ("momentum_buffer", "exp_avg_sq"),
            OptimizerName::Adam | OptimizerName::Adamw => ("exp_avg", "exp_avg_sq"),
        }
    }
}

/// The states of a network's weights.
type States<B> = HashMap<ParamId, State<B>>;

/// An optimizer. Clones share the state: one takes the steps, another is asked for what is to be saved.
#[derive(Debug)]
pub struct Optimizer<B: AutodiffBackend> {
    hyperparameters: Hyperparameters,
    states: Arc<Mutex<States<B::InnerBackend>>>,
}

impl<B: AutodiffBackend> Clone for Optimizer<B> {
    fn clone(&self) -> Self {
        Self { hyperparameters: self.hyperparameters.clone(), states: self.states.clone() }
    }
}

/// An optimizer's state as files have it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SavedOptimizer {
    /// Under the weights' names and those of PyTorch's states: `conv1.weight.momentum_buffer`.
    pub tensors: Vec<NamedTensor>,
    /// Steps that were taken with each weight.
    pub steps: BTreeMap<String, usize>,
}

impl<B: AutodiffBackend> Optimizer<B> {
    /// An optimizer that has not taken a step.
    pub fn new(hyperparameters: Hyperparameters) -> Self {
        Self { hyperparameters, states: Arc::default() }
    }

    fn states(&self) -> MutexGuard<'_, States<B::InnerBackend>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The module after a step with these gradients; weights without one stay as they are.
    pub fn step<M: Module<B>>(&mut self, lr: f64, module: M, grads: GradientsParams) -> M {
        let mut states = self.states();
        module.map(&mut Step { hyperparameters: &self.hyperparameters, states: &mut states, grads, lr })
    }

    /// The state with which the weights of `network` were left.
    pub fn save(&self, network: &Network<B>) -> SavedOptimizer {
        let states = self.states();
        let (first, second) = self.hyperparameters.state_names();
        let mut saved = SavedOptimizer::default();
        for parameter in parameters(network) {
            let Some(state) = states.get(&parameter.id) else { continue };
            let mut keep = |part: &str, state: &FloatTensor<B::InnerBackend>| {
                let data = data::<B::InnerBackend>(&parameter, state.clone());
                saved.tensors.push(parameter.to_torch(format!("{}.{part}", parameter.name), data));
            };
            keep(first, &state.first);
            state.second.iter().for_each(|state| keep(second, state));
            saved.steps.insert(parameter.name, state.steps);
        }
        saved
    }

    /// Puts a state back, so that the weights of `network` go on from it.
    ///
    /// # Errors
    /// If a part of it is missing, has the wrong shape, or belongs to no weight.
    pub fn load(&self, saved: SavedOptimizer, network: &Network<B>, device: &B::Device) -> Result<(), ParameterError> {
        let SavedOptimizer { tensors, mut steps } = saved;
        let mut tensors: BTreeMap<_, _> = tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        let (first, second) = self.hyperparameters.state_names();
        let mut states = States::new();
        for parameter in parameters(network) {
            let Some(steps) = steps.remove(&parameter.name) else { continue };
            let mut take = |part: &str| {
                let name = format!("{}.{part}", parameter.name);
                let Some(tensor) = tensors.remove(&name) else { return Ok(None) };
                if tensor.shape != parameter.shape {
                    let (found, expected) = (tensor.shape, parameter.shape.clone());
                    return Err(ParameterError::Shape { name, found, expected });
                }
                Ok(Some(B::InnerBackend::float_from_data(parameter.to_burn(tensor), device)))
            };
            let missing = || ParameterError::Missing {
                name: format!("{}.{first}", parameter.name),
                expected: parameter.shape.clone(),
            };
            let state = State { first: take(first)?.ok_or_else(missing)?, second: take(second)?, steps };
            states.insert(parameter.id, state);
        }
        if let Some(name) = tensors.into_keys().chain(steps.into_keys()).next() {
            return Err(ParameterError::Unexpected { name });
        }
        *self.states() = states;
        Ok(())
    }
}

/// The numbers of a state that lies as its weight does.
fn data<B: Backend>(parameter: &Parameter, state: FloatTensor<B>) -> burn::tensor::TensorData {
    let count = parameter.shape.iter().product::<usize>();
    tensor::<B, 1>(B::float_reshape(state, [count].into())).into_data()
}

/// A step of all weights.
struct Step<'a, B: AutodiffBackend> {
    hyperparameters: &'a Hyperparameters,
    states: &'a mut States<B::InnerBackend>,
    grads: GradientsParams,
    lr: f64,
}

impl<B: AutodiffBackend> ModuleMapper<B> for Step<'_, B> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let Some(grad) = self.grads.remove::<B::InnerBackend, D>(param.id) else { return param };
        let (id, weight, mapper) = param.consume();
        let trains = weight.is_require_grad();
        let (weight, state) = self.hyperparameters.step(self.lr, weight.inner(), grad, self.states.remove(&id));
        if let Some(state) = state {
            self.states.insert(id, state);
        }
        let weight = Tensor::from_inner(weight).set_require_grad(trains);
        Param::from_mapped_value(id, weight, mapper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_backend::Reference;

    /// Three steps of torch.optim on weights (1, -2) with gradients (0.5, -1), (-0.25, 2), (1, 1) and lr 0.1.
    fn assert_steps(rule: &Hyperparameters, expected: [[f32; 2]; 3]) {
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
        let rule =
            |name, momentum, decay| Hyperparameters { name, momentum, weight_decay: 9., bias_weight_decay: decay };
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
