//! The registry: every architecture by name.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use burn::tensor::backend::Backend as BurnBackend;
use kiln_backend::Reference;
use kiln_data::Preprocess;

use crate::graph::Graph;
use crate::network::Network;
use crate::parameters::{load_state_dict, state_dict};
use crate::summary::Summary;
use crate::weights::pretrained::{Pretrained, pretrained};
use crate::zoo::{
    DenseNetConfig, GoogLeNetConfig, InceptionV3Config, LectureCnnConfig, MlpConfig, ResNet8Config, ResNetConfig,
    VggConfig,
};

/// A kind of network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// [`crate::LectureCnn`].
    LectureCnn,
    /// [`crate::Mlp`].
    Mlp,
    /// [`crate::ResNet8`].
    ResNet8,
    /// [`crate::Vgg`].
    Vgg {
        /// Layers with weights.
        depth: usize,
        /// Whether each convolution is normalised.
        batch_norm: bool,
    },
    /// [`crate::ResNet`] with so many layers.
    ResNet(usize),
    /// [`crate::GoogLeNet`].
    GoogLeNet,
    /// [`crate::InceptionV3`].
    InceptionV3,
    /// [`crate::DenseNet`] with so many layers.
    DenseNet(usize),
}

/// What a network is made for, besides its architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Number of classes.
    pub classes: usize,
    /// Channels of the images.
    pub channels: usize,
    /// Whether it has its auxiliary heads, if the architecture has some: only training uses them.
    pub auxiliary: bool,
}

const fn vgg(depth: usize, batch_norm: bool) -> Architecture {
    Architecture::Vgg { depth, batch_norm }
}

/// Names are torchvision's where it has the network.
const NAMES: [(Architecture, &str); 22] = [
    (Architecture::LectureCnn, "lecture-cnn"),
    (Architecture::Mlp, "mlp"),
    (Architecture::ResNet8, "resnet8"),
    (vgg(11, false), "vgg11"),
    (vgg(11, true), "vgg11_bn"),
    (vgg(13, false), "vgg13"),
    (vgg(13, true), "vgg13_bn"),
    (vgg(16, false), "vgg16"),
    (vgg(16, true), "vgg16_bn"),
    (vgg(19, false), "vgg19"),
    (vgg(19, true), "vgg19_bn"),
    (Architecture::ResNet(18), "resnet18"),
    (Architecture::ResNet(34), "resnet34"),
    (Architecture::ResNet(50), "resnet50"),
    (Architecture::ResNet(101), "resnet101"),
    (Architecture::ResNet(152), "resnet152"),
    (Architecture::GoogLeNet, "googlenet"),
    (Architecture::InceptionV3, "inception_v3"),
    (Architecture::DenseNet(121), "densenet121"),
    (Architecture::DenseNet(161), "densenet161"),
    (Architecture::DenseNet(169), "densenet169"),
    (Architecture::DenseNet(201), "densenet201"),
];

impl Architecture {
    /// Every architecture.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|&(architecture, _)| architecture)
    }

    /// The lecture's own, which read digits.
    pub const LECTURE: [Self; 2] = [Self::LectureCnn, Self::Mlp];

    /// The name as users type it and weights files have it.
    ///
    /// # Panics
    /// If there is no network of the depth.
    pub fn name(self) -> &'static str {
        let found = NAMES.iter().find(|(architecture, _)| *architecture == self);
        found.map_or_else(|| panic!("no such network: {self:?}"), |(_, name)| name)
    }

    /// One line on what it is.
    pub fn about(self) -> &'static str {
        match self {
            Self::LectureCnn => "the lecture's convolutional network",
            Self::Mlp => "the lecture's fully connected network",
            Self::ResNet8 => "blocks with shortcuts, for small pictures",
            Self::Vgg { batch_norm: false, .. } => "convolutions 3x3 alone (2014)",
            Self::Vgg { batch_norm: true, .. } => "the same with batch normalisation",
            Self::ResNet(_) => "blocks with shortcuts (2015)",
            Self::GoogLeNet => "modules of four branches (2014)",
            Self::InceptionV3 => "modules of split kernels (2015)",
            Self::DenseNet(_) => "layers that see all before them (2016)",
        }
    }

    /// What it is usually made for: its own images, without auxiliary heads.
    pub fn sizes(self, classes: usize) -> Sizes {
        Sizes { classes, channels: self.input()[0], auxiliary: false }
    }

    /// Layers, shapes, parameters and multiply-adds of the network without auxiliary heads.
    pub fn summary(self, classes: usize) -> Summary {
        Summary::of(&self.graph(&self.sizes(classes), self.input()))
    }

    /// What its network does with images `[C, H, W]`. No weights are made.
    ///
    /// # Panics
    /// If it does not [take](Self::takes) such images.
    pub fn graph(self, sizes: &Sizes, input: [usize; 3]) -> Graph {
        Graph::of(&self.init::<Reference>(sizes, &Default::default()), input)
    }

    /// Shape of the images that it is usually given: `[C, H, W]`.
    pub fn input(self) -> [usize; 3] {
        match self {
            Self::LectureCnn | Self::Mlp | Self::ResNet8 => [1, 28, 28],
            Self::InceptionV3 => [3, 299, 299],
            _ => [3, 224, 224],
        }
    }

    /// Whether it can be made for images of this shape `[C, H, W]`.
    pub fn takes(self, shape: [usize; 3]) -> bool {
        let [channels, height, width] = shape;
        match self {
            Self::LectureCnn | Self::Mlp => shape == self.input(),
            _ => channels > 0 && height.min(width) >= self.smallest_side(),
        }
    }

    /// What images it [takes](Self::takes), in words.
    pub fn takes_in_words(self) -> String {
        match self {
            Self::LectureCnn | Self::Mlp => format!("of {:?}", self.input()),
            _ => format!("of at least {} pixels a side", self.smallest_side()),
        }
    }

    /// Height and width of the smallest images that it takes.
    pub fn smallest_side(self) -> usize {
        match self {
            Self::LectureCnn | Self::Mlp => 28,
            Self::Vgg { .. } => 32,
            Self::ResNet8 => 2,
            Self::ResNet(_) => 8,
            Self::GoogLeNet => 31,
            Self::InceptionV3 => 75,
            Self::DenseNet(_) => 29,
        }
    }

    /// The weight of the layer that gives the classes, `[classes, features]`.
    pub fn head(self) -> &'static str {
        match self {
            Self::LectureCnn | Self::ResNet8 | Self::ResNet(_) | Self::GoogLeNet | Self::InceptionV3 => "fc.weight",
            Self::Mlp => "fc5.weight",
            Self::Vgg { .. } => "classifier.6.weight",
            Self::DenseNet(_) => "classifier.weight",
        }
    }

    /// Whether it has auxiliary heads for training.
    pub fn has_auxiliary(self) -> bool {
        matches!(self, Self::GoogLeNet | Self::InceptionV3)
    }

    /// The weights that torchvision publishes for it.
    pub fn pretrained(self) -> Option<Pretrained> {
        pretrained(self.name())
    }

    /// The preprocessing that it is usually trained with.
    pub fn preprocess(self) -> Preprocess {
        let [_, height, width] = self.input();
        let Some(pretrained) = self.pretrained() else { return Preprocess::mnist() };
        let mut preprocess = Preprocess::imagenet(height, width, pretrained.resize_to);
        if self.has_auxiliary() {
            // As their first weights were trained; torchvision brings its images there by `transform_input`.
            (preprocess.mean, preprocess.std) = (vec![0.5; 3], vec![0.5; 3]);
        }
        preprocess
    }

    /// A network with random weights from the backend's own generator.
    pub fn init<B: BurnBackend>(self, sizes: &Sizes, device: &B::Device) -> Network<B> {
        let &Sizes { classes, channels, auxiliary } = sizes;
        match self {
            Self::LectureCnn => Network::LectureCnn(LectureCnnConfig { classes }.init(device)),
            Self::Mlp => Network::Mlp(MlpConfig { classes }.init(device)),
            Self::ResNet8 => Network::ResNet8(ResNet8Config { channels, classes }.init(device)),
            Self::Vgg { depth, batch_norm } => {
                Network::Vgg(VggConfig { depth, batch_norm, channels, classes }.init(device))
            }
            Self::ResNet(depth) => Network::ResNet(ResNetConfig { depth, channels, classes }.init(device)),
            Self::GoogLeNet => Network::GoogLeNet(GoogLeNetConfig { channels, classes, auxiliary }.init(device)),
            Self::InceptionV3 => Network::InceptionV3(InceptionV3Config { channels, classes, auxiliary }.init(device)),
            Self::DenseNet(depth) => Network::DenseNet(DenseNetConfig { depth, channels, classes }.init(device)),
        }
    }

    /// A network whose random weights depend on `seed` alone: the same numbers on every backend.
    pub fn seeded<B: BurnBackend>(self, sizes: &Sizes, seed: u64, device: &B::Device) -> Network<B> {
        // The generator belongs to the whole process, so one network at a time.
        static GENERATOR: Mutex<()> = Mutex::new(());
        let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        let cpu = Default::default();
        Reference::seed(&cpu, seed);
        let tensors = state_dict(&self.init::<Reference>(sizes, &cpu));
        let network = self.init::<B>(sizes, device);
        load_state_dict(network, tensors).unwrap_or_else(|error| unreachable!("the same architecture: {error}"))
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Architecture {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        NAMES.iter().find(|(_, name)| *name == text).map(|&(architecture, _)| architecture).ok_or_else(|| {
            let names: Vec<_> = NAMES.iter().map(|(_, name)| *name).collect();
            format!("unknown model `{text}`, choose one of {}", names.join(", "))
        })
    }
}
