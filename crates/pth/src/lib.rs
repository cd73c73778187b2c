//! Reads the tensors of a PyTorch state-dict file (`.pth`, `.pt`) without running anything in it.
//!
//! Such a file is a Python pickle plus raw numbers, and a pickle is a program. [`read`] runs it on a virtual machine
//! that can build plain values and tensors but nothing else. Any other class or function that the pickle names becomes
//! an opaque object, which is an error only if a tensor of the state dict depends on it.
//!
//! Both containers of `torch.save` are supported: the zip archive (torch 1.6 and later) and the legacy stream that
//! preceded it.

mod archive;
mod construct;
mod cursor;
mod element;
mod error;

mod legacy;
mod literal;
mod object;
mod opcode;
mod pickle;
mod state_dict;
mod storage;
mod strided;

mod zip;

use state_dict::Select;

pub use error::{PickleError, PthError, StorageError, TensorError, ZipError};
pub use state_dict::StoredTensor;

/// Reads the floating-point tensors of the state dict in `bytes`, the contents of a whole file, in their order there.
///
/// The state dict is either the file's top-level dict or the dict of tensors found in it under `model`, `state_dict` or
/// `model_ema`, tried in that order; the rest of such a checkpoint is ignored. Entries that are tensors of integers or
/// booleans (`num_batches_tracked`), plain numbers, strings or `None` are skipped.
///
/// # Errors
///
/// If the file is damaged, hostile, or of a kind that this crate cannot read; see [`PthError`].
pub fn read(bytes: &[u8]) -> Result<Vec<StoredTensor>, PthError> {
    Ok(read_from(bytes, &WRAPPERS, true)?.unwrap_or_default())
}

/// Reads the averaged weights (EMA) that some checkpoints keep beside those that [`read`] returns: the dict of tensors
/// under `state_dict_ema` (timm) or `model_ema` (torchvision). `None` if there is no such dict.
///
/// # Errors
///
/// The same as for [`read`].
pub fn read_averaged(bytes: &[u8]) -> Result<Option<Vec<StoredTensor>>, PthError> {
    read_from(bytes, &AVERAGES, false)
}

/// The keys under which training scripts save the state dict, in the order in which they are tried.
const WRAPPERS: [&str; 3] = ["model", "state_dict", "model_ema"];

/// The keys under which they save averaged weights.
const AVERAGES: [&str; 2] = ["state_dict_ema", "model_ema"];

/// Reads the state dict found under one of `keys` or, if it `may_be_bare`, at the top level.
fn read_from(bytes: &[u8], keys: &[&str], may_be_bare: bool) -> Result<Option<Vec<StoredTensor>>, PthError> {
    let select = Select { keys, may_be_bare };
    if bytes.starts_with(zip::LOCAL_HEADER) { archive::read(bytes, select) } else { legacy::read(bytes, select) }
}
