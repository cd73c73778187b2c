//! Kiln's own [`Backend`] trait, and the choice of backend and device at run time.
//!
//! A network's `forward` asks for [`Backend`]: Burn's backend plus the operations that Kiln wants to be fast
//! (convolution, normalisation, pooling, their fused forms and a few more). Each is computed by Kiln's kernels where the
//! backend's tensors lie in the CPU's memory, and by Burn's own operations otherwise, so every Burn backend has them. [`Training`] adds the
//! gradients: its backward steps call the inner backend's operations, so an override serves training as well.
//!
//! This is the only crate that names a concrete backend. Everything else is generic and reaches one through
//! [`Target::run`].

mod autodiff;
mod compiled;
mod composed;
mod device;
#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "wgpu")]
mod gpu;
mod host;
mod kernels;
mod memory;
mod ndarray;
mod operations;
mod shapes;
mod target;
mod tensors;
mod threads;
mod types;

pub use compiled::{Reference, Training};
pub use device::{Adapter, BackendName, DeviceChoice};
pub use host::HostMemory;
pub use memory::keep_memory;
pub use ndarray::NdArray;
pub use operations::Backend;
pub use shapes::{ShapeError, conv2d_output, pool2d_output};
pub use target::{Program, Target, TargetError};
pub use tensors::{
    BatchNormed, avg_pool2d, batch_norm, channel_affine, concat, conv_affine, conv_block, conv2d, cross_entropy,
    linear, max_pool2d, relative_difference,
};
pub use threads::{ThreadError, use_threads};
pub use types::{
    ConvBlock, ConvBlockActivations, ConvBlockGradients, CrossEntropy, Needs, NormActivations, NormGradients,
    NormOptions, Pool, SavedConvBlock, SavedNorm,
};

/// What convolution options mean is Burn's: stride, padding, dilation as `[height, width]`, and groups.
pub use burn::tensor::ops::ConvOptions;
