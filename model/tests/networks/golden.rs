//! Logits and gradients against PyTorch's for fixed weights and inputs, on every backend of this build.
//!
//! `golden/make.py` made `golden/logits.safetensors`; the weights follow a formula that both sides compute.

use burn::tensor::{Int, Tensor, TensorData, backend::AutodiffBackend};
use kiln_backend::{Backend, BackendName, Program, Reference, Target, Training, cross_entropy, relative_difference};
use kiln_data::Preprocess;
use kiln_model::{Architecture, NamedTensor, Network, load_state_dict, state_dict};
use safetensors::SafeTensors;

use crate::gradients::of_gradients;

static GOLDEN: &[u8] = include_bytes!("../golden/logits.safetensors");

fn golden() -> SafeTensors<'static> {
    SafeTensors::deserialize(GOLDEN).unwrap()
}

fn golden_f32(name: &str) -> TensorData {
    let file = golden();
    let view = file.tensor(name).unwrap();
    let values: Vec<f32> = view.data().chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    TensorData::new(values, view.shape().to_vec())
}

/// The weights of `formula.py`: value `i` of the `p`-th tensor.
fn formula(names: &[NamedTensor]) -> Vec<NamedTensor> {
    let mut fan_in = 0;
    let tensors = names.iter().enumerate().map(|(p, tensor)| {
        if tensor.shape.len() > 1 {
            fan_in = tensor.shape[1..].iter().product();
        }
        let scale = 2. / (fan_in as f64).sqrt();
        let value = |i: u64| {
            let n = (i * 2_654_435_761 + (p as u64 + 1) * 2_246_822_519) % (1 << 32);
            ((n as f64 / (1u64 << 32) as f64 - 0.5) * scale) as f32
        };
        let values = (0..tensor.values.len() as u64).map(value).collect();
        NamedTensor { name: tensor.name.clone(), shape: tensor.shape.clone(), values }
    });
    tensors.collect()
}

pub fn network<B: Backend>(architecture: Architecture, device: &B::Device) -> Network<B> {
    let names = state_dict(&architecture.init::<Reference>(&architecture.sizes(10), &Default::default()));
    load_state_dict(architecture.init::<B>(&architecture.sizes(10), device), formula(&names)).unwrap()
}

fn images<B: Backend>(device: &B::Device) -> Tensor<B, 4> {
    let file = golden();
    let bytes = file.tensor("images").unwrap().data();
    let mut values = vec![0.; bytes.len()];
    Preprocess::mnist().normalise_into(bytes, &mut values);
    Tensor::from_data(TensorData::new(values, [16, 1, 28, 28]), device)
}

fn labels<B: Backend>(device: &B::Device) -> Tensor<B, 1, Int> {
    let file = golden();
    let view = file.tensor("labels").unwrap();
    let values: Vec<i64> = view.data().chunks(8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap())).collect();
    Tensor::from_data(TensorData::new(values, [16]), device)
}

#[derive(Clone)]
struct Compare;

impl Program for Compare {
    type Output = ();

    fn run<B: Backend>(self, device: B::Device) {
        for architecture in Architecture::LECTURE {
            let logits = network::<B>(architecture, &device).forward(images(&device)).into_data();
            let difference = relative_difference(&logits, &golden_f32(architecture.name()));
            println!("{} {architecture} logits: {difference:.1e}", B::name(&device));
            assert!(difference < 1e-5, "{architecture} on {}: {difference}", B::name(&device));
            compare_gradients::<Training<B>>(architecture, &device);
        }
    }
}

/// The gradients of the mean cross-entropy, by PyTorch's names.
fn compare_gradients<B: AutodiffBackend + Backend>(architecture: Architecture, device: &B::Device) {
    let network = network::<B>(architecture, device);
    let loss = cross_entropy(network.forward(images(device)), labels(device), 0.);
    let file = golden();
    let mut compared = 0;
    for tensor in state_dict(&of_gradients(network, &loss)) {
        let name = format!("{architecture}.grad.{}", tensor.name);
        if file.tensor(&name).is_err() {
            continue; // of the largest tensors, PyTorch's gradients are not kept
        }
        let ours = TensorData::new(tensor.values, tensor.shape);
        let difference = relative_difference(&ours, &golden_f32(&name));
        assert!(difference < 1e-5, "{name} on {}: {difference}", B::name(device));
        compared += 1;
    }
    assert_eq!(compared, 6, "gradients of {architecture} that were compared");
}

#[test]
fn logits_and_gradients_are_those_of_pytorch() {
    for backend in BackendName::ALL.into_iter().filter(|name| name.is_compiled()) {
        match Target::find(backend, Default::default()) {
            Ok(target) => target.run(Compare),
            Err(error) if std::env::var_os("KILN_REQUIRE_GPU").is_none() => eprintln!("skipped: {error}"),
            Err(error) => panic!("{error}"),
        }
    }
}
