//! The models by name: loaded at the start, loaded anew on request, each with the thread that runs it.

use std::sync::{Arc, PoisonError, RwLock};

use infer::{Choice, choose};
use kiln::{Classifier, Target};
use kiln_cli::Failure;
use kiln_model::weights::Description;
use kiln_model::{Graph, Summary};
use tracing::{error, info};

use crate::batcher::Batcher;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::problem::Problem;

/// A model to serve.
#[derive(Clone, Debug)]
pub struct ModelSource {
    /// The name that requests give.
    pub name: String,
    /// Which weights; chosen anew at each reload.
    pub choice: Choice,
}

/// A network with its weights, as they were at some time. Requests keep the one that they began with.
pub struct Loaded {
    /// The network.
    pub classifier: Classifier,
    /// What the weights say of themselves.
    pub description: Description,
    /// Where they are.
    pub path: String,
    /// The layers.
    pub summary: Summary,
    /// The convolutions and pools, which can be looked at.
    pub stages: Vec<Stage>,
}

/// A convolution or pool with what belongs to it.
pub struct Stage {
    /// Its name.
    pub name: String,
    /// What it is, such as `conv`.
    pub kind: &'static str,
    /// Shape of the result, `[C, H, W]`.
    pub shape: [usize; 3],
}

impl Stage {
    fn all(graph: &Graph) -> Vec<Self> {
        let stage = |stage: kiln_model::graph::Stage| {
            let (first, last) = (graph.node(stage.first), graph.node(stage.last));
            let &[channels, height, width] = last.shape.as_slice() else { return None };
            let shape = [channels, height, width];
            Some(Self { name: first.name.clone(), kind: first.operation.name(), shape })
        };
        graph.stages().into_iter().filter_map(stage).collect()
    }
}

impl Loaded {
    fn new(source: &ModelSource, target: &Target) -> Result<Self, Failure> {
        let (weights, line) = choose(&source.choice)?;
        if let Some(line) = line {
            info!(model = source.name, "{line}");
        }
        let (description, path) = (weights.description().clone(), weights.path().display().to_string());
        let classifier = Classifier::on(target, weights)?;
        let graph = classifier.graph();
        let (summary, stages) = (Summary::of(&graph), Stage::all(&graph));
        Ok(Self { classifier, description, path, summary, stages })
    }
}

/// A name, what it stands for now, and the thread that computes.
pub struct Model {
    source: ModelSource,
    current: RwLock<Arc<Loaded>>,
    batcher: Batcher,
}

impl Model {
    /// The name.
    pub fn name(&self) -> &str {
        &self.source.name
    }

    /// The network as it is now.
    pub fn current(&self) -> Arc<Loaded> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The thread that runs it.
    pub fn batcher(&self) -> &Batcher {
        &self.batcher
    }
}

/// The models that are served; the first one is meant where a request names none.
pub struct Models {
    models: Vec<Model>,
    target: Target,
}

impl Models {
    /// Loads them and starts a thread for each.
    ///
    /// # Errors
    /// If one cannot be loaded.
    pub fn load(sources: Vec<ModelSource>, target: Target, limits: &Limits) -> Result<Self, Failure> {
        let load = |source: ModelSource| {
            let loaded = Loaded::new(&source, &target)?;
            info!(model = source.name, path = loaded.path, architecture = loaded.description.architecture, "loaded");
            let batcher = Batcher::start(&source.name, limits.batch, limits.wait)?;
            Ok(Model { source, current: RwLock::new(Arc::new(loaded)), batcher })
        };
        Ok(Self { models: sources.into_iter().map(load).collect::<Result<_, Failure>>()?, target })
    }

    /// The model of a name, or the first.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn find(&self, name: Option<&str>) -> Result<&Model, Problem> {
        let Some(name) = name else { return Ok(&self.models[0]) };
        self.models.iter().find(|model| model.name() == name).ok_or_else(|| Problem::UnknownModel {
            name: name.chars().take(100).collect(),
            known: self.models.iter().map(|model| model.name().to_owned()).collect(),
        })
    }

    /// All of them, in the order in which they were named.
    pub fn iter(&self) -> impl Iterator<Item = &Model> {
        self.models.iter()
    }

    /// Loads each anew, one after another. One that fails stays as it is. Requests that began before get their answers from
    /// the network that they began with.
    pub fn reload(&self, metrics: &Metrics) {
        for model in &self.models {
            let loaded = Loaded::new(&model.source, &self.target);
            metrics.reloaded(model.name(), loaded.is_ok());
            match loaded {
                Ok(loaded) => {
                    info!(model = model.name(), path = loaded.path, "reloaded");
                    *model.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
                }
                Err(failure) => error!(model = model.name(), "not reloaded, the old weights stay: {failure}"),
            }
        }
    }
}
