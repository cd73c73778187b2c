//! Weights that Kiln did not write: PyTorch's own files and safetensors files, under torchvision's names.

use super::error::Fault;
use super::safetensors::decode_releasing;
use crate::parameters::NamedTensor;
use crate::registry::Architecture;

/// ImageNet's 1,000 classes, as torchvision names them (`torchvision/models/_meta.py` of its 0.29.2 release).
static IMAGENET: &str = include_str!("imagenet.txt");

/// Names of classes where nobody gives any: the ten digits or ImageNet's thousand classes; `None` for other numbers.
pub(super) fn usual_classes(count: usize) -> Option<Vec<String>> {
    match count {
        10 => Some((0..10).map(|digit| digit.to_string()).collect()),
        1000 => Some(IMAGENET.lines().map(str::to_owned).collect()),
        _ => None,
    }
}

/// Whether a file is one of PyTorch's own: a zip archive, or a pickle of protocol 2 or later.
pub(super) fn is_pth(bytes: &[u8]) -> bool {
    // The length of a safetensors file's header, with which it begins, may look like either.
    let is_safetensors = bytes.get(4..9) == Some(b"\0\0\0\0{");
    !is_safetensors && (bytes.starts_with(b"PK") || bytes.starts_with(&[0x80]))
}

/// What a file that is not Kiln's holds.
#[derive(Clone, Debug)]
pub(super) struct ForeignTensors {
    /// Its tensors, under the names that the architecture has.
    pub(super) tensors: Vec<NamedTensor>,
    /// Whether they are averages over training (EMA), which training scripts keep beside the last weights.
    pub(super) averaged: bool,
}

/// The tensors of a file, whichever of the two kinds it is; `averages` takes averaged weights where there are some, `release`
/// is called with parts that will not be read again.
pub(super) fn read(
    bytes: &[u8],
    architecture: Architecture,
    averages: bool,
    release: impl Fn(&[u8]),
) -> Result<ForeignTensors, Fault> {
    let (mut tensors, averaged) = if is_pth(bytes) {
        let averaged = if averages { kiln_pth::read_averaged(bytes)? } else { None };
        let is_averaged = averaged.is_some();
        let stored = averaged.map_or_else(|| kiln_pth::read(bytes), Ok)?.into_iter();
        let named = |kiln_pth::StoredTensor { name, shape, values }| NamedTensor { name, shape, values };
        (stored.map(named).collect(), is_averaged)
    } else {
        (decode_releasing(bytes, release)?.0, false)
    };
    rename(architecture, &mut tensors);
    Ok(ForeignTensors { tensors, averaged })
}

/// The names as the architecture has them now: torchvision's first DenseNet files have `norm.1` for `norm1`, and a network
/// that was saved inside a wrapper of PyTorch's has the wrapper's name before each.
fn rename(architecture: Architecture, tensors: &mut [NamedTensor]) {
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
