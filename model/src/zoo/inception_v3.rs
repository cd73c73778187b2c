//! Inception v3: modules whose branches split large kernels into small ones, in one direction after the other.
//!
//! Szegedy et al., *Rethinking the Inception Architecture for Computer Vision*, 2015; names and sizes are those of
//! torchvision's `models/inception.py`.
#![expect(non_snake_case, reason = "names of layers are those in weights files")]

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::backend::Backend as BurnBackend;
use kiln_backend::Pool;

use crate::layers::{BasicConv, ConvShape, Initializer, conv, conv_of, linear};
use crate::pass::{Logits, Pass};

const INITIALIZER: Initializer = Initializer::Normal(0.1);

/// Size of an [`InceptionV3`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InceptionV3Config {
    /// Channels of the images.
    pub channels: usize,
    /// Number of classes.
    pub classes: usize,
    /// Whether it has its auxiliary head, which only training uses.
    pub auxiliary: bool,
}

impl InceptionV3Config {
    /// A network with random weights.
    pub fn init<B: BurnBackend>(&self, device: &B::Device) -> InceptionV3<B> {
        let basic = |shape: ConvShape| shape.basic(INITIALIZER, device);
        InceptionV3 {
            Conv2d_1a_3x3: basic(conv([self.channels, 32], 3).stride(2)),
            Conv2d_2a_3x3: basic(conv([32, 32], 3)),
            Conv2d_2b_3x3: basic(conv([32, 64], 3).same()),
            Conv2d_3b_1x1: basic(conv([64, 80], 1)),
            Conv2d_4a_3x3: basic(conv([80, 192], 3)),
            Mixed_5b: InceptionA::new(192, 32, device),
            Mixed_5c: InceptionA::new(256, 64, device),
            Mixed_5d: InceptionA::new(288, 64, device),
            Mixed_6a: InceptionB::new(288, device),
            Mixed_6b: InceptionC::new(768, 128, device),
            Mixed_6c: InceptionC::new(768, 160, device),
            Mixed_6d: InceptionC::new(768, 160, device),
            Mixed_6e: InceptionC::new(768, 192, device),
            AuxLogits: self.auxiliary.then(|| InceptionAux::new(768, self.classes, device)),
            Mixed_7a: InceptionD::new(768, device),
            Mixed_7b: InceptionE::new(1280, device),
            Mixed_7c: InceptionE::new(2048, device),
            fc: linear([2048, self.classes], 0.1, device),
        }
    }
}

/// Inception v3.
#[derive(Module, Debug)]
pub struct InceptionV3<B: BurnBackend> {
    /// 3x3, half the size.
    pub Conv2d_1a_3x3: BasicConv<B>,
    pub Conv2d_2a_3x3: BasicConv<B>,
    /// 3x3, padded.
    pub Conv2d_2b_3x3: BasicConv<B>,
    pub Conv2d_3b_1x1: BasicConv<B>,
    pub Conv2d_4a_3x3: BasicConv<B>,
    /// First module of 35x35 pixels.
    pub Mixed_5b: InceptionA<B>,
    /// Second one.
    pub Mixed_5c: InceptionA<B>,
    /// Third one.
    pub Mixed_5d: InceptionA<B>,
    /// To 17x17 pixels.
    pub Mixed_6a: InceptionB<B>,
    /// First module of 17x17 pixels.
    pub Mixed_6b: InceptionC<B>,
    /// Second one.
    pub Mixed_6c: InceptionC<B>,
    /// Third one.
    pub Mixed_6d: InceptionC<B>,
    /// Fourth one.
    pub Mixed_6e: InceptionC<B>,
    /// Head behind it.
    pub AuxLogits: Option<InceptionAux<B>>,
    /// To 8x8 pixels.
    pub Mixed_7a: InceptionD<B>,
    /// First module of 8x8 pixels.
    pub Mixed_7b: InceptionE<B>,
    /// Second one.
    pub Mixed_7c: InceptionE<B>,
    /// Features to classes.
    pub fc: Linear<B>,
}

/// Windows of 3x3 that halve the size.
const HALVE: Pool = Pool { kernel: [3; 2], stride: [2; 2], padding: [0; 2], ceil_mode: false };
/// Windows of 3x3 that keep the size.
const KEEP: Pool = Pool { kernel: [3; 2], stride: [1; 2], padding: [1; 2], ceil_mode: false };

impl<B: BurnBackend> InceptionV3<B> {
    /// What the auxiliary head's loss counts, as PyTorch's tutorials have it.
    const AUXILIARY: f64 = 0.4;

    /// Images of at least 75 pixels to logits.
    pub fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> Logits<P::Row> {
        let x = self.Conv2d_1a_3x3.run(pass, x);
        let x = self.Conv2d_2a_3x3.run(pass, x);
        let x = pass.max_pool(self.Conv2d_2b_3x3.run(pass, x), HALVE);
        let x = self.Conv2d_3b_1x1.run(pass, x);
        let x = pass.max_pool(self.Conv2d_4a_3x3.run(pass, x), HALVE);
        let x = self.Mixed_5b.run(pass, x);
        let x = self.Mixed_5c.run(pass, x);
        let x = self.Mixed_5d.run(pass, x);
        let x = self.Mixed_6a.run(pass, x);
        let x = self.Mixed_6b.run(pass, x);
        let x = self.Mixed_6c.run(pass, x);
        let x = self.Mixed_6d.run(pass, x);
        let x = self.Mixed_6e.run(pass, x);
        let middle = x.clone();
        let x = self.Mixed_7a.run(pass, x);
        let x = self.Mixed_7b.run(pass, x);
        let x = self.Mixed_7c.run(pass, x);
        let x = pass.dropout(pass.flatten(pass.adaptive_avg_pool(x, 1)), 0.5);
        let mut logits = Logits::from(pass.linear(x, &self.fc, false));
        if let Some(head) = self.AuxLogits.as_ref().filter(|_| pass.is_training()) {
            logits.auxiliary = vec![(head.run(pass, middle), Self::AUXILIARY)];
        }
        logits
    }
}

/// 1x1, 5x5, two 3x3, and pooling side by side.
#[derive(Module, Debug)]
pub struct InceptionA<B: BurnBackend> {
    pub branch1x1: BasicConv<B>,
    pub branch5x5_1: BasicConv<B>,
    pub branch5x5_2: BasicConv<B>,
    pub branch3x3dbl_1: BasicConv<B>,
    pub branch3x3dbl_2: BasicConv<B>,
    pub branch3x3dbl_3: BasicConv<B>,
    /// 1x1 behind pooling.
    pub branch_pool: BasicConv<B>,
}

impl<B: BurnBackend> InceptionA<B> {
    fn new(from: usize, pool: usize, device: &B::Device) -> Self {
        let basic = |shape: ConvShape| shape.basic(INITIALIZER, device);
        Self {
            branch1x1: basic(conv([from, 64], 1)),
            branch5x5_1: basic(conv([from, 48], 1)),
            branch5x5_2: basic(conv([48, 64], 5).same()),
            branch3x3dbl_1: basic(conv([from, 64], 1)),
            branch3x3dbl_2: basic(conv([64, 96], 3).same()),
            branch3x3dbl_3: basic(conv([96, 96], 3).same()),
            branch_pool: basic(conv([from, pool], 1)),
        }
    }

    fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> P::Image {
        let one = self.branch1x1.run(pass, x.clone());
        let five = self.branch5x5_2.run(pass, self.branch5x5_1.run(pass, x.clone()));
        let double = self.branch3x3dbl_2.run(pass, self.branch3x3dbl_1.run(pass, x.clone()));
        let double = self.branch3x3dbl_3.run(pass, double);
        let pool = self.branch_pool.run(pass, pass.avg_pool(x, KEEP));
        pass.concat(vec![one, five, double, pool])
    }
}

/// 3x3, two 3x3, and pooling side by side, each to half the size.
#[derive(Module, Debug)]
pub struct InceptionB<B: BurnBackend> {
    /// 3x3, half the size.
    pub branch3x3: BasicConv<B>,
    pub branch3x3dbl_1: BasicConv<B>,
    pub branch3x3dbl_2: BasicConv<B>,
    /// 3x3, half the size.
    pub branch3x3dbl_3: BasicConv<B>,
}

impl<B: BurnBackend> InceptionB<B> {
    fn new(from: usize, device: &B::Device) -> Self {
        let basic = |shape: ConvShape| shape.basic(INITIALIZER, device);
        Self {
            branch3x3: basic(conv([from, 384], 3).stride(2)),
            branch3x3dbl_1: basic(conv([from, 64], 1)),
            branch3x3dbl_2: basic(conv([64, 96], 3).same()),
            branch3x3dbl_3: basic(conv([96, 96], 3).stride(2)),
        }
    }

    fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> P::Image {
        let three = self.branch3x3.run(pass, x.clone());
        let double = self.branch3x3dbl_2.run(pass, self.branch3x3dbl_1.run(pass, x.clone()));
        let double = self.branch3x3dbl_3.run(pass, double);
        pass.concat(vec![three, double, pass.max_pool(x, HALVE)])
    }
}

/// 1x1, 7x7 split in two, two of these, and pooling side by side.
#[derive(Module, Debug)]
pub struct InceptionC<B: BurnBackend> {
    pub branch1x1: BasicConv<B>,
    pub branch7x7_1: BasicConv<B>,
    pub branch7x7_2: BasicConv<B>,
    pub branch7x7_3: BasicConv<B>,
    pub branch7x7dbl_1: BasicConv<B>,
    pub branch7x7dbl_2: BasicConv<B>,
    pub branch7x7dbl_3: BasicConv<B>,
    pub branch7x7dbl_4: BasicConv<B>,
    pub branch7x7dbl_5: BasicConv<B>,
    /// 1x1 behind pooling.
    pub branch_pool: BasicConv<B>,
}

impl<B: BurnBackend> InceptionC<B> {
    fn new(from: usize, width: usize, device: &B::Device) -> Self {
        let basic = |shape: ConvShape| shape.basic(INITIALIZER, device);
        Self {
            branch1x1: basic(conv([from, 192], 1)),
            branch7x7_1: basic(conv([from, width], 1)),
            branch7x7_2: basic(conv_of([width, width], [1, 7]).same()),
            branch7x7_3: basic(conv_of([width, 192], [7, 1]).same()),
            branch7x7dbl_1: basic(conv([from, width], 1)),
            branch7x7dbl_2: basic(conv_of([width, width], [7, 1]).same()),
            branch7x7dbl_3: basic(conv_of([width, width], [1, 7]).same()),
            branch7x7dbl_4: basic(conv_of([width, width], [7, 1]).same()),
            branch7x7dbl_5: basic(conv_of([width, 192], [1, 7]).same()),
            branch_pool: basic(conv([from, 192], 1)),
        }
    }

    fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> P::Image {
        let one = self.branch1x1.run(pass, x.clone());
        let seven = self.branch7x7_2.run(pass, self.branch7x7_1.run(pass, x.clone()));
        let seven = self.branch7x7_3.run(pass, seven);
        let double = self.branch7x7dbl_2.run(pass, self.branch7x7dbl_1.run(pass, x.clone()));
        let double = self.branch7x7dbl_4.run(pass, self.branch7x7dbl_3.run(pass, double));
        let double = self.branch7x7dbl_5.run(pass, double);
        let pool = self.branch_pool.run(pass, pass.avg_pool(x, KEEP));
        pass.concat(vec![one, seven, double, pool])
    }
}

/// 3x3, 7x7 split in two with 3x3, and pooling side by side, each to half the size.
#[derive(Module, Debug)]
pub struct InceptionD<B: BurnBackend> {
    pub branch3x3_1: BasicConv<B>,
    /// 3x3, half the size.
    pub branch3x3_2: BasicConv<B>,
    pub branch7x7x3_1: BasicConv<B>,
    pub branch7x7x3_2: BasicConv<B>,
    pub branch7x7x3_3: BasicConv<B>,
    /// 3x3, half the size.
    pub branch7x7x3_4: BasicConv<B>,
}

impl<B: BurnBackend> InceptionD<B> {
    fn new(from: usize, device: &B::Device) -> Self {
        let basic = |shape: ConvShape| shape.basic(INITIALIZER, device);
        Self {
            branch3x3_1: basic(conv([from, 192], 1)),
            branch3x3_2: basic(conv([192, 320], 3).stride(2)),
            branch7x7x3_1: basic(conv([from, 192], 1)),
            branch7x7x3_2: basic(conv_of([192, 192], [1, 7]).same()),
            branch7x7x3_3: basic(conv_of([192, 192], [7, 1]).same()),
            branch7x7x3_4: basic(conv([192, 192], 3).stride(2)),
        }
    }

    fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> P::Image {
        let three = self.branch3x3_2.run(pass, self.branch3x3_1.run(pass, x.clone()));
        let seven = self.branch7x7x3_2.run(pass, self.branch7x7x3_1.run(pass, x.clone()));
        let seven = self.branch7x7x3_4.run(pass, self.branch7x7x3_3.run(pass, seven));
        pass.concat(vec![three, seven, pass.max_pool(x, HALVE)])
    }
}

/// 1x1, 3x3 as 1x3 beside 3x1, the same behind another 3x3, and pooling side by side.
#[derive(Module, Debug)]
pub struct InceptionE<B: BurnBackend> {
    pub branch1x1: BasicConv<B>,
    pub branch3x3_1: BasicConv<B>,
    pub branch3x3_2a: BasicConv<B>,
    pub branch3x3_2b: BasicConv<B>,
    pub branch3x3dbl_1: BasicConv<B>,
    pub branch3x3dbl_2: BasicConv<B>,
    pub branch3x3dbl_3a: BasicConv<B>,
    pub branch3x3dbl_3b: BasicConv<B>,
    /// 1x1 behind pooling.
    pub branch_pool: BasicConv<B>,
}

impl<B: BurnBackend> InceptionE<B> {
    fn new(from: usize, device: &B::Device) -> Self {
        let basic = |shape: ConvShape| shape.basic(INITIALIZER, device);
        Self {
            branch1x1: basic(conv([from, 320], 1)),
            branch3x3_1: basic(conv([from, 384], 1)),
            branch3x3_2a: basic(conv_of([384, 384], [1, 3]).same()),
            branch3x3_2b: basic(conv_of([384, 384], [3, 1]).same()),
            branch3x3dbl_1: basic(conv([from, 448], 1)),
            branch3x3dbl_2: basic(conv([448, 384], 3).same()),
            branch3x3dbl_3a: basic(conv_of([384, 384], [1, 3]).same()),
            branch3x3dbl_3b: basic(conv_of([384, 384], [3, 1]).same()),
            branch_pool: basic(conv([from, 192], 1)),
        }
    }

    fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> P::Image {
        let one = self.branch1x1.run(pass, x.clone());
        let three = self.branch3x3_1.run(pass, x.clone());
        let double = self.branch3x3dbl_2.run(pass, self.branch3x3dbl_1.run(pass, x.clone()));
        pass.concat(vec![
            one,
            self.branch3x3_2a.run(pass, three.clone()),
            self.branch3x3_2b.run(pass, three),
            self.branch3x3dbl_3a.run(pass, double.clone()),
            self.branch3x3dbl_3b.run(pass, double),
            self.branch_pool.run(pass, pass.avg_pool(x, KEEP)),
        ])
    }
}

/// A classifier from the middle of the network; it takes at least 17x17 pixels.
#[derive(Module, Debug)]
pub struct InceptionAux<B: BurnBackend> {
    pub conv0: BasicConv<B>,
    pub conv1: BasicConv<B>,
    /// Features to classes.
    pub fc: Linear<B>,
}

impl<B: BurnBackend> InceptionAux<B> {
    fn new(from: usize, classes: usize, device: &B::Device) -> Self {
        Self {
            conv0: conv([from, 128], 1).basic(INITIALIZER, device),
            conv1: conv([128, 768], 5).basic(Initializer::Normal(0.01), device),
            fc: linear([768, classes], 0.001, device),
        }
    }

    fn run<P: Pass<B>>(&self, pass: &P, x: P::Image) -> P::Row {
        let x = pass.avg_pool(x, Pool { kernel: [5; 2], stride: [3; 2], padding: [0; 2], ceil_mode: false });
        let x = self.conv1.run(pass, self.conv0.run(pass, x));
        pass.linear(pass.flatten(pass.adaptive_avg_pool(x, 1)), &self.fc, false)
    }
}
