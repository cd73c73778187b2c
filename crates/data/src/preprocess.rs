//! From a picture of any size to the numbers that a network expects, described by data.
//!
//! A [`Preprocess`] is written into every weights file and read back, so inference cannot disagree with training:
//!
//! ```text
//! Picture [c, h, w] u8  --Preprocess::pixels-->  [C, H, W] u8  --normalise_into-->  [C, H, W] f32
//! ```
//!
//! Between the two steps the training loader augments. The second step is torchvision's `ToTensor` and `Normalize`, to
//! the bit.

mod description;
mod fit;
mod normaliser;
mod validate;

pub use crate::picture::resample::Filter;
pub use description::{MAX_SIDE, Polarity, Preprocess, Resize, ResizeMode};
pub use fit::Fitted;
pub use normaliser::Normaliser;
pub use validate::PreprocessError;
