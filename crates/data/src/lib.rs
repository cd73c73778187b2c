//! From image files and datasets to a network's input: decoding, preprocessing, augmentation, and the batch loader.
//!
//! ```text
//! dataset ─► ImageSet ──────────────► Loader ─► batches [N, C, H, W] f32      (training, evaluation)
//! image file ─► Picture ─► Preprocess ─► [C, H, W] u8 ─► the same normalisation (inference)
//! ```
//!
//! This crate knows nothing of networks. The feature `images` decodes picture files, `download` fetches datasets.

pub mod augment;
mod batch;
pub mod dataset;
pub mod digit;
pub mod download;
mod error;
mod loader;
mod open;
pub mod picture;
pub mod preprocess;
mod random;

pub use augment::Augment;
pub use batch::{Mix, PlainBatch};
pub use dataset::{ImageSet, LabelledImage, LoadOptions, Splits, is_named, validation_count};
pub use download::cache_dir;
pub use error::DataError;
pub use loader::{Batches, Loader, LoaderConfig};
pub use open::open;
pub use picture::Picture;
pub use preprocess::{Normaliser, Preprocess};
