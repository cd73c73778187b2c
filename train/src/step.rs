//! One step: a batch through the network, its loss, and the gradients.

use burn::tensor::backend::{AutodiffBackend, Backend as BurnBackend};
use burn::tensor::{Int, Tensor, TensorData};
use kiln_backend::Backend;
use kiln_data::PlainBatch;
use kiln_model::{Logits, Metrics, Network};

use crate::loss::{Loss, LossValue, to_floats};

/// What a batch leaves behind. The logits are on the CPU already: counting there costs one transfer a step and makes
/// every number exact.
#[derive(Clone, Debug)]
pub struct BatchOutput {
    /// Counts and sums of the batch.
    pub metrics: Metrics,
    /// What the batch counts beside others in an accumulated gradient.
    pub weight: f64,
    /// `[N, classes]`, row by row.
    pub logits: Vec<f32>,
    /// Classes of the images `[N]`.
    pub labels: Vec<usize>,
    /// The images' indices in their dataset `[N]`.
    pub indices: Vec<usize>,
}

impl BatchOutput {
    fn new<B: BurnBackend>(logits: Tensor<B, 2>, labels: Vec<usize>, indices: Vec<usize>, smoothing: f64) -> Self {
        let classes = logits.dims()[1];
        let logits = to_floats(logits);
        let metrics = Metrics::of(&logits, classes, &labels, smoothing);
        Self { metrics, weight: metrics.count as f64, logits, labels, indices }
    }
}

/// Images and classes of a batch on a device.
fn to_device<B: BurnBackend>(batch: &mut PlainBatch, device: &B::Device) -> (Tensor<B, 4>, Tensor<B, 1, Int>) {
    let images = TensorData::new(std::mem::take(&mut batch.images), batch.shape);
    let targets: Vec<i64> = batch.labels.iter().map(|&label| label as i64).collect();
    let count = targets.len();
    (Tensor::from_data(images, device), Tensor::from_data(TensorData::new(targets, [count]), device))
}

/// A batch forward and backward: what it leaves behind, and the gradients of the loss.
pub fn train<B: AutodiffBackend + Backend>(
    network: &Network<B>,
    loss: &Loss,
    mut batch: PlainBatch,
    device: &B::Device,
) -> (BatchOutput, B::Gradients) {
    let (images, targets) = to_device::<B>(&mut batch, device);
    let PlainBatch { labels, indices, mix, .. } = batch;
    let Logits { main, auxiliary } = network.logits(images);
    let targets = loss.targets(targets, &labels, mix.as_ref(), main.dims()[1]);
    let LossValue { mut graph, loss: exact } = loss.of(main.clone(), &targets);
    for (logits, weight) in auxiliary {
        graph = graph + loss.of(logits, &targets).graph * weight;
    }
    let weight = loss.total_weight(&labels, mix.as_ref());
    let mut output = BatchOutput::new(main.inner(), labels, indices, loss.label_smoothing);
    output.weight = weight;
    if let Some(exact) = exact {
        output.metrics.loss_sum = exact * output.metrics.count as f64;
    }
    (output, graph.backward())
}

/// Classifies a batch; its loss is never smoothed, so that runs can be compared.
pub fn evaluate<B: Backend>(network: &Network<B>, mut batch: PlainBatch, device: &B::Device) -> BatchOutput {
    let images = TensorData::new(std::mem::take(&mut batch.images), batch.shape);
    let logits = network.forward(Tensor::from_data(images, device));
    BatchOutput::new(logits, batch.labels, batch.indices, 0.)
}
