//! The backend and device that a program runs on, chosen by name at run time.

use crate::NdArray;
use crate::device::{Adapter, BackendName, DeviceChoice};
use crate::operations::Backend;

/// Why a backend or device cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// A backend that exists, but not in this build.
    #[error("this build has no {backend} backend: the cargo feature `{backend}` brings it")]
    NotCompiled {
        /// The backend asked for.
        backend: BackendName,
    },
    /// The backend found no adapter at all.
    #[error("no {backend} adapter found: install a GPU driver")]
    NoAdapter {
        /// The backend asked for.
        backend: BackendName,
    },
    /// A number beyond the list.
    #[error("{backend} has no device {index}; there {}: {list}", if *.count == 1 { "is" } else { "are" })]
    NoDevice {
        /// The backend asked for.
        backend: BackendName,
        /// The number asked for.
        index: usize,
        /// How many devices there are.
        count: usize,
        /// The devices, numbered.
        list: String,
    },
}

/// Work that is written once and runs on any backend.
pub trait Program {
    /// What it gives back.
    type Output;

    /// Does the work on one backend and device.
    fn run<B: Backend>(self, device: B::Device) -> Self::Output;
}

/// A backend of this build, and one of its devices.
#[derive(Clone, Debug)]
pub struct Target {
    backend: BackendName,
    adapter: Adapter,
    #[cfg(feature = "wgpu")]
    gpu: Option<burn_wgpu::WgpuDevice>,
}

impl Target {
    /// Finds the backend and device.
    ///
    /// # Errors
    /// If this build lacks the backend, or there is no such device.
    pub fn find(backend: BackendName, device: DeviceChoice) -> Result<Self, TargetError> {
        if !backend.is_compiled() {
            return Err(TargetError::NotCompiled { backend });
        }
        let mut all = Self::all(backend);
        if all.is_empty() {
            return Err(TargetError::NoAdapter { backend });
        }
        let index = match device {
            DeviceChoice::Auto => 0,
            DeviceChoice::Index(index) => index,
        };
        if index >= all.len() {
            let list: Vec<_> = all.iter().enumerate().map(|(i, target)| format!("{i} {}", target.adapter)).collect();
            return Err(TargetError::NoDevice { backend, index, count: all.len(), list: list.join(", ") });
        }
        Ok(all.swap_remove(index))
    }

    /// Every device of a backend, best first; none if this build lacks the backend.
    pub fn all(backend: BackendName) -> Vec<Self> {
        if !backend.is_compiled() {
            return Vec::new();
        }
        #[cfg(feature = "wgpu")]
        if !backend.is_cpu() {
            let adapters = crate::gpu::adapters(backend).into_iter();
            return adapters.map(|(adapter, device)| Self { backend, adapter, gpu: Some(device) }).collect();
        }
        let adapter =
            Adapter { name: "CPU".to_owned(), kind: std::env::consts::ARCH.to_owned(), driver: String::new() };
        vec![Self {
            backend,
            adapter,
            #[cfg(feature = "wgpu")]
            gpu: None,
        }]
    }

    /// The backend.
    pub fn backend(&self) -> BackendName {
        self.backend
    }

    /// The device.
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// Runs a program here.
    pub fn run<P: Program>(&self, program: P) -> P::Output {
        #[cfg(feature = "wgpu")]
        if let Some(device) = &self.gpu {
            crate::gpu::initialise(self.backend, device);
            return program.run::<crate::compiled::Gpu>(device.clone());
        }
        match self.backend {
            #[cfg(feature = "flex")]
            BackendName::Flex => program.run::<burn_flex::Flex>(Default::default()),
            _ => program.run::<NdArray>(Default::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_is_refused_with_the_list() {
        let error = Target::find(BackendName::NdArray, DeviceChoice::Index(7)).unwrap_err();
        assert!(error.to_string().starts_with("ndarray has no device 7; there is: 0 CPU"), "{error}");
    }

    #[cfg(not(feature = "wgpu"))]
    #[test]
    fn a_backend_left_out_of_the_build_names_its_feature() {
        let error = Target::find(BackendName::Wgpu, DeviceChoice::Auto).unwrap_err();
        assert!(error.to_string().contains("cargo feature `wgpu`"), "{error}");
    }
}
