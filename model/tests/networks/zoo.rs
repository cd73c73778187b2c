//! torchvision's networks against torchvision: names, logits, and one step of training, with weights from a formula.
//!
//! `golden/zoo.py` made `golden/zoo.safetensors` and `golden/zoo.json` and has the same formula.

use std::collections::BTreeMap;

use burn::module::AutodiffModule;
use burn::tensor::{Int, Tensor, TensorData, backend::AutodiffBackend};
use kiln_backend::{Backend, BackendName, Program, Reference, Target, Training, cross_entropy, relative_difference};
use kiln_data::Preprocess;
use kiln_model::{
    Architecture, Compute, Logits, NamedTensor, Network, Sizes, load_state_dict, parameter_count, shapes, state_dict,
};
use safetensors::SafeTensors;
use serde_json::Value;

use crate::gradients::of_gradients;

static GOLDEN: &[u8] = include_bytes!("../golden/zoo.safetensors");
static TABLE: &str = include_str!("../golden/zoo.json");

pub const CLASSES: usize = 10;
const TARGETS: [i64; 2] = [3, 7];
const TOLERANCE: f64 = 1e-4;

fn golden(name: &str) -> TensorData {
    let file = SafeTensors::deserialize(GOLDEN).unwrap();
    let view = file.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    let values: Vec<f32> = view.data().chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    TensorData::new(values, view.shape().to_vec())
}

fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(2_166_136_261, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619))
}

/// Numbers from 0 to 1 that depend on a name and a place.
pub fn mixed(name: &str, count: usize) -> impl Iterator<Item = f64> {
    let seed = fnv1a(name);
    (0..count as u32).map(move |place| {
        let mut x = place.wrapping_mul(0x9E37_79B1).wrapping_add(seed);
        x = (x ^ (x >> 16)).wrapping_mul(0x85EB_CA6B);
        x = (x ^ (x >> 13)).wrapping_mul(0xC2B2_AE35);
        f64::from(x ^ (x >> 16)) / f64::from(1u32 << 31) / 2.
    })
}

/// The weights of a name.
fn values(name: &str, shape: &[usize]) -> Vec<f32> {
    let fan_in: usize = shape.iter().skip(1).product();
    let scale = (6. / fan_in as f64).sqrt();
    let value = |u: f64| {
        if shape.len() > 1 {
            (2. * u - 1.) * scale
        } else if name.ends_with("running_var") {
            0.5 + u
        } else if name.ends_with("weight") {
            if name.contains(".bn2.") || name.contains(".bn3.") { 0.2 + 0.3 * u } else { 0.8 + 0.4 * u }
        } else {
            0.4 * u - 0.2
        }
    };
    mixed(name, shape.iter().product()).map(|u| value(u) as f32).collect()
}

/// Two pictures, normalised as the architecture wants them: noise on tiles of 8x8 pixels, the second one with less contrast.
fn images<B: Backend>(architecture: Architecture, size: usize, device: &B::Device) -> Tensor<B, 4> {
    let imagenet = Preprocess::imagenet(size, size, size);
    let own = architecture.preprocess();
    let normalise = |value: f64, channel: usize| {
        let pixel = value * f64::from(imagenet.std[channel]) + f64::from(imagenet.mean[channel]);
        (pixel - f64::from(own.mean[channel])) / f64::from(own.std[channel])
    };
    let tiles: Vec<f64> = mixed("tiles", 2 * 3 * 64 * 64).collect();
    let pixels = mixed("noise", 2 * 3 * size * size).enumerate().map(|(place, noise)| {
        let (plane, y, x) = (place / (size * size), place / size % size, place % size);
        let contrast = if plane < 3 { 3. } else { 1. };
        let value = contrast * tiles[(plane * 64 + y / 8) * 64 + x / 8] + noise - (contrast + 1.) / 2.;
        // torchvision is given images normalised as ImageNet's, and GoogLeNet and Inception transform them.
        if architecture.has_auxiliary() { normalise(value, plane % 3) as f32 } else { value as f32 }
    });
    Tensor::from_data(TensorData::new(pixels.collect(), [2, 3, size, size]), device)
}

fn sizes(architecture: Architecture, auxiliary: bool) -> Sizes {
    Sizes { auxiliary, ..architecture.sizes(CLASSES) }
}

pub fn network<B: Backend>(architecture: Architecture, auxiliary: bool, device: &B::Device) -> Network<B> {
    let network = architecture.init::<B>(&sizes(architecture, auxiliary), device);
    let tensors = shapes(&network).into_iter().map(|(name, shape)| {
        let values = values(&name, &shape);
        NamedTensor { name, shape, values }
    });
    let tensors = tensors.collect();
    load_state_dict(network, tensors).unwrap()
}

fn table() -> Value {
    serde_json::from_str(TABLE).unwrap()
}

fn rows(part: &str) -> Vec<(Architecture, usize, Value)> {
    let row = |row: &Value| {
        let architecture = row["name"].as_str().unwrap().parse().unwrap();
        (architecture, row["size"].as_u64().unwrap() as usize, row.clone())
    };
    table()[part].as_array().unwrap().iter().map(row).collect()
}

fn of_torchvision() -> impl Iterator<Item = Architecture> {
    Architecture::all().filter(|architecture| architecture.pretrained().is_some())
}

#[test]
fn names_and_shapes_are_torchvisions() {
    let keys = table();
    for architecture in of_torchvision() {
        let network = architecture.init::<Reference>(&sizes(architecture, true), &Default::default());
        let sorted: BTreeMap<_, _> = shapes(&network).into_iter().collect();
        let text: String = sorted.iter().map(|(name, shape)| format!("{name} {shape:?}\n")).collect();
        let expected = &keys["keys"][architecture.name()];
        assert_eq!(sorted.len() as u64, expected["count"].as_u64().unwrap(), "{architecture}");
        assert_eq!(u64::from(fnv1a(&text)), expected["digest"].as_u64().unwrap(), "{architecture}:\n{text}");
    }
}

/// What `torch.nn.Module.parameters` counts with 1,000 classes, and torchvision's multiply-adds in thousand millions.
#[test]
fn sizes_are_torchvisions() {
    let expected = [
        ("vgg11", 132_863_336, 7.609),
        ("vgg11_bn", 132_868_840, 7.609),
        ("vgg13", 133_047_848, 11.308),
        ("vgg13_bn", 133_053_736, 11.308),
        ("vgg16", 138_357_544, 15.470),
        ("vgg16_bn", 138_365_992, 15.470),
        ("vgg19", 143_667_240, 19.632),
        ("vgg19_bn", 143_678_248, 19.632),
        ("resnet18", 11_689_512, 1.814),
        ("resnet34", 21_797_672, 3.664),
        ("resnet50", 25_557_032, 4.089),
        ("resnet101", 44_549_160, 7.801),
        ("resnet152", 60_192_808, 11.514),
        ("googlenet", 13_004_888, 1.498),
        ("inception_v3", 27_161_264, 5.713),
        ("densenet121", 7_978_856, 2.834),
        ("densenet161", 28_681_000, 7.728),
        ("densenet169", 14_149_480, 3.360),
        ("densenet201", 20_013_928, 4.291),
    ];
    assert!(of_torchvision().map(Architecture::name).eq(expected.map(|(name, ..)| name)));
    for (name, parameters, work) in expected {
        let architecture: Architecture = name.parse().unwrap();
        let with_heads = Sizes { auxiliary: true, ..architecture.sizes(1000) };
        let network = architecture.init::<Reference>(&with_heads, &Default::default());
        assert_eq!(parameter_count(&network), parameters, "{name}");
        let summary = architecture.summary(1000);
        assert!((summary.multiply_adds() as f64 / 1e9 - work).abs() < 0.0006, "{name}: {}", summary.multiply_adds());
        let heads = if name == "googlenet" {
            6_379_984
        } else if name == "inception_v3" {
            3_326_696
        } else {
            0
        };
        assert_eq!(summary.parameters(), parameters - heads, "{name}");
    }
}

/// What an architecture says that it takes, it takes: no window is larger than what is under it.
#[test]
fn the_smallest_pictures_go_through() {
    for architecture in of_torchvision() {
        let side = (1..).find(|&side| architecture.takes([3, side, side])).unwrap();
        let graph = architecture.graph(&sizes(architecture, false), [3, side, side]);
        assert_eq!(graph.classes(), CLASSES, "{architecture} at {side}");
    }
}

/// Logits in evaluation mode.
#[derive(Clone, Copy)]
struct Evaluation(Architecture, usize);

impl Program for Evaluation {
    type Output = TensorData;

    fn run<B: Backend>(self, device: B::Device) -> TensorData {
        let Self(architecture, size) = self;
        network::<B>(architecture, false, &device)
            .forward(images(architecture, size, &device))
            .into_data()
            .convert::<f32>()
    }
}

fn check_logits(architecture: Architecture, size: usize, target: &Target) {
    let expected = golden(&format!("{architecture} {size} logits"));
    let logits = target.run(Evaluation(architecture, size));
    let difference = relative_difference(&logits, &expected);
    println!("{} {architecture} {size}: {difference:.1e}", target.backend());
    assert!(difference < TOLERANCE, "{architecture} {size} on {}: {difference:.1e}", target.backend());
    // The proof is not empty: logits differ from class to class and from picture to picture.
    let values = expected.as_slice::<f32>().unwrap();
    let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let spread = values.iter().copied().fold(f32::MIN, f32::max) - values.iter().copied().fold(f32::MAX, f32::min);
    let (first, second) = values.split_at(CLASSES);
    let between = first.iter().zip(second).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
    let least = 100. * TOLERANCE as f32 * largest;
    assert!(largest.is_finite() && spread > least && between > least, "{architecture}: {largest} {spread} {between}");
}

fn target(backend: BackendName) -> Target {
    Target::find(backend, Default::default()).unwrap()
}

#[test]
fn logits_are_torchvisions() {
    for (architecture, size, _) in rows("logits") {
        check_logits(architecture, size, &target(BackendName::NdArray));
    }
}

/// One small network a family on every other backend of this build.
#[test]
fn logits_are_torchvisions_on_every_backend() {
    for backend in BackendName::ALL.into_iter().filter(|name| name.is_compiled() && *name != BackendName::NdArray) {
        let target = match Target::find(backend, Default::default()) {
            Ok(target) => target,
            Err(error) if std::env::var_os("KILN_REQUIRE_GPU").is_none() => {
                eprintln!("skipped: {error}");
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        for (name, size) in [("resnet18", 64), ("googlenet", 64), ("inception_v3", 96), ("densenet121", 64)] {
            check_logits(name.parse().unwrap(), size, &target);
        }
    }
}

/// Loss, gradients and running statistics of one step, by torchvision's names.
#[derive(Clone, Copy)]
struct Step(Architecture, usize);

impl Program for Step {
    type Output = BTreeMap<String, TensorData>;

    fn run<B: Backend>(self, device: B::Device) -> Self::Output {
        step::<Training<B>>(self, &device)
    }
}

fn step<B: AutodiffBackend + Backend>(
    Step(architecture, size): Step,
    device: &B::Device,
) -> BTreeMap<String, TensorData>
where
    B::InnerBackend: Backend,
{
    let network = network::<B>(architecture, true, device);
    let targets = || Tensor::<B, 1, Int>::from_data(TensorData::from(TARGETS), device);
    let Logits { main, auxiliary } =
        network.run(&Compute::new(device.clone()).without_dropout(), images::<B>(architecture, size, device));
    let mut loss = cross_entropy(main, targets(), 0.);
    for (logits, weight) in auxiliary {
        loss = loss + cross_entropy(logits, targets(), 0.) * weight;
    }
    let mut results = BTreeMap::from([("loss".to_owned(), loss.to_data())]);
    let data = |tensor: NamedTensor| TensorData::new(tensor.values, tensor.shape);
    for tensor in state_dict(&network.valid()) {
        results.insert(tensor.name.clone(), data(tensor));
    }
    for tensor in state_dict(&of_gradients(network, &loss)) {
        results.insert(format!("grad {}", tensor.name), data(tensor));
    }
    results
}

#[test]
fn a_training_step_is_torchvisions() {
    for (architecture, size, row) in rows("steps") {
        let results = target(BackendName::NdArray).run(Step(architecture, size));
        for (key, bound) in row["bounds"].as_object().unwrap() {
            let difference = relative_difference(&results[key], &golden(&format!("{architecture} {key}")));
            // float32 itself is so far from float64.
            let allowed = TOLERANCE.max(3. * bound.as_f64().unwrap());
            println!("{architecture} {key}: {difference:.1e} of {allowed:.1e}");
            assert!(difference < allowed, "{architecture} {key}: {difference:.1e}, allowed {allowed:.1e}");
        }
    }
}
