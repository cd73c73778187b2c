//! ResNet: blocks that add what they compute to what they were given.
//!
//! He et al., *Deep Residual Learning for Image Recognition*, 2015. Names and sizes are those of torchvision's
//! `models/resnet.py`, which strides in the 3x3 convolution of a bottleneck ("v1.5").

use burn::module::Module;
use burn::nn::{Linear, LinearConfig, conv::Conv2d};
use burn::tensor::backend::Backend as BurnBackend;
use kiln_backend::Pool;

use crate::batch_norm::BatchNorm;
use crate::layers::{Initializer, Layer, conv, run_images};
use crate::pass::Pass;

/// Added to the variance: PyTorch's default.
pub(crate) const EPSILON: f64 = 1e-5;

/// Size of a [`ResNet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResNetConfig {
    /// Layers with weights: 18, 34, 50, 101 or 152.
    pub depth: usize,
    /// Channels of the images.
    pub channels: usize,
    /// Number of classes.
    pub classes: usize,
}

impl ResNetConfig {
    /// Blocks of each stage.
    fn blocks(&self) -> [usize; 4] {
        match self.depth {
            18 => [2, 2, 2, 2],
            34 | 50 => [3, 4, 6, 3],
            101 => [3, 4, 23, 3],
            152 => [3, 8, 36, 3],
            depth => panic!("no ResNet has {depth} layers"),
        }
    }

    /// A network with random weights.
    ///
    /// # Panics
    /// If the depth is none of those above.
    pub fn init<B: BurnBackend>(&self, device: &B::Device) -> ResNet<B> {
        let bottleneck = self.depth >= 50;
        let expansion = if bottleneck { 4 } else { 1 };
        let mut from = 64;
        let stages = self.blocks();
        let mut stage = |index: usize| -> Vec<Block<B>> {
            let width = 64 << index;
            let block = |position| {
                let stride = if position == 0 && index > 0 { 2 } else { 1 };
                let block = Block::new(from, width, width * expansion, stride, bottleneck, device);
                from = width * expansion;
                block
            };
            (0..stages[index]).map(block).collect()
        };
        let (layer1, layer2, layer3, layer4) = (stage(0), stage(1), stage(2), stage(3));
        ResNet {
            conv1: conv([self.channels, 64], 7).stride(2).padding(3).init(Initializer::FanOut, device),
            bn1: BatchNorm::new(64, EPSILON, device),
            layer1,
            layer2,
            layer3,
            layer4,
            fc: LinearConfig::new(512 * expansion, self.classes).init(device),
        }
    }
}

/// ResNet with 18, 34, 50, 101 or 152 layers.
#[derive(Module, Debug)]
pub struct ResNet<B: BurnBackend> {
    /// 7x7, half the size.
    pub conv1: Conv2d<B>,
    pub bn1: BatchNorm<B>,
    /// 64 channels wide.
    pub layer1: Vec<Block<B>>,
    /// 128 channels wide, half the size.
    pub layer2: Vec<Block<B>>,
    /// 256 channels wide, half the size.
    pub layer3: Vec<Block<B>>,
    /// 512 channels wide, half the size.
    pub layer4: Vec<Block<B>>,
    /// Features to classes.
    pub fc: Linear<B>,
}

impl<B: BurnBackend> ResNet<B> {
    /// Images to logits.
    pub fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> P::Row {
        let x = pass.conv_norm(x, &self.conv1, &self.bn1, None, true);
        let mut x = pass.max_pool(x, Pool { kernel: [3; 2], stride: [2; 2], padding: [1; 2], ceil_mode: false });
        for block in [&self.layer1, &self.layer2, &self.layer3, &self.layer4].into_iter().flatten() {
            x = block.run(pass, x);
        }
        pass.linear(pass.flatten(pass.adaptive_avg_pool(x, 1)), &self.fc, false)
    }
}

/// Two convolutions 3x3, or a bottleneck of 1x1, 3x3 and 1x1, beside a shortcut.
#[derive(Module, Debug)]
pub struct Block<B: BurnBackend> {
    /// 3x3, or 1x1 to the bottleneck's width.
    pub conv1: Conv2d<B>,
    pub bn1: BatchNorm<B>,
    pub conv2: Conv2d<B>,
    pub bn2: BatchNorm<B>,
    /// A bottleneck's 1x1 to the block's width.
    pub conv3: Option<Conv2d<B>>,
    pub bn3: Option<BatchNorm<B>>,
    /// Brings the shortcut to the block's size: 1x1 and normalisation, or nothing.
    pub downsample: Vec<Layer<B>>,
}

impl<B: BurnBackend> Block<B> {
    pub(crate) fn new(
        from: usize,
        width: usize,
        to: usize,
        stride: usize,
        bottleneck: bool,
        device: &B::Device,
    ) -> Self {
        let norm = |channels| BatchNorm::new(channels, EPSILON, device);
        let initializer = Initializer::FanOut;
        let (conv1, conv2) = match bottleneck {
            true => (conv([from, width], 1), conv([width, width], 3).stride(stride).padding(1)),
            false => (conv([from, width], 3).stride(stride).padding(1), conv([width, width], 3).padding(1)),
        };
        let mut downsample = Vec::new();
        if stride != 1 || from != to {
            downsample.push(Layer::Conv(conv([from, to], 1).stride(stride).init(initializer, device)));
            downsample.push(Layer::Norm(norm(to)));
        }
        Self {
            conv1: conv1.init(initializer, device),
            bn1: norm(width),
            conv2: conv2.init(initializer, device),
            bn2: norm(width),
            conv3: bottleneck.then(|| conv([width, to], 1).init(initializer, device)),
            bn3: bottleneck.then(|| norm(to)),
            downsample,
        }
    }

    pub(crate) fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> P::Image {
        let shortcut = Some(run_images(&self.downsample, pass, x.clone()));
        let y = pass.conv_norm(x, &self.conv1, &self.bn1, None, true);
        match (&self.conv3, &self.bn3) {
            (Some(conv3), Some(bn3)) => {
                let y = pass.conv_norm(y, &self.conv2, &self.bn2, None, true);
                pass.conv_norm(y, conv3, bn3, shortcut, true)
            }
            _ => pass.conv_norm(y, &self.conv2, &self.bn2, shortcut, true),
        }
    }
}
