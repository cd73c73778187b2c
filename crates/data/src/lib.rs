//! Images on their way to a network: datasets, preprocessing, decoding, and the loader of batches.
//!
//! ```text
//! IDX files ─► ImageSet ──────────────► Loader ─► batches [N, C, H, W] f32      (training, evaluation)
//! image file ─► Picture ─► Preprocess ─► [C, H, W] u8 ─► the same normalisation (inference)
//! ```
//!
//! Knows no networks. Picture files are decoded with the feature `images`; datasets are fetched with `download`.

pub mod augment;
mod cifar;
pub mod digit;
pub mod download;
mod error;
mod files;
mod folder;
pub mod idx;
mod images;
mod loader;
mod named;
mod order;
pub mod picture;
pub mod preprocess;
mod resample;

pub use augment::Augment;
pub use download::cache_dir;
pub use error::DataError;
pub use images::{ImageSet, LabelledImage};
pub use loader::{Batches, Loader, LoaderConfig, Mix, PlainBatch};
pub use named::{Source, Splits, is_named};
pub use picture::Picture;
pub use preprocess::{Normaliser, Preprocess};
