//! Tensors as safetensors files, with one entry of metadata.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::error::Fault;
use crate::parameters::NamedTensor;

/// The metadata entry that says what the tensors are.
const ENTRY: &str = "kiln";

/// A safetensors file of the tensors, as f32, with `json` as its one entry of metadata if there is any. The same tensors and
/// text give the same bytes.
///
/// # Errors
/// If a tensor has another number of values than its shape says.
pub fn encode(tensors: &[NamedTensor], json: Option<String>) -> Result<Vec<u8>, Fault> {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|tensor| tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
    let views = tensors.iter().zip(&bytes).map(|(tensor, bytes)| {
        TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).map(|view| (tensor.name.as_str(), view))
    });
    let views = views.collect::<Result<Vec<_>, _>>()?;
    let metadata = json.map(|json| HashMap::from([(ENTRY.to_owned(), json)]));
    Ok(safetensors::serialize(views, metadata)?)
}

/// The floating-point tensors of a safetensors file, and the text of its `kiln` entry.
///
/// # Errors
/// If it is damaged, or holds tensors of integers.
pub fn decode(bytes: &[u8]) -> Result<(Vec<NamedTensor>, Option<String>), Fault> {
    decode_releasing(bytes, |_| ())
}

/// [`decode`], which calls `release` with the bytes of each tensor once it has copied them.
pub(super) fn decode_releasing(
    bytes: &[u8],
    release: impl Fn(&[u8]),
) -> Result<(Vec<NamedTensor>, Option<String>), Fault> {
    let file = SafeTensors::deserialize(bytes)?;
    // PyTorch's normalisations count their batches.
    let counted = |name: &str| name.ends_with("num_batches_tracked");
    let tensors = file.iter().filter(|(name, _)| !counted(name)).map(|(name, view)| {
        let tensor = read(name, &view);
        release(view.data());
        tensor
    });
    Ok((tensors.collect::<Result<_, _>>()?, entry(bytes)))
}

/// Whether these are the bytes of a safetensors file with Kiln's entry.
pub(super) fn describes_itself(bytes: &[u8]) -> bool {
    entry(bytes).is_some()
}

fn entry(bytes: &[u8]) -> Option<String> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).ok()?;
    metadata.metadata().as_ref()?.get(ENTRY).cloned()
}

fn read(name: &str, view: &TensorView<'_>) -> Result<NamedTensor, Fault> {
    let data = view.data();
    let halves = || data.chunks_exact(2).map(|bytes| [bytes[0], bytes[1]]);
    let values = match view.dtype() {
        Dtype::F32 => {
            data.chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect()
        }
        Dtype::F16 => halves().map(|bytes| half::f16::from_le_bytes(bytes).to_f32()).collect(),
        Dtype::BF16 => halves().map(|bytes| half::bf16::from_le_bytes(bytes).to_f32()).collect(),
        found => return Err(Fault::Dtype { name: name.to_owned(), found }),
    };
    Ok(NamedTensor { name: name.to_owned(), shape: view.shape().to_vec(), values })
}
