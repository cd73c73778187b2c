//! The element types of storages and tensors, and their conversion to `f32`.

use half::{bf16, f16};

use crate::strided::StridedView;

/// The type of a storage's or a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    /// `torch.float16`.
    Float16,
    /// `torch.bfloat16`.
    BFloat16,
    /// `torch.float32`.
    Float32,
    /// `torch.float64`.
    Float64,
    /// Integers or booleans of this many bytes. They are never weights, so their kind does not matter.
    Integer(u8),
    /// A type that cannot be read: its name and its size, which is needed to skip it.
    Unsupported(&'static str, u8),
}

impl Element {
    /// The element type of one of torch's storage classes.
    pub fn of_storage(module: &str, class: &str) -> Option<Self> {
        Some(match (module, class) {
            ("torch", "HalfStorage") => Self::Float16,
            ("torch", "BFloat16Storage") => Self::BFloat16,
            ("torch", "FloatStorage") => Self::Float32,
            ("torch", "DoubleStorage") => Self::Float64,
            ("torch", "LongStorage") => Self::Integer(8),
            ("torch", "IntStorage") => Self::Integer(4),
            ("torch", "ShortStorage") => Self::Integer(2),
            ("torch", "CharStorage" | "ByteStorage" | "BoolStorage") => Self::Integer(1),
            // Counted in bytes; its tensors state their own element type.
            ("torch.storage", "UntypedStorage") => Self::Integer(1),
            ("torch", "ComplexFloatStorage") => Self::Unsupported("complex64", 8),
            ("torch", "ComplexDoubleStorage") => Self::Unsupported("complex128", 16),
            ("torch", "QInt8Storage") => Self::Unsupported("qint8", 1),
            ("torch", "QUInt8Storage") => Self::Unsupported("quint8", 1),
            ("torch", "QInt32Storage") => Self::Unsupported("qint32", 4),
            _ => return None,
        })
    }

    /// The element type called `torch.<name>`.
    pub fn of_dtype(name: &str) -> Option<Self> {
        Some(match name {
            "float16" => Self::Float16,
            "bfloat16" => Self::BFloat16,
            "float32" => Self::Float32,
            "float64" => Self::Float64,
            "int64" | "uint64" => Self::Integer(8),
            "int32" | "uint32" => Self::Integer(4),
            "int16" | "uint16" => Self::Integer(2),
            "int8" | "uint8" | "bool" => Self::Integer(1),
            _ => return None,
        })
    }

    /// The size of one element in bytes.
    pub fn size(self) -> u8 {
        match self {
            Self::Float16 | Self::BFloat16 => 2,
            Self::Float32 => 4,
            Self::Float64 => 8,
            Self::Integer(size) | Self::Unsupported(_, size) => size,
        }
    }

    /// Appends the elements that `view` selects from the storage `bytes` to `values`; none unless they are floats.
    pub fn gather(self, view: &StridedView, bytes: &[u8], values: &mut Vec<f32>) {
        match self {
            Self::Float16 => view.gather(bytes, |bits| f16::from_le_bytes(bits).to_f32(), values),
            Self::BFloat16 => view.gather(bytes, |bits| bf16::from_le_bytes(bits).to_f32(), values),
            Self::Float32 => view.gather(bytes, f32::from_le_bytes, values),
            Self::Float64 => view.gather(bytes, |bits| f64::from_le_bytes(bits) as f32, values),
            Self::Integer(_) | Self::Unsupported(..) => {}
        }
    }
}
