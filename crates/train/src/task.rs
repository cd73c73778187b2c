//! The network inside a module of our own that knows how to take a step: what burn-train's `Learner` trains.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::backend::{AutodiffBackend, Backend as BurnBackend};
use burn::tensor::{DType, ElementConversion, Tensor};
use burn_train::metric::{Adaptor, ItemLazy};
use burn_train::{InferenceStep, TrainOutput, TrainStep};
use kiln_backend::{Backend, cross_entropy};
use kiln_data::Batch;
use kiln_model::{Logits, Network, Tally};

/// A network with its loss: mean cross-entropy, smoothed if asked for.
#[derive(Module, Debug)]
pub struct Task<B: BurnBackend> {
    /// The network.
    pub network: Network<B>,
    /// Share of the target that is spread over all classes.
    pub label_smoothing: f64,
}

/// What a step leaves behind. The logits are on the CPU already: counting there costs one transfer a step and makes
/// every number exact.
#[derive(Clone, Debug)]
pub struct StepOutput {
    /// Counts and sums of the batch.
    pub tally: Tally,
    /// `[N, classes]`, row by row.
    pub logits: Vec<f32>,
    /// Classes of the images `[N]`.
    pub labels: Vec<usize>,
    /// The images' indices in their dataset `[N]`.
    pub indices: Vec<usize>,
}

impl ItemLazy for StepOutput {
    type ItemSync = Self;

    fn sync(self) -> Self {
        self
    }
}

impl Adaptor<Tally> for StepOutput {
    fn adapt(&self) -> Tally {
        self.tally
    }
}

impl StepOutput {
    fn new<B: BurnBackend>(logits: Tensor<B, 2>, labels: Vec<usize>, indices: Vec<usize>, smoothing: f64) -> Self {
        let classes = logits.dims()[1];
        let data = logits.into_data().convert_dtype(DType::F32);
        let logits = data.into_vec::<f32>().unwrap_or_else(|error| unreachable!("converted to f32: {error:?}"));
        Self { tally: Tally::of(&logits, classes, &labels, smoothing), logits, labels, indices }
    }
}

impl<B: AutodiffBackend + Backend> TrainStep for Task<B> {
    type Input = Batch<B>;
    type Output = StepOutput;

    fn step(&self, batch: Batch<B>) -> TrainOutput<StepOutput> {
        let Batch { images, targets, labels, indices } = batch;
        let Logits { main, auxiliary } = self.network.logits(images);
        let mut loss = cross_entropy(main.clone(), targets.clone(), self.label_smoothing);
        for (logits, weight) in auxiliary {
            loss = loss + cross_entropy(logits, targets.clone(), self.label_smoothing) * weight;
        }
        TrainOutput::new(self, loss.backward(), StepOutput::new(main.inner(), labels, indices, self.label_smoothing))
    }
}

impl<B: Backend> InferenceStep for Task<B> {
    type Input = Batch<B>;
    type Output = StepOutput;

    /// Classifies a batch; its loss is never smoothed, so that runs can be compared.
    fn step(&self, batch: Batch<B>) -> StepOutput {
        StepOutput::new(self.network.forward(batch.images), batch.labels, batch.indices, 0.)
    }
}

/// Shortens gradients whose norm over all weights together exceeds `largest`, as PyTorch's `clip_grad_norm_` does.
pub fn clip_gradients<B: AutodiffBackend, M: Module<B>>(
    module: &M,
    grads: GradientsParams,
    largest: f64,
) -> GradientsParams {
    struct Norm<'a> {
        grads: &'a GradientsParams,
        squares: f64,
    }
    impl<B: AutodiffBackend> ModuleVisitor<B> for Norm<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            if let Some(grad) = self.grads.get::<B::InnerBackend, D>(param.id) {
                self.squares += grad.powi_scalar(2).sum().into_scalar().elem::<f64>();
            }
        }
    }
    struct Scale {
        grads: GradientsParams,
        factor: f64,
    }
    impl<B: AutodiffBackend> ModuleVisitor<B> for Scale {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            if let Some(grad) = self.grads.remove::<B::InnerBackend, D>(param.id) {
                self.grads.register::<B::InnerBackend, D>(param.id, grad * self.factor);
            }
        }
    }
    let mut norm = Norm { grads: &grads, squares: 0. };
    module.visit(&mut norm);
    let factor = largest / (norm.squares.sqrt() + 1e-6);
    if factor >= 1. || !factor.is_finite() {
        return grads;
    }
    let mut scale = Scale { grads, factor };
    module.visit(&mut scale);
    scale.grads
}
