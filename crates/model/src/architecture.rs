//! The registry: every architecture by name, and any network as one type.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend as BurnBackend};
use kiln_backend::{Backend, Reference};
use kiln_data::Preprocess;

use crate::parameters::{parameters, with_parameters};
use crate::summary::Summary;
use crate::{LectureCnn, LectureCnnConfig, Mlp, MlpConfig};

/// A kind of network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// [`LectureCnn`].
    LectureCnn,
    /// [`Mlp`].
    Mlp,
}

impl Architecture {
    /// Every architecture.
    pub const ALL: [Self; 2] = [Self::LectureCnn, Self::Mlp];

    /// The name as users type it and weights files have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::LectureCnn => "lecture-cnn",
            Self::Mlp => "mlp",
        }
    }

    /// One line on what it is.
    pub fn about(self) -> &'static str {
        match self {
            Self::LectureCnn => "the lecture's convolutional network",
            Self::Mlp => "the lecture's fully connected network",
        }
    }

    /// Layers, shapes, parameters and multiply-adds.
    pub fn summary(self, classes: usize) -> Summary {
        match self {
            Self::LectureCnn => LectureCnnConfig { classes }.walk().finish(),
            Self::Mlp => MlpConfig { classes }.walk().finish(),
        }
    }

    /// Shape of the images that it takes: `[C, H, W]`.
    pub fn input(self) -> [usize; 3] {
        self.summary(1).input
    }

    /// The preprocessing that it is usually trained with.
    pub fn preprocess(self) -> Preprocess {
        match self {
            Self::LectureCnn | Self::Mlp => Preprocess::mnist(),
        }
    }

    /// A network with random weights from the backend's own generator.
    pub fn init<B: BurnBackend>(self, classes: usize, device: &B::Device) -> Network<B> {
        match self {
            Self::LectureCnn => Network::LectureCnn(LectureCnnConfig { classes }.init(device)),
            Self::Mlp => Network::Mlp(MlpConfig { classes }.init(device)),
        }
    }

    /// A network whose random weights depend on `seed` alone: the same numbers on every backend.
    pub fn seeded<B: BurnBackend>(self, classes: usize, seed: u64, device: &B::Device) -> Network<B> {
        // The generator belongs to the whole process, so one network at a time.
        static GENERATOR: Mutex<()> = Mutex::new(());
        let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        let cpu = Default::default();
        Reference::seed(&cpu, seed);
        let tensors = parameters(&self.init::<Reference>(classes, &cpu));
        let network = self.init::<B>(classes, device);
        with_parameters(network, tensors).unwrap_or_else(|error| unreachable!("the same architecture: {error}"))
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
        Self::ALL.into_iter().find(|architecture| architecture.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|architecture| architecture.name()).collect();
            format!("unknown model `{text}`, choose one of {}", names.join(", "))
        })
    }
}

/// Any of the networks.
#[expect(clippy::large_enum_variant, reason = "there is one network in a program, not thousands")]
#[derive(Module, Debug)]
pub enum Network<B: BurnBackend> {
    /// The lecture's convolutional network.
    LectureCnn(LectureCnn<B>),
    /// The lecture's fully connected network.
    Mlp(Mlp<B>),
}

impl<B: BurnBackend> Network<B> {
    /// Which architecture this is.
    pub fn architecture(&self) -> Architecture {
        match self {
            Self::LectureCnn(_) => Architecture::LectureCnn,
            Self::Mlp(_) => Architecture::Mlp,
        }
    }
}

impl<B: Backend> Network<B> {
    /// Images `[N, C, H, W]` to logits `[N, classes]`.
    ///
    /// # Panics
    /// If the images do not have the architecture's [input](Architecture::input) shape.
    pub fn forward(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        match self {
            Self::LectureCnn(network) => network.forward(images),
            Self::Mlp(network) => network.forward(images),
        }
    }
}
