//! Networks, written once for every backend.
//!
//! A network is a short file that reads like its figure: [`LectureCnn`], [`Mlp`], [`Vgg`], [`ResNet`], [`GoogLeNet`],
//! [`InceptionV3`], [`DenseNet`]. It says once what follows what, to a [`Pass`]; results, gradients and summaries come from
//! that. [`Architecture`] is the registry of them all, [`Network`] any one of them, [`weights`] how they are kept in files,
//! [`Metrics`] how they are judged.

mod batch_norm;
mod compute;
pub mod explain;
pub mod graph;
mod inference;
mod layers;
mod metrics;
mod network;
mod parameters;
mod pass;
mod plan;
mod registry;
mod summary;
pub mod weights;
mod zoo;

pub use batch_norm::BatchNorm;
pub use compute::Compute;
pub use graph::Graph;
pub use inference::{BatchShapeError, InferenceNetwork};
pub use layers::{BasicConv, Layer, MaxPool, conv_block, run_images, run_rows};
pub use metrics::{
    ClassScores, Confusion, Interval, Judgement, MacroScores, Metrics, Paired, RankedClass, ReliabilityBin,
    TemperatureError, expected_calibration_error, fit_temperature, log_softmax, reliability, softmax, top, wilson,
};
pub use network::Network;
pub use parameters::{
    NamedTensor, Parameter, ParameterError, load_state_dict, parameter_count, parameters, shapes, state_dict,
};
pub use pass::{Logits, Pass};
pub use registry::{Architecture, Sizes};
pub use summary::{LayerSummary, Summary};
pub use zoo::*;
