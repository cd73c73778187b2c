//! Batch normalisation as PyTorch has it.

use burn::module::{Module, Param, ParamId, RunningState};
use burn::tensor::{Tensor, backend::Backend as BurnBackend};
use kiln_backend::{Backend, NormOptions, batch_norm};

/// Normalises each channel: by the batch's own mean and variance in training, by running ones otherwise.
///
/// Burn 0.21's `BatchNorm` keeps the biased variance and cannot be frozen; this one does what `torch.nn.BatchNorm2d` does.
#[derive(Module, Debug)]
pub struct BatchNorm<B: BurnBackend> {
    /// Scale of each channel `[C]`.
    pub weight: Param<Tensor<B, 1>>,
    /// Shift of each channel `[C]`.
    pub bias: Param<Tensor<B, 1>>,
    /// Mean of each channel over past batches `[C]`.
    pub running_mean: RunningState<Tensor<B, 1>>,
    /// Variance of each channel over past batches, unbiased `[C]`.
    pub running_var: RunningState<Tensor<B, 1>>,
    /// Added to the variance.
    pub epsilon: f64,
}

/// How much of the running numbers a batch replaces: PyTorch's default.
const MOMENTUM: f64 = 0.1;

impl<B: BurnBackend> BatchNorm<B> {
    /// A layer that changes nothing but scale and mean.
    pub fn new(channels: usize, epsilon: f64, device: &B::Device) -> Self {
        let zeros = Tensor::zeros([channels], device);
        let ones = Tensor::ones([channels], device);
        let parameter = |tensor: &Tensor<B, 1>| Param::initialized(ParamId::new(), tensor.clone().require_grad());
        Self {
            weight: parameter(&ones),
            bias: parameter(&zeros),
            running_mean: RunningState::new(zeros),
            running_var: RunningState::new(ones),
            epsilon,
        }
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.weight.lazy_shape()[0]
    }

    /// Whether images are normalised by their own batch: in training, unless the layer is frozen and so its weight needs
    /// no gradient.
    pub fn uses_batch(&self, device: &B::Device) -> bool {
        B::ad_enabled(device) && self.weight.val().is_require_grad()
    }

    /// Scale and shift that normalise by the running numbers.
    pub fn affine(&self) -> [Tensor<B, 1>; 2] {
        let running = [self.running_mean.value_sync(), self.running_var.value_sync()];
        affine([self.weight.val().detach(), self.bias.val().detach()], running, self.epsilon)
    }
}

/// Scale and shift `[C]` that do what normalisation by a mean and variance `[C]`, weight and bias `[C]` do.
pub(crate) fn affine<B: BurnBackend>(
    [weight, bias]: [Tensor<B, 1>; 2],
    [mean, variance]: [Tensor<B, 1>; 2],
    epsilon: f64,
) -> [Tensor<B, 1>; 2] {
    // Not `recip`, which ndarray only approximates.
    let ones = variance.ones_like();
    let scale = weight * (ones / (variance + epsilon).sqrt());
    let shift = bias - mean * scale.clone();
    [scale, shift]
}

impl<B: Backend> BatchNorm<B> {
    /// Normalises `x` `[N, C, H, W]` by its own batch and keeps the running numbers; then the residual is added and ReLU
    /// clips, if wanted.
    pub fn train(&self, x: Tensor<B, 4>, residual: Option<Tensor<B, 4>>, relu: bool) -> Tensor<B, 4> {
        let [n, _, height, width] = x.dims();
        let options = NormOptions { epsilon: self.epsilon, relu };
        let norm = batch_norm(x, [self.weight.val(), self.bias.val()], residual, options);
        let count = (n * height * width) as f64;
        // A single number has no unbiased variance; PyTorch refuses it, here it counts as none.
        let unbiased = norm.variance.detach() * (count / (count - 1.).max(1.));
        let mix = |old: Tensor<B, 1>, new: Tensor<B, 1>| old * (1. - MOMENTUM) + new * MOMENTUM;
        self.running_mean.update(mix(self.running_mean.value_sync(), norm.mean.detach()));
        self.running_var.update(mix(self.running_var.value_sync(), unbiased));
        norm.output
    }
}
