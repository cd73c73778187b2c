//! The GPU computes what the CPU computes. Without an adapter these tests say so and pass, unless KILN_REQUIRE_GPU is set.
#![cfg(feature = "wgpu")]

use std::path::Path;
use std::process::{Command, Output};

use burn::module::{ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};
use infer::doctor::difference;
use kiln_backend::{Backend, BackendName, DeviceChoice, Program, Target, Training, cross_entropy, relative_difference};
use kiln_model::Architecture;
use serde_json::Value;

/// The largest relative difference of logits between a GPU and the CPU.
const TOLERANCE: f64 = 1e-4;

/// The same of heat maps: Grad-CAM's are divided by their largest number, occlusion's are differences of probabilities.
const EXPLANATION_TOLERANCE: f64 = 1e-3;

/// The adapters; an empty list skips the test.
fn adapters() -> Vec<Target> {
    let found = Target::all(BackendName::default_of_build());
    if found.is_empty() {
        assert!(std::env::var_os("KILN_REQUIRE_GPU").is_none(), "KILN_REQUIRE_GPU is set, but there is no adapter");
        eprintln!("skipped: no GPU adapter");
    }
    found
}

fn infer(arguments: &[&str]) -> Output {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/samples");
    Command::new(env!("CARGO_BIN_EXE_infer")).current_dir(samples).args(arguments).output().unwrap()
}

/// The networks for small pictures: a software driver takes minutes to compile the kernels of a larger one.
#[test]
fn every_network_for_small_pictures_has_the_same_logits_on_every_adapter() {
    for target in adapters() {
        for architecture in [Architecture::LectureCnn, Architecture::Mlp, Architecture::ResNet8] {
            let difference = difference(architecture, &target).unwrap();
            println!("{architecture} on {}: {difference:.1e}", target.adapter());
            assert!(difference < TOLERANCE, "{architecture} on {}: {difference:.1e}", target.adapter());
        }
    }
}

/// The gradients of one training step, in the network's order.
struct Gradients(Architecture);

impl Program for Gradients {
    type Output = Vec<TensorData>;

    fn run<B: Backend>(self, device: B::Device) -> Vec<TensorData> {
        self.on::<Training<B>>(&device)
    }
}

impl Gradients {
    fn on<B: AutodiffBackend + Backend>(self, device: &B::Device) -> Vec<TensorData> {
        let network = self.0.seeded::<B>(&self.0.sizes(10), 42, device);
        let pixel = |at: usize| (at * 37 % 256) as f32 / 255. - 0.5;
        let images: Vec<f32> = (0..8 * 784).map(pixel).collect();
        let images = Tensor::from_data(TensorData::new(images, [8, 1, 28, 28]), device);
        let targets = Tensor::from_data([3, 1, 4, 1, 5, 9, 2, 6], device);
        let loss = cross_entropy(network.forward(images), targets, 0.);
        let grads = GradientsParams::from_grads(loss.backward(), &network);
        let mut reader = Reader { grads, read: Vec::new() };
        burn::module::Module::visit(&network, &mut reader);
        reader.read
    }
}

struct Reader {
    grads: GradientsParams,
    read: Vec<TensorData>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Reader {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let grad = self.grads.get::<B::InnerBackend, D>(param.id).expect("every weight has a gradient");
        self.read.push(grad.into_data().convert::<f32>());
    }
}

#[test]
fn a_training_step_has_the_same_gradients_on_every_adapter() {
    let cpu = Target::find(BackendName::NdArray, DeviceChoice::Auto).unwrap();
    for target in adapters() {
        for (architecture, tensors) in [(Architecture::LectureCnn, 6), (Architecture::Mlp, 10)] {
            let (ours, reference) = (target.run(Gradients(architecture)), cpu.run(Gradients(architecture)));
            assert_eq!((ours.len(), reference.len()), (tensors, tensors));
            for (place, (ours, reference)) in ours.iter().zip(&reference).enumerate() {
                let difference = relative_difference(ours, reference);
                assert!(difference < TOLERANCE, "{architecture}, tensor {place}: {difference:.1e}");
            }
        }
    }
}

#[test]
fn the_doctor_lists_every_adapter() {
    let adapters = adapters();
    let output = infer(&["doctor"]);
    let report = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{report}");
    for (number, target) in adapters.iter().enumerate() {
        let line = format!("--device {number}  {}", target.adapter());
        assert!(report.contains(&line), "no {line} in {report}");
    }
    if adapters.is_empty() {
        assert!(report.contains("no adapter found"), "{report}");
    }
}

#[test]
fn a_sample_is_read_on_every_adapter() {
    let backend = BackendName::default_of_build().to_string();
    for number in 0..adapters().len() {
        let device = number.to_string();
        let options = ["--format", "csv", "--topk", "1", "--backend", &backend, "--device", &device];
        let output = infer(&[&["7.png", "3.png"][..], &options].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let rows = String::from_utf8(output.stdout).unwrap();
        assert!(rows.contains("7.png,7,7,0.9") && rows.contains("3.png,3,3,0.9"), "{rows}");
    }
}

/// Grad-CAM and occlusion of a sample, and what is read in it.
fn explained(backend: &str, device: &str) -> (Value, Vec<TensorData>) {
    let views = ["--show", "grad-cam,occlusion", "--format", "json"];
    let output = infer(&[&["explain", "7.png"][..], &views, &["--backend", backend, "--device", device]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let heat = |sheet: &Value| {
        let values = sheet["data"]["values"].as_array().unwrap().iter();
        TensorData::from(values.map(|value| value.as_f64().unwrap() as f32).collect::<Vec<_>>().as_slice())
    };
    let heats = json["sheets"].as_array().unwrap().iter().map(heat).collect();
    (json["predictions"][0]["class"].clone(), heats)
}

#[test]
fn a_sample_is_explained_alike_on_every_adapter() {
    let backend = BackendName::default_of_build().to_string();
    let (seven, reference) = explained("ndarray", "auto");
    assert_eq!((&seven, reference.len()), (&Value::from(7), 2));
    for number in 0..adapters().len() {
        let (class, heats) = explained(&backend, &number.to_string());
        assert_eq!((&class, heats.len()), (&seven, 2));
        for (heat, reference) in heats.iter().zip(&reference) {
            let difference = relative_difference(heat, reference);
            assert!(difference < EXPLANATION_TOLERANCE, "device {number}: {difference:.1e}");
        }
    }
}

#[test]
fn a_device_that_is_not_there_exits_5_without_a_panic() {
    let backend = BackendName::default_of_build().to_string();
    let output = infer(&["7.png", "--backend", &backend, "--device", "99"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{error}");
    // Drivers have their own say on standard error before it.
    let last = error.lines().last().unwrap_or_default();
    assert!(last.contains("no device 99") || last.contains("adapter found"), "{error}");
    assert!(!error.contains("panicked"), "{error}");
}
