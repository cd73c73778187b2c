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

use state_dict::Select;

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
    Ok(read_from(bytes, &WRAPPERS, true)?.unwrap_or_default())
}

/// Reads the averaged weights (EMA) beside those that [`read`] gives: the dict of tensors under `state_dict_ema` (timm) or
/// `model_ema` (torchvision); `None` if there are none.
///
/// # Errors
///
/// As [`read`].
pub fn read_averaged(bytes: &[u8]) -> Result<Option<Vec<StoredTensor>>, PthError> {
    read_from(bytes, &AVERAGES, false)
}

/// The keys under which training scripts keep the state dict, in the order in which they are tried.
const WRAPPERS: [&str; 3] = ["model", "state_dict", "model_ema"];

/// The keys under which they keep averaged weights.
const AVERAGES: [&str; 2] = ["state_dict_ema", "model_ema"];

/// Reads the state dict under one of `keys`, or at the top if that `may_be_bare`.
fn read_from(bytes: &[u8], keys: &[&str], may_be_bare: bool) -> Result<Option<Vec<StoredTensor>>, PthError> {
    let select = Select { keys, may_be_bare };
    if bytes.starts_with(zip::LOCAL_HEADER) { archive::read(bytes, select) } else { legacy::read(bytes, select) }
}
