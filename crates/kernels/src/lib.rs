//! Convolution, normalisation, pooling, concatenation and cross-entropy on the CPU, as plain functions over contiguous
//! `f32` slices `[N, C, H, W]`.
//!
//! The core is [`ConvBlock`]: convolution, bias, max-pooling and ReLU as one operation, forward and backward. The
//! algorithm is chosen by shape; the crate's README describes each of them.
//!
//! Results do not depend on the number of threads: work is split by shape alone, and sums are taken in a fixed order.

mod block;
pub mod channels_last;
mod concat;
mod conv;
mod cross_entropy;
mod norm;
mod pack;
mod parallel;
mod pool;
mod relu;
mod scratch;
mod shape;
pub mod simd;
mod transpose;

pub use block::{ConvBlock, Gradients, Needs, Saved};
pub use concat::{concat, split};
pub use cross_entropy::cross_entropy;
pub use norm::{BatchNorm, BatchNormGradients, batch_norm, batch_norm_backward, channel_affine};
pub use pool::{avg_pool2d, avg_pool2d_backward, max_pool2d, max_pool2d_backward, max_pool2d_training};
pub use shape::{Conv2d, MAX_SIZE, Window};
