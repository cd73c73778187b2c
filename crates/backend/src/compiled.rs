//! The backends that this build has. Two empty `impl`s add one that computes by Burn's operations.

#[cfg(feature = "wgpu")]
use crate::{host::HostMemory, operations::Backend};

/// A backend that records operations for gradients.
pub type Training<B> = burn_autodiff::Autodiff<B>;

/// The backend that others are compared with, and on which random weights are made: the CPU, always compiled in.
pub type Reference = crate::NdArray;

#[cfg(all(feature = "vulkan", feature = "metal"))]
compile_error!("the features `vulkan` and `metal` exclude each other: their shader compilers do");

/// The GPU backend: fusion is off, since Burn 0.21 is known to train wrongly with it on some drivers.
#[cfg(all(feature = "wgpu", not(any(feature = "vulkan", feature = "metal"))))]
pub(crate) type Gpu = burn_wgpu::Wgpu<f32, i32, u32>;
#[cfg(feature = "vulkan")]
pub(crate) type Gpu = burn_wgpu::Vulkan<f32, i32, u8>;
#[cfg(all(feature = "metal", not(feature = "vulkan")))]
pub(crate) type Gpu = burn_wgpu::Metal<f32, i32, u8>;

#[cfg(feature = "wgpu")]
impl<R, F, I, BT> HostMemory for burn_wgpu::CubeBackend<R, F, I, BT>
where
    R: burn_cubecl::CubeRuntime,
    F: burn_cubecl::FloatElement,
    I: burn_cubecl::IntElement,
    BT: burn_cubecl::element::BoolElement,
{
}

#[cfg(feature = "wgpu")]
impl<R, F, I, BT> Backend for burn_wgpu::CubeBackend<R, F, I, BT>
where
    R: burn_cubecl::CubeRuntime,
    F: burn_cubecl::FloatElement,
    I: burn_cubecl::IntElement,
    BT: burn_cubecl::element::BoolElement,
{
}
