//! Preprocessing, described by data: from a picture of any size to a network's input.
//!
//! A [`Preprocess`] is written into every weights file and read back, so inference cannot disagree with training:
//!
//! ```text
//! Picture [c, h, w] u8  --Preprocess::pixels-->  [C, H, W] u8  --normalise_into-->  [C, H, W] f32
//! ```
//!
//! In training, augmentation happens between the two steps. The second step equals torchvision's `ToTensor` and
//! `Normalize`, bit for bit.

mod description;
mod fit;
mod normaliser;
mod validate;

pub use crate::picture::resample::Filter;
pub use description::{MAX_SIDE, Polarity, Preprocess, Resize, ResizeMode};
pub use fit::Fitted;
pub use normaliser::Normaliser;
pub use validate::PreprocessError;
