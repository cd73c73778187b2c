//! The element types of storages and tensors.

use half::{bf16, f16};

use crate::layout::Layout;

/// What the elements of a storage are.
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
    /// An integer or a boolean of so many bytes. Weights are none of these, so the kind does not matter.
    Integer(u8),
    /// A type that is known only to pass over its bytes.
    Unsupported(&'static str, u8),
}

impl Element {
    /// The element type of a storage class that torch writes.
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
            // Counted in bytes; the tensors on it name their type.
            ("torch.storage", "UntypedStorage") => Self::Integer(1),
            ("torch", "ComplexFloatStorage") => Self::Unsupported("complex64", 8),
            ("torch", "ComplexDoubleStorage") => Self::Unsupported("complex128", 16),
            ("torch", "QInt8Storage") => Self::Unsupported("qint8", 1),
            ("torch", "QUInt8Storage") => Self::Unsupported("quint8", 1),
            ("torch", "QInt32Storage") => Self::Unsupported("qint32", 4),
            _ => return None,
        })
    }

    /// The element type that `torch.<name>` is.
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

    /// How many bytes an element has.
    pub fn size(self) -> u8 {
        match self {
            Self::Float16 | Self::BFloat16 => 2,
            Self::Float32 => 4,
            Self::Float64 => 8,
            Self::Integer(size) | Self::Unsupported(_, size) => size,
        }
    }

    /// Appends the values of a tensor whose storage is `bytes` to `values`; nothing if this is no float.
    pub fn gather(self, layout: &Layout, bytes: &[u8], values: &mut Vec<f32>) {
        match self {
            Self::Float16 => layout.gather(bytes, |bits| f16::from_le_bytes(bits).to_f32(), values),
            Self::BFloat16 => layout.gather(bytes, |bits| bf16::from_le_bytes(bits).to_f32(), values),
            Self::Float32 => layout.gather(bytes, f32::from_le_bytes, values),
            Self::Float64 => layout.gather(bytes, |bits| f64::from_le_bytes(bits) as f32, values),
            Self::Integer(_) | Self::Unsupported(..) => {}
        }
    }
}
