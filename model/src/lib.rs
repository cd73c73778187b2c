//! Networks, written once for every backend.
//!
//! A network is a short file that reads like its figure: [`LectureCnn`], [`Mlp`], [`Vgg`], [`ResNet`], [`GoogLeNet`],
//! [`InceptionV3`], [`DenseNet`]. It says once what follows what, to a [`Pass`]; results, gradients and summaries come from
//! that. [`Architecture`] is the registry of them all, [`Network`] any one of them, [`weights`] how they are kept in files,
//! [`Tally`] how they are judged.

mod architecture;
mod densenet;
mod description;
mod finetune;
mod foreign;
mod googlenet;
mod inception_v3;
mod layers;
mod lecture_cnn;
mod mlp;
mod network;
mod norm;
mod parameters;
mod pass;
mod published;
mod resnet;
mod resnet8;
mod sequence;
mod summary;
mod tally;
mod vgg;
pub mod weights;

pub use architecture::{Architecture, Sizes};
pub use densenet::{DenseBlock, DenseLayer, DenseNet, DenseNetConfig, Features, Transition};
pub use description::{Config, Description, FORMAT, Training};
pub use finetune::{Beginning, Freeze, freeze};
pub use googlenet::{AuxiliaryHead, GoogLeNet, GoogLeNetConfig, Inception};
pub use inception_v3::{
    InceptionA, InceptionAux, InceptionB, InceptionC, InceptionD, InceptionE, InceptionV3, InceptionV3Config,
};
pub use layers::{BasicConv, conv_block};
pub use lecture_cnn::{LectureCnn, LectureCnnConfig};
pub use mlp::{Mlp, MlpConfig};
pub use network::Network;
pub use norm::BatchNorm;
pub use parameters::{NamedTensor, ParameterError, parameter_count, parameters, shapes, with_parameters};
pub use pass::{Compute, Logits, Pass};
pub use published::{Published, WEIGHTS_URL};
pub use resnet::{Block, ResNet, ResNetConfig};
pub use resnet8::{ResNet8, ResNet8Config};
pub use sequence::{Layer, MaxPool, run_images, run_rows};
pub use summary::{LayerSummary, Outline, Summary};
pub use tally::{Confusion, Prediction, Tally, log_softmax, softmax, top};
pub use vgg::{Vgg, VggConfig};
