//! Reads the tensors of a PyTorch state-dict file (`.pth`, `.pt`) without running anything in it.
//!
//! Such a file is a Python pickle plus raw numbers, and a pickle is a program. [`read`] interprets it with a virtual
//! machine that can build plain values and tensors and nothing else: every other class or function that the pickle
//! names stays an opaque value, and is an error only if a wanted tensor depends on it.
//!
//! Both containers of `torch.save` are read: the zip archive (torch 1.6 and later) and the legacy stream before it.

mod archive;
mod construct;
mod cursor;
mod element;
mod error;
mod layout;
mod legacy;
mod literal;
mod opcode;
mod pickle;
mod state_dict;
mod storage;
mod value;
mod zip;

pub use error::{PickleError, PthError, StorageError, TensorError, ZipError};

/// One tensor of a state dict, in row-major order whatever its strides in the file were.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTensor {
    /// The key in the state dict, such as `layer1.0.conv1.weight`.
    pub name: String,
    /// The sizes, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// The values; 16-bit and 64-bit floats are converted.
    pub values: Vec<f32>,
}

/// Reads the floating-point tensors of the state dict in `bytes`, a whole file, in file order.
///
/// The state dict is the file's top-level dict, or the dict of tensors that is under `model`, `state_dict` or
/// `model_ema` in it (tried in this order); all else in such a checkpoint is ignored. Tensors of integers and booleans
/// (`num_batches_tracked`) and plain numbers, strings and `None` in the state dict are left out.
///
/// # Errors
///
/// If the file is damaged, hostile, or of a kind that this crate does not read; see [`PthError`].
pub fn read(bytes: &[u8]) -> Result<Vec<StoredTensor>, PthError> {
    if bytes.starts_with(zip::LOCAL_HEADER) { archive::read(bytes) } else { legacy::read(bytes) }
}
