//! Kiln for Rust programs: load weights, classify pictures.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets"))?;
//! let classifier = kiln::Classifier::load("models/resnet8-mnist.safetensors")?;
//! let answer = classifier.classify(&image::open("samples/7.png")?)?;
//! println!("{} {:.1} %", answer.best().name, 100. * answer.best().probability);
//! # assert_eq!(&*answer.best().name, "7");
//! # Ok(())
//! # }
//! ```
//!
//! A weights file names its network, its classes and its preprocessing, so nothing else has to be said. [`Classifier::options`]
//! chooses another backend, or says what a file of PyTorch's leaves out. [`Classifier::classify_batch`] takes many pictures,
//! [`Classifier::logits`] takes tensors.
//!
//! The networks themselves are plain Burn modules, generic over the backend, in [`model`]; `examples/train.rs` trains one.

mod answer;
mod classifier;
mod error;
mod options;

pub use answer::{Answer, Prediction};
pub use classifier::Classifier;
pub use error::Error;
pub use options::{ClassifierOptions, DIGITS};

/// The crate whose [`DynamicImage`](image::DynamicImage) is classified.
pub use image;
pub use kiln_backend::{BackendName, DeviceChoice, Target};
pub use kiln_data::Preprocess;
pub use kiln_model::Architecture;

/// The operations that networks are computed with, on the CPU and on GPUs.
pub use kiln_backend as backend;
/// Datasets, pictures, augmentation and the batch loader.
pub use kiln_data as data;
/// The networks, weights files and metrics.
pub use kiln_model as model;
