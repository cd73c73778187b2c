//! The network inside a module of our own that knows how to take a step: what burn-train's `Learner` trains.

use burn::module::Module;
use burn::tensor::backend::{AutodiffBackend, Backend as BurnBackend};
use burn::tensor::{DType, Tensor};
use burn_train::metric::{Adaptor, ItemLazy};
use burn_train::{InferenceStep, TrainOutput, TrainStep};
use kiln_backend::Backend;
use kiln_data::Batch;
use kiln_model::{Logits, Network, Tally};

use crate::loss::{Loss, Value};

/// A network with its loss.
#[derive(Module, Debug)]
pub struct Task<B: BurnBackend> {
    /// The network.
    pub network: Network<B>,
    /// What training makes small.
    #[module(skip)]
    pub loss: Loss,
}

/// What a step leaves behind. The logits are on the CPU already: counting there costs one transfer a step and makes
/// every number exact.
#[derive(Clone, Debug)]
pub struct StepOutput {
    /// Counts and sums of the batch.
    pub tally: Tally,
    /// What the batch counts beside others in an accumulated gradient.
    pub weight: f64,
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
        let logits = to_floats(logits);
        let tally = Tally::of(&logits, classes, &labels, smoothing);
        Self { tally, weight: tally.count as f64, logits, labels, indices }
    }
}

impl<B: AutodiffBackend + Backend> TrainStep for Task<B> {
    type Input = Batch<B>;
    type Output = StepOutput;

    fn step(&self, batch: Batch<B>) -> TrainOutput<StepOutput> {
        let Logits { main, auxiliary } = self.network.logits(batch.images.clone());
        let targets = self.loss.targets(&batch, main.dims()[1]);
        let Value { mut graph, loss } = self.loss.of(main.clone(), &targets);
        for (logits, weight) in auxiliary {
            graph = graph + self.loss.of(logits, &targets).graph * weight;
        }
        let mut output = StepOutput::new(main.inner(), batch.labels, batch.indices, self.loss.label_smoothing);
        output.weight = self.loss.total(&output.labels, batch.mix.as_ref());
        if let Some(loss) = loss {
            output.tally.loss_sum = loss * output.tally.count as f64;
        }
        TrainOutput::new(self, graph.backward(), output)
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

/// A tensor's values on the CPU.
pub(crate) fn to_floats<B: BurnBackend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    let data = tensor.into_data().convert_dtype(DType::F32);
    data.into_vec().unwrap_or_else(|error| unreachable!("converted to f32: {error:?}"))
}
