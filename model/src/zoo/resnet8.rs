//! ResNet-8: a residual network for small pictures, under 100,000 parameters.
//!
//! ```text
//! [N, C, 28, 28]  conv 3x3, max-pool 2        -> [N, 24, 14, 14]
//!                 block of 24 channels        -> [N, 24, 14, 14]
//!                 block of 40, half the size  -> [N, 40,  7,  7]
//!                 block of 64, half the size  -> [N, 64,  4,  4]
//!                 mean of each channel, linear -> [N, classes]
//! ```
//!
//! The blocks are those of He et al., *Deep Residual Learning for Image Recognition*, 2015, whose networks for CIFAR have
//! three stages as well; pooling right behind the first convolution leaves more of the work to the later layers.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig, conv::Conv2d};
use burn::tensor::backend::Backend as BurnBackend;
use kiln_backend::Pool;

use super::resnet::{Block, EPSILON};
use crate::batch_norm::BatchNorm;
use crate::layers::{Initializer, conv};
use crate::pass::Pass;

/// Channels of the three blocks; the first convolution has those of the first.
const WIDTHS: [usize; 3] = [24, 40, 64];

/// Size of a [`ResNet8`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResNet8Config {
    /// Channels of the images.
    pub channels: usize,
    /// Number of classes.
    pub classes: usize,
}

impl ResNet8Config {
    /// A network with random weights.
    pub fn init<B: BurnBackend>(&self, device: &B::Device) -> ResNet8<B> {
        let [first, second, third] = WIDTHS;
        ResNet8 {
            conv1: conv([self.channels, first], 3).padding(1).init(Initializer::FanOut, device),
            bn1: BatchNorm::new(first, EPSILON, device),
            layer1: Block::new(first, first, first, 1, false, device),
            layer2: Block::new(first, second, second, 2, false, device),
            layer3: Block::new(second, third, third, 2, false, device),
            fc: LinearConfig::new(third, self.classes).init(device),
        }
    }
}

/// ResNet with eight layers for pictures of about 28 to 64 pixels.
#[derive(Module, Debug)]
pub struct ResNet8<B: BurnBackend> {
    pub conv1: Conv2d<B>,
    pub bn1: BatchNorm<B>,
    /// 24 channels wide.
    pub layer1: Block<B>,
    /// 40 channels wide, half the size.
    pub layer2: Block<B>,
    /// 64 channels wide, half the size.
    pub layer3: Block<B>,
    /// Features to classes.
    pub fc: Linear<B>,
}

impl<B: BurnBackend> ResNet8<B> {
    /// Images to logits.
    pub fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> P::Row {
        let x = pass.conv_norm(x, &self.conv1, &self.bn1, None, true);
        let mut x = pass.max_pool(x, Pool::square(2));
        for block in [&self.layer1, &self.layer2, &self.layer3] {
            x = block.run(pass, x);
        }
        pass.linear(pass.flatten(pass.adaptive_avg_pool(x, 1)), &self.fc, false)
    }
}
