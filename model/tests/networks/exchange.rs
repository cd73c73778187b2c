//! Weights going both ways between Kiln and PyTorch: the same file gives the same logits in both.
//!
//! `golden/exchange.py` made the files.

use std::path::{Path, PathBuf};

use burn::tensor::{Tensor, TensorData};
use kiln_backend::{Reference, relative_difference};
use kiln_data::Preprocess;
use kiln_model::weights::{Foreign, InitialWeights, Weights};
use kiln_model::{Architecture, NamedTensor, Network, ParameterError, Sizes, state_dict};
use safetensors::SafeTensors;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn images() -> Tensor<Reference, 4> {
    let bytes = std::fs::read(golden("logits.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let pixels = file.tensor("images").unwrap().data();
    let mut values = vec![0.; pixels.len()];
    Preprocess::mnist().normalise_into(pixels, &mut values);
    Tensor::from_data(TensorData::new(values, [16, 1, 28, 28]), &Default::default())
}

/// PyTorch's logits for a weights file.
fn theirs(name: &str) -> TensorData {
    let bytes = std::fs::read(golden("exchange.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let view = file.tensor(name).unwrap();
    let values: Vec<f32> = view.data().chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    TensorData::new(values, view.shape().to_vec())
}

fn assert_same_logits(network: &Network<Reference>, name: &str) {
    let difference = relative_difference(&network.forward(images()).into_data(), &theirs(name));
    assert!(difference < 1e-5, "{name}: {difference}");
}

#[test]
fn weights_trained_here_give_the_same_logits_in_pytorch() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/models/lecture-cnn.safetensors");
    let network = Weights::read(&shipped).unwrap().into_network(&Default::default()).unwrap();
    assert_same_logits(&network, "shipped");
}

#[test]
fn weights_saved_by_pytorch_give_the_same_logits_here() {
    let path = golden("from-torch.safetensors");
    assert!(Weights::read(&path).unwrap_err().to_string().contains("not written by Kiln"));
    let classes = (0..10).map(|digit| digit.to_string()).collect();
    let weights =
        Weights::read_foreign(&path, Foreign { classes: Some(classes), ..Foreign::of(Architecture::LectureCnn) })
            .unwrap();
    assert_same_logits(&weights.into_network(&Default::default()).unwrap(), "from-torch");

    // The same by `torch.save`, and rounded to 16 bits.
    let tensors = |name: &str| Weights::tensors_for(&golden(name), Architecture::LectureCnn, true).unwrap().tensors;
    let sorted = |name: &str| {
        let mut tensors = tensors(name);
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        tensors
    };
    let whole = sorted("from-torch.safetensors");
    assert_eq!(whole, sorted("from-torch.pth"));
    for (whole, half) in whole.iter().zip(sorted("from-torch-half.safetensors")) {
        assert_eq!((&whole.name, &whole.shape), (&half.name, &half.shape));
        for (whole, half) in whole.values.iter().zip(&half.values) {
            assert!(
                (whole - half).abs() <= whole.abs() / 1024. + 6e-8 && half.to_bits().trailing_zeros() >= 13,
                "{whole} {half}"
            );
        }
    }
}

/// What begins with somebody's weights keeps its own last layer if that has another size, and says so.
#[test]
fn a_last_layer_of_another_size_is_left_out() {
    let tensors = || Weights::tensors_for(&golden("from-torch.pth"), Architecture::LectureCnn, true).unwrap().tensors;
    let architecture = Architecture::LectureCnn;
    let network = |classes| architecture.seeded::<Reference>(&architecture.sizes(classes), 1, &Default::default());
    let begin = |classes, tensors| InitialWeights::new(architecture, &architecture.sizes(classes), tensors);
    let same = begin(10, tensors()).unwrap();
    assert!(same.left_out().is_empty());
    let same = same.apply(network(10));
    assert_same_logits(&same, "from-torch");
    let other = begin(4, tensors()).unwrap();
    assert_eq!(other.left_out(), ["fc.weight", "fc.bias"]);
    let other = other.apply(network(4));
    let headless = tensors().into_iter().filter(|tensor| !tensor.name.starts_with("fc.")).collect();
    assert_eq!(begin(10, headless).unwrap().left_out(), ["fc.weight", "fc.bias"]);
    let half = tensors().into_iter().filter(|tensor| tensor.name != "fc.bias").collect();
    assert!(matches!(begin(10, half), Err(ParameterError::Missing { name, .. }) if name == "fc.bias"));
    let of = |network: &Network<Reference>, index: usize| state_dict(network)[index].values.clone();
    assert_eq!(of(&other, 0), of(&same, 0));
    assert_eq!(of(&other, 4), of(&network(4), 4));
    let mut lacking = tensors();
    let first = lacking.remove(0);
    assert!(matches!(begin(10, lacking), Err(ParameterError::Missing { name, .. }) if name == first.name));
    let flat = NamedTensor { shape: vec![first.values.len()], ..first.clone() };
    let reshaped = [vec![flat], tensors()[1..].to_vec()].concat();
    assert!(matches!(begin(10, reshaped), Err(ParameterError::Shape { name, .. }) if name == first.name));
    let more = [tensors(), vec![NamedTensor { name: "fc6.weight".to_owned(), ..first }]].concat();
    assert!(matches!(begin(10, more), Err(ParameterError::Unexpected { name }) if name == "fc6.weight"));
}

/// Auxiliary heads may be there or not, in the file and in the network, and are for other classes or not.
#[test]
fn auxiliary_heads_are_left_out_one_by_one() {
    let architecture = Architecture::GoogLeNet;
    let sizes = |classes, auxiliary| Sizes { auxiliary, ..architecture.sizes(classes) };
    let tensors = |sizes: &Sizes| state_dict(&architecture.seeded::<Reference>(sizes, 1, &Default::default()));
    let (with, without) = (tensors(&sizes(6, true)), tensors(&sizes(6, false)));
    let left_out = |classes, auxiliary, tensors: &[NamedTensor]| {
        let initial = InitialWeights::new(architecture, &sizes(classes, auxiliary), tensors.to_vec()).unwrap();
        let left_out = initial.left_out().to_vec();
        let network = architecture.seeded::<Reference>(&sizes(classes, auxiliary), 2, &Default::default());
        let fresh = state_dict(&network);
        for (before, after) in fresh.iter().zip(state_dict(&initial.apply(network))) {
            let given = tensors.iter().find(|tensor| tensor.name == after.name);
            let expected = if left_out.contains(&after.name) { Some(before) } else { given };
            assert!(expected == Some(&after), "{}", after.name);
        }
        left_out
    };
    assert!(left_out(6, true, &with).is_empty());
    assert!(left_out(6, false, &with).is_empty(), "heads that the network does not have");
    assert!(left_out(6, true, &without).iter().all(|name| name.starts_with("aux")));
    let last = ["aux1.fc2.weight", "aux1.fc2.bias", "aux2.fc2.weight", "aux2.fc2.bias", "fc.weight", "fc.bias"];
    let mut others = left_out(4, true, &with);
    others.sort_by_key(|name| last.iter().position(|last| last == name));
    assert_eq!(others, last);
}
