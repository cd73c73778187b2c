//! Names of backends and devices.

use std::fmt;
use std::str::FromStr;

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
}
