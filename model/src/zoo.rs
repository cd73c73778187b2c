//! The networks: a file each, which reads like the figure of its paper.

mod densenet;
mod googlenet;
mod inception_v3;
mod lecture_cnn;
mod mlp;
mod resnet;
mod resnet8;
mod vgg;

pub use densenet::{DenseBlock, DenseLayer, DenseNet, DenseNetConfig, Features, Transition};
pub use googlenet::{AuxiliaryHead, GoogLeNet, GoogLeNetConfig, Inception};
pub use inception_v3::{
    InceptionA, InceptionAux, InceptionB, InceptionC, InceptionD, InceptionE, InceptionV3, InceptionV3Config,
};
pub use lecture_cnn::{LectureCnn, LectureCnnConfig};
pub use mlp::{Mlp, MlpConfig};
pub use resnet::{Block, ResNet, ResNetConfig};
pub use resnet8::{ResNet8, ResNet8Config};
pub use vgg::{Vgg, VggConfig};
