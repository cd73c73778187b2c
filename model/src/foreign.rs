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

/// Whether a file is one of PyTorch's own: a zip archive, or a pickle of protocol 2 or later.
pub(crate) fn is_pth(bytes: &[u8]) -> bool {
    // The length of a safetensors file's header, with which it begins, may look like either.
    let is_safetensors = bytes.get(4..9) == Some(b"\0\0\0\0{");
    !is_safetensors && (bytes.starts_with(b"PK") || bytes.starts_with(&[0x80]))
}

/// The tensors of a file, whichever of the two kinds it is.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<NamedTensor>, Fault> {
    if is_pth(bytes) {
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

/// The names as the architecture has them now: torchvision's first DenseNet files have `norm.1` for `norm1`, and a network
/// that was saved inside a wrapper of PyTorch's has the wrapper's name before each.
pub(crate) fn rename(architecture: Architecture, tensors: &mut [NamedTensor]) {
    // DistributedDataParallel and torch.compile, in either order.
    for wrapper in ["_orig_mod.", "module.", "_orig_mod."] {
        if tensors.iter().all(|tensor| tensor.name.starts_with(wrapper)) {
            tensors.iter_mut().for_each(|tensor| tensor.name.replace_range(..wrapper.len(), ""));
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(architecture: Architecture, names: &[&str]) -> Vec<String> {
        let tensor = |name: &&str| NamedTensor { name: (*name).to_owned(), shape: vec![0], values: Vec::new() };
        let mut tensors: Vec<_> = names.iter().map(tensor).collect();
        rename(architecture, &mut tensors);
        tensors.into_iter().map(|tensor| tensor.name).collect()
    }

    #[test]
    fn names_are_those_of_the_network_alone() {
        let plain = ["conv1.weight", "layer1.0.bn1.bias", "fc.weight"];
        let within = |wrapper: &str| {
            renamed(
                Architecture::ResNet(18),
                &plain.map(|name| format!("{wrapper}{name}")).each_ref().map(String::as_str),
            )
        };
        for wrapper in ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."] {
            assert_eq!(within(wrapper), plain, "{wrapper}");
        }
        let mixed = ["module.conv1.weight", "fc.weight"];
        assert_eq!(renamed(Architecture::ResNet(18), &mixed), mixed);
    }

    #[test]
    fn the_first_files_of_densenet_have_other_names() {
        let first =
            ["features.denseblock1.denselayer1.norm.1.weight", "features.denseblock4.denselayer16.conv.2.weight"];
        let now = ["features.denseblock1.denselayer1.norm1.weight", "features.denseblock4.denselayer16.conv2.weight"];
        assert_eq!(renamed(Architecture::DenseNet(121), &first), now);
        assert_eq!(renamed(Architecture::DenseNet(121), &now), now);
    }
}
