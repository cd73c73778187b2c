//! burn-train: its [`Learner`] takes the steps, and its own dashboard shows them on request.
//!
//! burn-train's training loop and its checkpoints are not used: in Burn 0.21 checkpoints are not written atomically and not on
//! interruption, resumed runs repeat the first epoch's order, and the best epoch is chosen before the last numbers are in.
//! The [`engine`](crate::engine) does all of that.

use std::fmt;
use std::sync::Arc;

use crate::error::Error;
use burn::data::dataloader::Progress as Items;
use burn::module::{AutodiffModule, Devices, Module, ModuleMapper, ModuleVisitor};
use burn::optim::{GradientsParams, MultiGradientsParams};
use burn::tensor::backend::{AutodiffBackend, Backend as BurnBackend};
use burn_train::metric::{
    ItemLazy, MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry, SerializedEntry,
};
use burn_train::renderer::tui::TuiMetricsRendererWrapper;
use burn_train::renderer::{MetricState, MetricsRenderer, MetricsRendererTraining, ProgressType, TrainingProgress};
use burn_train::{InferenceStep, Interrupter, LearningComponentsMarker, TrainOutput, TrainStep};
use kiln_backend::Backend;
use kiln_data::PlainBatch;
use kiln_model::Network;

use crate::event::{Batch, Event, Observer, Split};
use crate::loss::Loss;
use crate::measure::{MEASURES, Measure};
use crate::optim::optimizer::Optimizer;
use crate::optim::schedule::Schedule;
use crate::step::{self, BatchOutput};
use crate::stop::StopRequest;

/// A network under training.
pub struct Learner<B: AutodiffBackend + Backend>
where
    B::InnerBackend: Backend,
{
    learner: burn_train::Learner<LearningComponentsMarker<B, Schedule, Trainee<B>, Optimizer<B>>>,
    optimizer: Optimizer<B>,
}

impl<B: AutodiffBackend + Backend> Learner<B>
where
    B::InnerBackend: Backend,
{
    /// A network that begins, or goes on, with its first step under the schedule.
    pub fn new(
        network: Network<B>,
        loss: Loss,
        optimizer: Optimizer<B>,
        schedule: Schedule,
        device: &B::Device,
    ) -> Self {
        let trainee = Trainee { network, loss: Arc::new(loss), device: device.clone() };
        Self { learner: burn_train::Learner::new(trainee, optimizer.clone(), schedule), optimizer }
    }

    /// Moves the learning rate on to the next iteration's, which it gives.
    pub fn next_rate(&mut self) -> f64 {
        self.learner.lr_step();
        self.learner.lr_current()
    }

    /// A batch forward and backward.
    pub fn train_step(&self, batch: PlainBatch) -> (BatchOutput, GradientsParams) {
        let TrainOutput { grads, item } = self.learner.train_step(batch);
        (item, grads)
    }

    /// Steps by these gradients, at the present learning rate.
    pub fn optimize(&mut self, grads: GradientsParams) {
        self.learner.optimizer_step(grads);
    }

    /// The network as it is.
    pub fn network(&self) -> Network<B> {
        self.learner.model().network
    }

    /// The optimizer, which can be asked for its state.
    pub fn optimizer(&self) -> &Optimizer<B> {
        &self.optimizer
    }
}

/// What burn-train's `Learner` trains: a network that knows its loss.
///
/// A module by hand, since a derived one could be saved as a Burn record: the code for that, for every network, would be a
/// third of this crate's.
#[derive(Clone)]
struct Trainee<B: BurnBackend> {
    network: Network<B>,
    loss: Arc<Loss>,
    device: B::Device,
}

impl<B: BurnBackend> fmt::Debug for Trainee<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a network and its loss")
    }
}

impl<B: BurnBackend> fmt::Display for Trainee<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl<B: BurnBackend> Module<B> for Trainee<B> {
    type Record = ();

    fn collect_devices(&self, devices: Devices<B>) -> Devices<B> {
        self.network.collect_devices(devices)
    }

    fn fork(self, device: &B::Device) -> Self {
        Self { network: self.network.fork(device), device: device.clone(), ..self }
    }

    fn to_device(self, device: &B::Device) -> Self {
        Self { network: self.network.to_device(device), device: device.clone(), ..self }
    }

    fn visit<V: ModuleVisitor<B>>(&self, visitor: &mut V) {
        self.network.visit(visitor);
    }

    fn map<M: ModuleMapper<B>>(self, mapper: &mut M) -> Self {
        Self { network: self.network.map(mapper), ..self }
    }

    fn load_record(self, (): ()) -> Self {
        self
    }

    fn into_record(self) {}
}

impl<B: AutodiffBackend> AutodiffModule<B> for Trainee<B> {
    type InnerModule = Trainee<B::InnerBackend>;

    fn valid(&self) -> Trainee<B::InnerBackend> {
        Trainee { network: self.network.valid(), loss: self.loss.clone(), device: self.device.clone() }
    }

    fn from_inner(module: Trainee<B::InnerBackend>) -> Self {
        Self { network: Network::from_inner(module.network), loss: module.loss, device: module.device }
    }
}

impl ItemLazy for BatchOutput {
    type ItemSync = Self;

    fn sync(self) -> Self {
        self
    }
}

impl<B: AutodiffBackend + Backend> TrainStep for Trainee<B> {
    type Input = PlainBatch;
    type Output = BatchOutput;

    fn step(&self, batch: PlainBatch) -> TrainOutput<BatchOutput> {
        let (output, grads) = step::train(&self.network, &self.loss, batch, &self.device);
        TrainOutput::new(self, grads, output)
    }
}

impl<B: Backend> InferenceStep for Trainee<B> {
    type Input = PlainBatch;
    type Output = BatchOutput;

    fn step(&self, batch: PlainBatch) -> BatchOutput {
        step::evaluate(&self.network, batch, &self.device)
    }
}

impl<B: AutodiffBackend> burn::optim::Optimizer<Trainee<B>, B> for Optimizer<B> {
    type Record = ();

    fn step(&mut self, lr: f64, module: Trainee<B>, grads: GradientsParams) -> Trainee<B> {
        Optimizer::step(self, lr, module, grads)
    }

    fn step_multi(&mut self, _: f64, _: Trainee<B>, _: MultiGradientsParams) -> Trainee<B> {
        unreachable!("one device")
    }

    fn to_record(&self) {}

    fn load_record(self, (): ()) -> Self {
        self
    }
}

/// Burn's own dashboard, fed with what happens.
pub struct BurnDashboard {
    renderer: TuiMetricsRendererWrapper,
    /// The user's wish to stop, as the dashboard takes it.
    interrupter: Interrupter,
    stop: StopRequest,
    measures: Vec<(MetricId, Measure)>,
    epochs: usize,
}

impl BurnDashboard {
    /// Takes the terminal over until it is dropped. The user's wish to stop goes to `stop`.
    pub fn start(epochs: usize, classes: usize, stop: StopRequest) -> Self {
        let interrupter = Interrupter::new();
        let mut renderer = TuiMetricsRendererWrapper::new(interrupter.clone(), None);
        let shown = MEASURES.into_iter().filter(|measure| measure.applies(classes));
        let measures: Vec<_> =
            shown.map(|measure| (MetricId::new(Arc::new(measure.name.to_owned())), measure)).collect();
        for (id, measure) in &measures {
            let unit = measure.unit.map(str::to_owned);
            renderer.register_metric(MetricDefinition {
                metric_id: id.clone(),
                name: measure.name.to_owned(),
                description: None,
                attributes: NumericAttributes { unit, higher_is_better: measure.higher_is_better }.into(),
            });
        }
        Self { renderer, interrupter, stop, measures, epochs }
    }

    fn batch(&mut self, batch: &Batch<'_>) {
        for (id, measure) in &self.measures {
            let metrics = batch.output.metrics;
            let value = measure.of(&metrics);
            let shown = format!("epoch {:.4} - batch {value:.4}", measure.of(&batch.total));
            let entry = MetricEntry::new(id.clone(), SerializedEntry::new(shown, value.to_string()));
            let number = NumericEntry::Aggregated { aggregated_value: value, count: metrics.count };
            let state = MetricState::Numeric(entry, number);
            match batch.split {
                Split::Train => self.renderer.update_train(state),
                Split::Valid => self.renderer.update_valid(state),
            }
        }
        let items = Items::new(batch.items, batch.items_total);
        let epochs = Items::new(batch.epoch, self.epochs);
        let indicators = vec![
            ProgressType::Detailed { tag: "Epoch".to_owned(), progress: epochs.clone() },
            ProgressType::Value { tag: "Iteration".to_owned(), value: batch.iteration },
            ProgressType::Detailed { tag: "Items".to_owned(), progress: items.clone() },
        ];
        let progress =
            TrainingProgress { progress: Some(items), global_progress: epochs, iteration: Some(batch.iteration) };
        match batch.split {
            Split::Train => self.renderer.render_train(progress, indicators),
            Split::Valid => self.renderer.render_valid(progress, indicators),
        }
    }
}

impl Observer for BurnDashboard {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), Error> {
        if let Event::Batch(batch) = event {
            self.batch(batch);
        }
        if self.interrupter.should_stop() && !self.stop.is_requested() {
            self.stop.request();
        }
        Ok(())
    }
}
