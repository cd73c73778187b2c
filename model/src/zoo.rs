//! The networks: a file each, which reads like the figure of its paper.

use burn::tensor::Tensor;
use kiln_backend::Backend;

use crate::compute::Compute;
use crate::pass::Logits;

#[expect(missing_docs, reason = "fields have the names of torchvision's layers")]
mod densenet;
#[expect(missing_docs, reason = "fields have the names of torchvision's layers")]
mod googlenet;
#[expect(missing_docs, reason = "fields have the names of torchvision's layers")]
mod inception_v3;
mod lecture_cnn;
mod mlp;
#[expect(missing_docs, reason = "fields have the names of torchvision's layers")]
mod resnet;
#[expect(missing_docs, reason = "fields have the names of torchvision's layers")]
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

/// Gives networks `forward`, as Burn's modules have it.
macro_rules! forward {
    ($($network:ident),*) => {$(
        impl<B: Backend> $network<B> {
            /// Images `[N, C, H, W]` to logits `[N, classes]`, auxiliary heads left out.
            ///
            /// # Panics
            /// If the images do not fit the network.
            pub fn forward(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
                let logits: Logits<_> = self.run(&Compute::new(images.device()), images).into();
                logits.main
            }
        }
    )*};
}

forward!(DenseNet, GoogLeNet, InceptionV3, ResNet, ResNet8, Vgg);
