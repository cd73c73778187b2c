//! Any of the networks as one type.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend as BurnBackend};
use kiln_backend::Backend;

use crate::compute::Compute;
use crate::parameters::parameter_count;
use crate::pass::{Logits, Pass};
use crate::zoo::{DenseNet, GoogLeNet, InceptionV3, LectureCnn, Mlp, ResNet, ResNet8, Vgg};

/// Any of the networks.
#[expect(clippy::large_enum_variant, reason = "there is one network in a program, not thousands")]
#[derive(Module, Debug)]
pub enum Network<B: BurnBackend> {
    /// The lecture's convolutional network.
    LectureCnn(LectureCnn<B>),
    /// The lecture's fully connected network.
    Mlp(Mlp<B>),
    /// ResNet-8.
    ResNet8(ResNet8<B>),
    /// VGG.
    Vgg(Vgg<B>),
    /// ResNet.
    ResNet(ResNet<B>),
    /// GoogLeNet.
    GoogLeNet(GoogLeNet<B>),
    /// Inception v3.
    InceptionV3(InceptionV3<B>),
    /// DenseNet.
    DenseNet(DenseNet<B>),
}

impl<B: BurnBackend> Network<B> {
    /// Images to logits, with tensors or with shapes alone.
    pub fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> Logits<P::Row> {
        match self {
            Self::LectureCnn(network) => network.run(pass, x).into(),
            Self::Mlp(network) => network.run(pass, x).into(),
            Self::ResNet8(network) => network.run(pass, x).into(),
            Self::Vgg(network) => network.run(pass, x).into(),
            Self::ResNet(network) => network.run(pass, x).into(),
            Self::GoogLeNet(network) => network.run(pass, x),
            Self::InceptionV3(network) => network.run(pass, x),
            Self::DenseNet(network) => network.run(pass, x).into(),
        }
    }
}

impl<B: BurnBackend> Network<B> {
    /// How many numbers it trains, auxiliary heads included.
    pub fn parameter_count(&self) -> usize {
        parameter_count(self)
    }
}

impl<B: Backend> Network<B> {
    /// Images `[N, C, H, W]` to logits `[N, classes]`.
    ///
    /// # Panics
    /// If the images are none that the architecture [takes](crate::Architecture::takes).
    pub fn forward(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        self.logits(images).main
    }

    /// The same with what auxiliary heads give in training.
    ///
    /// # Panics
    /// As [`Network::forward`].
    pub fn logits(&self, images: Tensor<B, 4>) -> Logits<Tensor<B, 2>> {
        self.run(&Compute::new(images.device()), images)
    }
}
