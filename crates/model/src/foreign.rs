//! Weights that Kiln did not write: PyTorch's own files and safetensors files, under torchvision's names.

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::weights::Fault;
use crate::{Architecture, NamedTensor};

/// ImageNet's 1,000 classes, as torchvision names them (`torchvision/models/_meta.py` of its 0.29.2 release).
static IMAGENET: &str = include_str!("imagenet.txt");

/// Names of classes where nobody gives any: the ten digits or ImageNet's thousand classes; `None` for other numbers.
pub(crate) fn usual_classes(count: usize) -> Option<Vec<String>> {
    match count {
        10 => Some((0..10).map(|digit| digit.to_string()).collect()),
        1000 => Some(IMAGENET.lines().map(str::to_owned).collect()),
        _ => None,
    }
}

/// The tensors of a file, whichever of the two kinds it is.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<NamedTensor>, Fault> {
    // A zip archive, or a pickle of protocol 2 or later.
    if bytes.starts_with(b"PK") || bytes.starts_with(&[0x80]) {
        let tensors = kiln_pth::read(bytes).map_err(|error| Fault::Pth(error.to_string()))?;
        let tensors = tensors.into_iter().map(|tensor| {
            let kiln_pth::StoredTensor { name, shape, values } = tensor;
            NamedTensor { name, shape, values }
        });
        return Ok(tensors.collect());
    }
    let file = SafeTensors::deserialize(bytes).map_err(|error| Fault::Damaged(error.to_string()))?;
    read_safetensors(&file)
}

/// The floating-point tensors of a safetensors file.
pub(crate) fn read_safetensors(file: &SafeTensors<'_>) -> Result<Vec<NamedTensor>, Fault> {
    let counted = |name: &str| name.ends_with("num_batches_tracked");
    file.iter().filter(|(name, _)| !counted(name)).map(|(name, view)| read_tensor(name, &view)).collect()
}

fn read_tensor(name: &str, view: &TensorView<'_>) -> Result<NamedTensor, Fault> {
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

/// The names as the architecture has them now: torchvision's first DenseNet files have `norm.1` for `norm1`.
pub(crate) fn rename(architecture: Architecture, tensors: &mut [NamedTensor]) {
    if !matches!(architecture, Architecture::DenseNet(_)) {
        return;
    }
    for tensor in tensors.iter_mut().filter(|tensor| tensor.name.contains("denselayer")) {
        for layer in ["norm", "conv"] {
            for number in ["1", "2"] {
                tensor.name = tensor.name.replace(&format!(".{layer}.{number}."), &format!(".{layer}{number}."));
            }
        }
    }
}

/// Whether a tensor belongs to a head that only training uses.
pub(crate) fn is_auxiliary(name: &str) -> bool {
    ["aux1.", "aux2.", "AuxLogits."].iter().any(|head| name.starts_with(head))
}
