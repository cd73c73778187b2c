//! GoogLeNet: modules of four branches, whose results are put side by side.
//!
//! Szegedy et al., *Going Deeper with Convolutions*, 2014; names and sizes are those of torchvision's
//! `models/googlenet.py`, with normalisation, and 3x3 in the branch that the paper has as 5x5.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::backend::Backend as BurnBackend;
use kiln_backend::Pool;

use crate::layers::{BasicConv, Initializer, Layer, conv, linear, run_images};
use crate::pass::{Logits, Pass};

const INITIALIZER: Initializer = Initializer::Normal(0.01);

/// Size of a [`GoogLeNet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoogLeNetConfig {
    /// Channels of the images.
    pub channels: usize,
    /// Number of classes.
    pub classes: usize,
    /// Whether it has its auxiliary heads, which only training uses.
    pub auxiliary: bool,
}

impl GoogLeNetConfig {
    /// A network with random weights.
    pub fn init<B: BurnBackend>(&self, device: &B::Device) -> GoogLeNet<B> {
        let module = |from, widths| Inception::new(from, widths, device);
        let head = |from| self.auxiliary.then(|| AuxiliaryHead::new(from, self.classes, device));
        GoogLeNet {
            conv1: conv([self.channels, 64], 7).stride(2).padding(3).basic(INITIALIZER, device),
            conv2: conv([64, 64], 1).basic(INITIALIZER, device),
            conv3: conv([64, 192], 3).same().basic(INITIALIZER, device),
            inception3a: module(192, [64, 96, 128, 16, 32, 32]),
            inception3b: module(256, [128, 128, 192, 32, 96, 64]),
            inception4a: module(480, [192, 96, 208, 16, 48, 64]),
            inception4b: module(512, [160, 112, 224, 24, 64, 64]),
            inception4c: module(512, [128, 128, 256, 24, 64, 64]),
            inception4d: module(512, [112, 144, 288, 32, 64, 64]),
            inception4e: module(528, [256, 160, 320, 32, 128, 128]),
            inception5a: module(832, [256, 160, 320, 32, 128, 128]),
            inception5b: module(832, [384, 192, 384, 48, 128, 128]),
            aux1: head(512),
            aux2: head(528),
            fc: linear([1024, self.classes], 0.01, device),
        }
    }
}

/// GoogLeNet.
#[derive(Module, Debug)]
pub struct GoogLeNet<B: BurnBackend> {
    /// 7x7, half the size.
    pub conv1: BasicConv<B>,
    pub conv2: BasicConv<B>,
    pub conv3: BasicConv<B>,
    /// First module.
    pub inception3a: Inception<B>,
    /// Second module.
    pub inception3b: Inception<B>,
    /// Third module.
    pub inception4a: Inception<B>,
    /// Fourth module.
    pub inception4b: Inception<B>,
    /// Fifth module.
    pub inception4c: Inception<B>,
    /// Sixth module.
    pub inception4d: Inception<B>,
    /// Seventh module.
    pub inception4e: Inception<B>,
    /// Eighth module.
    pub inception5a: Inception<B>,
    /// Ninth module.
    pub inception5b: Inception<B>,
    /// Head behind the third module.
    pub aux1: Option<AuxiliaryHead<B>>,
    /// Head behind the sixth module.
    pub aux2: Option<AuxiliaryHead<B>>,
    /// Features to classes.
    pub fc: Linear<B>,
}

impl<B: BurnBackend> GoogLeNet<B> {
    /// What an auxiliary head's loss counts, as in the paper.
    const AUXILIARY: f64 = 0.3;

    /// Images to logits.
    pub fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> Logits<P::Row> {
        let halve = |x| pass.max_pool(x, Pool { kernel: [3; 2], stride: [2; 2], padding: [0; 2], ceil_mode: true });
        let x = halve(self.conv1.run(pass, x));
        let x = halve(self.conv3.run(pass, self.conv2.run(pass, x)));
        let x = self.inception3a.run(pass, x);
        let x = halve(self.inception3b.run(pass, x));
        let x = self.inception4a.run(pass, x);
        let first = x.clone();
        let x = self.inception4b.run(pass, x);
        let x = self.inception4c.run(pass, x);
        let x = self.inception4d.run(pass, x);
        let second = x.clone();
        let x = self.inception4e.run(pass, x);
        let x = pass.max_pool(x, Pool { ceil_mode: true, ..Pool::square(2) });
        let x = self.inception5a.run(pass, x);
        let x = self.inception5b.run(pass, x);
        let x = pass.dropout(pass.flatten(pass.adaptive_avg_pool(x, 1)), 0.2);
        let mut logits = Logits::from(pass.linear(x, &self.fc, false));
        if pass.is_training() {
            let heads = [(&self.aux1, first), (&self.aux2, second)];
            let heads = heads.into_iter().filter_map(|(head, x)| head.as_ref().map(|head| head.run(pass, x)));
            logits.auxiliary = heads.map(|row| (row, Self::AUXILIARY)).collect();
        }
        logits
    }
}

/// Four branches side by side: 1x1; 1x1 and 3x3; the same, narrower; pooling and 1x1.
#[derive(Module, Debug)]
pub struct Inception<B: BurnBackend> {
    pub branch1: BasicConv<B>,
    pub branch2: Vec<Layer<B>>,
    pub branch3: Vec<Layer<B>>,
    /// Max-pooling, 1x1.
    pub branch4: Vec<Layer<B>>,
}

impl<B: BurnBackend> Inception<B> {
    /// `[1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection]`, as in the paper's table.
    fn new(from: usize, widths: [usize; 6], device: &B::Device) -> Self {
        let [one, reduce3, three, reduce5, five, pool] = widths;
        let basic = |from, to, kernel| Layer::Basic(conv([from, to], kernel).same().basic(INITIALIZER, device));
        let keep = Pool { kernel: [3; 2], stride: [1; 2], padding: [1; 2], ceil_mode: true };
        Self {
            branch1: conv([from, one], 1).basic(INITIALIZER, device),
            branch2: vec![basic(from, reduce3, 1), basic(reduce3, three, 3)],
            branch3: vec![basic(from, reduce5, 1), basic(reduce5, five, 3)],
            branch4: vec![Layer::max_pool(keep), basic(from, pool, 1)],
        }
    }

    fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> P::Image {
        let mut branches = vec![self.branch1.run(pass, x.clone())];
        for branch in [&self.branch2, &self.branch3, &self.branch4] {
            branches.push(run_images(branch, pass, x.clone()));
        }
        pass.concat(branches)
    }
}

/// A classifier from the middle of the network: what it learns reaches the early layers.
#[derive(Module, Debug)]
pub struct AuxiliaryHead<B: BurnBackend> {
    pub conv: BasicConv<B>,
    /// 4x4 pixels to features.
    pub fc1: Linear<B>,
    /// Features to classes.
    pub fc2: Linear<B>,
}

impl<B: BurnBackend> AuxiliaryHead<B> {
    fn new(from: usize, classes: usize, device: &B::Device) -> Self {
        Self {
            conv: conv([from, 128], 1).basic(INITIALIZER, device),
            fc1: linear([2048, 1024], 0.01, device),
            fc2: linear([1024, classes], 0.01, device),
        }
    }

    fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> P::Row {
        let x = self.conv.run(pass, pass.adaptive_avg_pool(x, 4));
        let x = pass.linear(pass.flatten(x), &self.fc1, true);
        pass.linear(pass.dropout(x, 0.7), &self.fc2, false)
    }
}
