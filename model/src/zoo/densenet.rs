//! DenseNet: each layer sees what all layers of its block before it have made.
//!
//! Huang et al., *Densely Connected Convolutional Networks*, 2016; names and sizes are those of torchvision's
//! `models/densenet.py`.

use burn::module::{self, Module};
use burn::nn::{Linear, LinearConfig, conv::Conv2d};
use burn::tensor::backend::Backend as BurnBackend;
use kiln_backend::Pool;

use crate::batch_norm::BatchNorm;
use crate::layers::{Initializer, conv};
use crate::pass::Pass;

const EPSILON: f64 = 1e-5;
/// Width of a layer's 1x1 convolution, in growth rates.
const BOTTLENECK: usize = 4;

/// Size of a [`DenseNet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DenseNetConfig {
    /// Layers with weights: 121, 161, 169 or 201.
    pub depth: usize,
    /// Channels of the images.
    pub channels: usize,
    /// Number of classes.
    pub classes: usize,
}

impl DenseNetConfig {
    /// Layers of each block, channels that a layer adds, channels before the first block.
    fn sizes(&self) -> ([usize; 4], usize, usize) {
        match self.depth {
            121 => ([6, 12, 24, 16], 32, 64),
            161 => ([6, 12, 36, 24], 48, 96),
            169 => ([6, 12, 32, 32], 32, 64),
            201 => ([6, 12, 48, 32], 32, 64),
            depth => panic!("no DenseNet has {depth} layers"),
        }
    }

    /// A network with random weights.
    ///
    /// # Panics
    /// If the depth is none of those above.
    pub fn init<B: BurnBackend>(&self, device: &B::Device) -> DenseNet<B> {
        let (layers, growth, first) = self.sizes();
        let mut width = first;
        let mut stage = |index: usize| {
            let layer = |position| DenseLayer::new(width + position * growth, growth, device);
            let block = DenseBlock { denselayer: (0..layers[index]).map(layer).collect() };
            width += layers[index] * growth;
            let transition = Transition::new(width, device);
            if index < 3 {
                width /= 2;
            }
            (block, transition)
        };
        let (denseblock1, transition1) = stage(0);
        let (denseblock2, transition2) = stage(1);
        let (denseblock3, transition3) = stage(2);
        // Nothing follows the last block; its transition is not even drawn.
        let (denseblock4, _) = stage(3);
        let features = Features {
            conv0: conv([self.channels, first], 7).stride(2).padding(3).init(Initializer::FanIn, device),
            norm0: BatchNorm::new(first, EPSILON, device),
            denseblock1,
            transition1,
            denseblock2,
            transition2,
            denseblock3,
            transition3,
            denseblock4,
            norm5: BatchNorm::new(width, EPSILON, device),
        };
        let mut classifier = LinearConfig::new(width, self.classes).init(device);
        classifier.bias = Some(module::Initializer::Zeros.init([self.classes], device));
        DenseNet { features, classifier }
    }
}

/// DenseNet with 121, 161, 169 or 201 layers.
#[derive(Module, Debug)]
pub struct DenseNet<B: BurnBackend> {
    /// All but the last layer.
    pub features: Features<B>,
    /// Features to classes.
    pub classifier: Linear<B>,
}

impl<B: BurnBackend> DenseNet<B> {
    /// Images to logits.
    pub fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> P::Row {
        let x = self.features.run(pass, x);
        pass.linear(pass.flatten(pass.adaptive_avg_pool(x, 1)), &self.classifier, false)
    }
}

/// Four blocks with transitions between them.
#[derive(Module, Debug)]
pub struct Features<B: BurnBackend> {
    /// 7x7, half the size.
    pub conv0: Conv2d<B>,
    pub norm0: BatchNorm<B>,
    /// First block.
    pub denseblock1: DenseBlock<B>,
    /// Half the channels, half the size.
    pub transition1: Transition<B>,
    /// Second block.
    pub denseblock2: DenseBlock<B>,
    /// Half the channels, half the size.
    pub transition2: Transition<B>,
    /// Third block.
    pub denseblock3: DenseBlock<B>,
    /// Half the channels, half the size.
    pub transition3: Transition<B>,
    /// Fourth block.
    pub denseblock4: DenseBlock<B>,
    /// Normalisation of all features.
    pub norm5: BatchNorm<B>,
}

impl<B: BurnBackend> Features<B> {
    fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> P::Image {
        let x = pass.conv_norm(x, &self.conv0, &self.norm0, None, true);
        let x = pass.max_pool(x, Pool { kernel: [3; 2], stride: [2; 2], padding: [1; 2], ceil_mode: false });
        let x = self.transition1.run(pass, self.denseblock1.run(pass, x));
        let x = self.transition2.run(pass, self.denseblock2.run(pass, x));
        let x = self.transition3.run(pass, self.denseblock3.run(pass, x));
        pass.norm_relu(self.denseblock4.run(pass, x), &self.norm5)
    }
}

/// Layers that each add channels to what was there.
#[derive(Module, Debug)]
pub struct DenseBlock<B: BurnBackend> {
    /// `denselayer1`, `denselayer2` and so on.
    pub denselayer: Vec<DenseLayer<B>>,
}

impl<B: BurnBackend> DenseBlock<B> {
    fn run<P: Pass<B>>(&self, pass: &P, mut x: P::Image) -> P::Image {
        for layer in &self.denselayer {
            let added = layer.run(pass, x.clone());
            x = pass.concat(vec![x, added]);
        }
        x
    }
}

/// Normalisation, 1x1, normalisation, 3x3.
#[derive(Module, Debug)]
pub struct DenseLayer<B: BurnBackend> {
    /// Of all features so far.
    pub norm1: BatchNorm<B>,
    /// 1x1 to four growth rates.
    pub conv1: Conv2d<B>,
    pub norm2: BatchNorm<B>,
    /// 3x3 to the growth rate.
    pub conv2: Conv2d<B>,
}

impl<B: BurnBackend> DenseLayer<B> {
    fn new(from: usize, growth: usize, device: &B::Device) -> Self {
        let width = BOTTLENECK * growth;
        Self {
            norm1: BatchNorm::new(from, EPSILON, device),
            conv1: conv([from, width], 1).init(Initializer::FanIn, device),
            norm2: BatchNorm::new(width, EPSILON, device),
            conv2: conv([width, growth], 3).same().init(Initializer::FanIn, device),
        }
    }

    fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> P::Image {
        let x = pass.norm_relu(x, &self.norm1);
        let x = pass.conv_norm(x, &self.conv1, &self.norm2, None, true);
        pass.conv(x, &self.conv2, None, false)
    }
}

/// Half the channels, half the size.
#[derive(Module, Debug)]
pub struct Transition<B: BurnBackend> {
    /// Of the block's features.
    pub norm: BatchNorm<B>,
    /// 1x1 to half the channels.
    pub conv: Conv2d<B>,
}

impl<B: BurnBackend> Transition<B> {
    fn new(from: usize, device: &B::Device) -> Self {
        Self {
            norm: BatchNorm::new(from, EPSILON, device),
            conv: conv([from, from / 2], 1).init(Initializer::FanIn, device),
        }
    }

    fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> P::Image {
        let x = pass.conv(pass.norm_relu(x, &self.norm), &self.conv, None, false);
        pass.avg_pool(x, Pool::square(2))
    }
}
