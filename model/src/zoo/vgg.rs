//! VGG: convolutions 3x3 alone, in five stages that each end in max-pooling.
//!
//! Simonyan and Zisserman, *Very Deep Convolutional Networks for Large-Scale Image Recognition*, 2014; sizes and names are
//! those of torchvision's `models/vgg.py`.

use burn::module::{self, Module};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::backend::Backend as BurnBackend;
use kiln_backend::Pool;

use crate::batch_norm::BatchNorm;
use crate::layers::{Initializer, Layer, conv, run_images, run_rows};
use crate::pass::Pass;

/// Channels of the stages.
const STAGES: [usize; 5] = [64, 128, 256, 512, 512];

/// Size of a [`Vgg`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VggConfig {
    /// Layers with weights: 11, 13, 16 or 19.
    pub depth: usize,
    /// Whether each convolution is normalised.
    pub batch_norm: bool,
    /// Channels of the images.
    pub channels: usize,
    /// Number of classes.
    pub classes: usize,
}

impl VggConfig {
    /// Convolutions of each stage.
    fn convolutions(&self) -> [usize; 5] {
        match self.depth {
            11 => [1, 1, 2, 2, 2],
            13 => [2, 2, 2, 2, 2],
            16 => [2, 2, 3, 3, 3],
            19 => [2, 2, 4, 4, 4],
            depth => panic!("no VGG has {depth} layers"),
        }
    }

    /// A network with random weights.
    ///
    /// # Panics
    /// If the depth is none of those above.
    pub fn init<B: BurnBackend>(&self, device: &B::Device) -> Vgg<B> {
        let mut features = Vec::new();
        let mut from = self.channels;
        for (to, count) in STAGES.into_iter().zip(self.convolutions()) {
            for _ in 0..count {
                features.push(Layer::Conv(conv([from, to], 3).same().init_with_bias(Initializer::FanOut, device)));
                if self.batch_norm {
                    features.push(Layer::Norm(BatchNorm::new(to, 1e-5, device)));
                }
                features.push(Layer::relu());
                from = to;
            }
            features.push(Layer::max_pool(Pool::square(2)));
        }
        let linear = |from, to| Layer::Linear(linear(from, to, device));
        let classifier = vec![
            linear(from * Vgg::<B>::SIDE * Vgg::<B>::SIDE, 4096),
            Layer::relu(),
            Layer::dropout(0.5),
            linear(4096, 4096),
            Layer::relu(),
            Layer::dropout(0.5),
            linear(4096, self.classes),
        ];
        Vgg { features, classifier }
    }
}

fn linear<B: BurnBackend>(from: usize, to: usize, device: &B::Device) -> Linear<B> {
    let normal = module::Initializer::Normal { mean: 0., std: 0.01 };
    let mut linear = LinearConfig::new(from, to).with_initializer(normal).init(device);
    linear.bias = Some(module::Initializer::Zeros.init([to], device));
    linear
}

/// VGG with 11, 13, 16 or 19 layers.
#[derive(Module, Debug)]
pub struct Vgg<B: BurnBackend> {
    /// Convolutions, ReLU, pooling.
    pub features: Vec<Layer<B>>,
    /// Three linear layers.
    pub classifier: Vec<Layer<B>>,
}

impl<B: BurnBackend> Vgg<B> {
    /// Height and width that the classifier takes: what 224 pixels leave.
    const SIDE: usize = 7;

    /// Images of at least 32 pixels to logits.
    pub fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> P::Row {
        let x = run_images(&self.features, pass, x);
        let x = pass.flatten(pass.adaptive_avg_pool(x, Self::SIDE));
        run_rows(&self.classifier, pass, x)
    }
}
