//! How weights are loaded, where the file alone does not decide.

use std::path::{Path, PathBuf};

use kiln_backend::{BackendName, DeviceChoice, Target};
use kiln_data::Preprocess;
use kiln_model::Architecture;
use kiln_model::weights::{Fault, Foreign, Weights, WeightsError};

use crate::classifier::Classifier;
use crate::error::Error;

/// The weights file that comes with this crate: ResNet-8, which reads digits.
pub static DIGITS: &[u8] = include_bytes!("../../../assets/models/resnet8-mnist.safetensors");

impl Classifier {
    /// Loads a weights file, or the best weights of a training run's folder, and computes on the CPU.
    ///
    /// # Errors
    /// If the weights are missing or damaged, or do not say which network they are of; [`Classifier::options`] can say it.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::options().load(path)
    }

    /// The network that comes with this crate, on the CPU: a ResNet of eight layers that reads digits.
    ///
    /// # Errors
    /// None that a build which passed its tests can have.
    pub fn digits() -> Result<Self, Error> {
        Self::options().digits()
    }

    /// Loads with a choice of backend, or weights that do not describe themselves.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), kiln::Error> {
    /// use kiln::{Architecture, BackendName, Classifier};
    ///
    /// let digits = Classifier::options().backend(BackendName::Wgpu).load("digits.safetensors")?;
    /// let resnet = Classifier::options().architecture(Architecture::ResNet(18)).load("resnet18.pth")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn options() -> ClassifierOptions {
        ClassifierOptions::new()
    }
}

/// How weights are loaded: [`Classifier::options`].
#[derive(Clone, Debug)]
pub struct ClassifierOptions {
    backend: BackendName,
    device: DeviceChoice,
    architecture: Option<Architecture>,
    classes: Option<Vec<String>>,
    preprocess: Option<Preprocess>,
    averages: bool,
}

impl ClassifierOptions {
    fn new() -> Self {
        Self {
            backend: BackendName::NdArray,
            device: DeviceChoice::Auto,
            architecture: None,
            classes: None,
            preprocess: None,
            averages: true,
        }
    }

    /// Computes on this backend, which the cargo features of this crate compile in; without it, on the CPU.
    #[must_use]
    pub fn backend(self, backend: BackendName) -> Self {
        Self { backend, ..self }
    }

    /// Computes on the device of this place in [`Target::all`]; without it, on the best one.
    #[must_use]
    pub fn device(self, index: usize) -> Self {
        Self { device: DeviceChoice::Index(index), ..self }
    }

    /// Reads a file that Kiln did not write (`.pth`, `.pt`, `.safetensors`) as weights of this network.
    #[must_use]
    pub fn architecture(self, architecture: Architecture) -> Self {
        Self { architecture: Some(architecture), ..self }
    }

    /// Names the classes of such a file; without it they are ImageNet's thousand, or the ten digits.
    #[must_use]
    pub fn classes<Name: Into<String>>(self, classes: impl IntoIterator<Item = Name>) -> Self {
        Self { classes: Some(classes.into_iter().map(Into::into).collect()), ..self }
    }

    /// Says how such a file's network wants pictures; without it, as torchvision's weights of this network do.
    #[must_use]
    pub fn preprocess(self, preprocess: Preprocess) -> Self {
        Self { preprocess: Some(preprocess), ..self }
    }

    /// Takes such a file's last weights, even where it has their moving average (EMA) too.
    #[must_use]
    pub fn without_averages(self) -> Self {
        Self { averages: false, ..self }
    }

    /// Loads a weights file, or the best weights of a training run's folder.
    ///
    /// # Errors
    /// If the weights are missing, damaged or do not fit, or the device is not there.
    pub fn load(self, path: impl AsRef<Path>) -> Result<Classifier, Error> {
        let path = self.file(path.as_ref());
        self.check()?;
        let weights = match self.architecture {
            Some(architecture) => {
                let preprocess = self.preprocess.clone().unwrap_or_else(|| architecture.preprocess());
                let (classes, averages) = (self.classes.clone(), self.averages);
                Weights::read_foreign(&path, Foreign { architecture, classes, preprocess, averages })?
            }
            None => Weights::read(&path)?,
        };
        self.place(weights)
    }

    /// Loads the bytes of a weights file that Kiln wrote, such as one that is compiled into the program.
    ///
    /// # Errors
    /// As [`load`](Self::load); if an architecture was named, which such a file does itself.
    pub fn load_bytes(self, bytes: &[u8]) -> Result<Classifier, Error> {
        self.check()?;
        if self.architecture.is_some() {
            let path = PathBuf::from("weights in memory");
            return Err(WeightsError { path, fault: Fault::Kiln }.into());
        }
        self.place(Weights::from_bytes(bytes, Path::new("weights in memory"))?)
    }

    /// Loads the network that comes with this crate: a ResNet of eight layers that reads digits.
    ///
    /// # Errors
    /// If the device is not there.
    pub fn digits(self) -> Result<Classifier, Error> {
        self.load_bytes(DIGITS)
    }

    /// Weights that were read already.
    ///
    /// # Errors
    /// If they are not those of their architecture, or the device is not there.
    pub fn place(self, weights: Weights) -> Result<Classifier, Error> {
        Ok(Classifier::on(&Target::find(self.backend, self.device)?, weights)?)
    }

    /// Whether the architecture exists, and the options that need one have it.
    fn check(&self) -> Result<(), Error> {
        let needing = [("classes", self.classes.is_some()), ("preprocess", self.preprocess.is_some())];
        let needing = needing.into_iter().chain([("without_averages", !self.averages)]);
        match self.architecture {
            Some(architecture) if !Architecture::all().any(|known| known == architecture) => {
                Err(Error::Architecture(architecture))
            }
            Some(_) => Ok(()),
            None => needing
                .filter(|(_, given)| *given)
                .map(|(option, _)| Err(Error::Option { option }))
                .next()
                .unwrap_or(Ok(())),
        }
    }

    /// A run's folder stands for its best weights.
    fn file(&self, path: &Path) -> PathBuf {
        if path.is_dir() { path.join("best.safetensors") } else { path.to_owned() }
    }
}
