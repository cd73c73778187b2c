//! The backend and device that a program runs on, chosen by name at run time.

use std::fmt;
use std::str::FromStr;

use crate::NdArray;
use crate::operations::Backend;

/// A backend's name, compiled in or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendName {
    /// The CPU, through ndarray.
    NdArray,
    /// The CPU, through Burn's flex.
    Flex,
    /// A GPU, through the platform's usual graphics API.
    Wgpu,
    /// A GPU, through Vulkan and SPIR-V.
    Vulkan,
    /// A GPU, through Metal.
    Metal,
}

impl BackendName {
    /// Every name, in the order in which they are listed.
    pub const ALL: [Self; 5] = [Self::NdArray, Self::Flex, Self::Wgpu, Self::Vulkan, Self::Metal];

    /// The name as users type it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NdArray => "ndarray",
            Self::Flex => "flex",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
        }
    }

    /// Whether this build has it.
    pub fn is_compiled(self) -> bool {
        match self {
            Self::NdArray => true,
            Self::Flex => cfg!(feature = "flex"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Metal => cfg!(feature = "metal"),
        }
    }

    /// Whether it runs on the CPU: results are then the same from run to run, bit for bit.
    pub fn is_cpu(self) -> bool {
        matches!(self, Self::NdArray | Self::Flex)
    }

    /// The one that runs if none is named: the GPU if this build has it, else ndarray.
    pub fn default_of_build() -> Self {
        [Self::Metal, Self::Vulkan, Self::Wgpu].into_iter().find(|name| name.is_compiled()).unwrap_or(Self::NdArray)
    }
}

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for BackendName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|name| name.as_str()).collect();
            format!("unknown backend, choose one of {}", names.join(", "))
        })
    }
}

/// Which device of a backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The best one: discrete GPU before integrated, hardware before software.
    #[default]
    Auto,
    /// A place in the list that `infer doctor` prints.
    Index(usize),
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Index(index) => write!(f, "{index}"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => text.parse().map(Self::Index).map_err(|_| "expected `auto` or a number".to_owned()),
        }
    }
}

/// A device as a person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// The device's own name.
    pub name: String,
    /// CPU, discrete GPU, integrated GPU, virtual GPU, software.
    pub kind: String,
    /// The driver and its version, if known.
    pub driver: String,
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.name, self.kind)?;
        if !self.driver.is_empty() {
            write!(f, ", {}", self.driver)?;
        }
        f.write_str(")")
    }
}

/// Why a backend or device cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// A backend that exists, but not in this build.
    #[error("this build has no {backend} backend: rebuild with `--features {backend}`, or use `--backend ndarray`")]
    NotCompiled {
        /// The backend asked for.
        backend: BackendName,
    },
    /// The backend found no adapter at all.
    #[error("no {backend} adapter found: install a GPU driver, or run on the CPU with `--backend ndarray`")]
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
    fn names_and_devices_are_read_back_as_they_print() {
        for name in BackendName::ALL {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        for device in [DeviceChoice::Auto, DeviceChoice::Index(3)] {
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        assert!("tpu".parse::<BackendName>().unwrap_err().contains("ndarray, flex, wgpu"));
    }

    #[test]
    fn a_device_that_is_not_there_is_refused_with_the_list() {
        let error = Target::find(BackendName::NdArray, DeviceChoice::Index(7)).unwrap_err();
        assert!(error.to_string().starts_with("ndarray has no device 7; there is: 0 CPU"), "{error}");
    }

    #[cfg(not(feature = "wgpu"))]
    #[test]
    fn a_backend_left_out_of_the_build_names_its_feature() {
        let error = Target::find(BackendName::Wgpu, DeviceChoice::Auto).unwrap_err();
        assert!(error.to_string().contains("--features wgpu"), "{error}");
    }
}
