//! Augmentations are torchvision's, depend on (seed, epoch, index) alone, and stand pictures of any shape.
//!
//! Golden bytes come from torchvision: see `golden/augment.py`.

#[path = "augment/golden.rs"]
mod golden;
#[path = "augment/properties.rs"]
mod properties;
