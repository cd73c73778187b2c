//! Files as ONNX Runtime sees them: valid, and with Kiln's logits.

use std::path::Path;
use std::process::Command;

use kiln_backend::Reference;
use kiln_data::Preprocess;
use kiln_model::weights::{Config, Description, FORMAT, Provenance, Weights};
use kiln_model::{Architecture, InferenceNetwork, NamedTensor, load_state_dict, shapes, weights};
use kiln_onnx::Options;

const CLASSES: usize = 10;

/// Numbers from -1 to 1 that look random.
fn noise(seed: usize) -> impl Iterator<Item = f32> {
    (seed as u32 * 0x9E37..).map(|place| {
        let x = (place ^ (place >> 16)).wrapping_mul(0x85EB_CA6B);
        let x = (x ^ (x >> 13)).wrapping_mul(0xC2B2_AE35);
        (x ^ (x >> 16)) as f32 / (1u32 << 31) as f32 - 1.
    })
}

/// An architecture's weights for images of this size: scaled by the fan-in, with normalisations that do something.
fn weights(architecture: Architecture, size: usize) -> Weights {
    let network = architecture.init::<Reference>(&architecture.sizes(CLASSES), &Default::default());
    let tensors = shapes(&network).into_iter().enumerate().map(|(seed, (name, shape))| {
        let scale = (6. / shape[1..].iter().product::<usize>() as f32).sqrt();
        let value = |noise: f32| match name.rsplit('.').next() {
            Some("running_var") => 1. + 0.5 * noise,
            Some("weight") if shape.len() == 1 => 1. + 0.2 * noise,
            Some("weight") => scale * noise,
            _ => 0.2 * noise,
        };
        let values = noise(seed).take(shape.iter().product()).map(value).collect();
        NamedTensor { name, shape, values }
    });
    let tensors = tensors.collect();
    let network = load_state_dict(network, tensors).unwrap();
    let preprocess = Preprocess { height: size, width: size, ..architecture.preprocess() };
    let description = Description {
        architecture: architecture.name().to_owned(),
        classes: (0..CLASSES).map(|class| format!("class {class}, \"é\"")).collect(),
        config: Config { classes: CLASSES },
        format: FORMAT,
        preprocess,
        temperature: None,
        training: Provenance::default(),
    };
    let bytes = weights::to_bytes(&network, &description).unwrap();
    Weights::from_bytes(&bytes, Path::new("test")).unwrap()
}

/// Writes the file, an input of two images, and Kiln's logits.
fn write(folder: &Path, architecture: Architecture, size: usize, with_preprocess: bool) {
    let weights = weights(architecture, size);
    let channels = weights.description().preprocess.channels;
    let file = folder.join(format!("{architecture}-{size}{}", if with_preprocess { "-pixels" } else { "" }));
    let pixels: Vec<u8> = (0..2 * channels * size * size).map(|at| (at * at / 7 + at * 31) as u8).collect();
    let network = InferenceNetwork::<Reference>::new(weights.clone(), Default::default()).unwrap();
    let logits = network.logits_of_pixels(&pixels).unwrap();
    let mut images = vec![0.; pixels.len()];
    weights.description().preprocess.normalise_into(&pixels, &mut images);
    let input = if with_preprocess { &pixels } else { bytemuck::cast_slice(&images) };
    std::fs::write(file.with_extension("input"), input).unwrap();
    std::fs::write(file.with_extension("logits"), bytemuck::cast_slice(&logits)).unwrap();
    std::fs::write(file.with_extension("onnx"), kiln_onnx::to_bytes(weights, Options { with_preprocess }).unwrap())
        .unwrap();
}

/// The Python that has ONNX Runtime: `$KILN_PYTHON`, or `python3`. `None`, with a line that says it, if it has not, which fails
/// where `$KILN_REQUIRE_ONNXRUNTIME` is set.
fn python() -> Option<String> {
    let python = std::env::var("KILN_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python).args(["-c", "import numpy, onnx, onnxruntime"]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    assert!(std::env::var_os("KILN_REQUIRE_ONNXRUNTIME").is_none(), "{python} has no numpy, onnx, onnxruntime");
    println!("skipped: {python} has no numpy, onnx, onnxruntime");
    None
}

fn compare(networks: impl IntoIterator<Item = (Architecture, usize, bool)>) {
    let Some(python) = python() else { return };
    for (architecture, size, with_preprocess) in networks {
        // One at a time: the largest have half a gigabyte.
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), architecture, size, with_preprocess);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runtime.py");
        let output = Command::new(&python).arg(script).arg(folder.path()).output().unwrap();
        print!("{}", String::from_utf8_lossy(&output.stdout));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{architecture} at {size}: {errors}");
    }
}

/// A size that is not the architecture's usual one, where it takes others.
fn small(architecture: Architecture) -> usize {
    match architecture {
        Architecture::LectureCnn | Architecture::Mlp | Architecture::ResNet8 => 28,
        Architecture::InceptionV3 => 96,
        _ => 67,
    }
}

/// One architecture a family, at a small and odd size, from images and from pixels.
#[test]
fn a_network_of_each_family_gives_kilns_logits() {
    let names = ["lecture-cnn", "mlp", "resnet8", "resnet18", "resnet50", "googlenet", "inception_v3", "densenet121"];
    let networks = names.map(|name| name.parse::<Architecture>().unwrap());
    let pixels = networks[..1].iter().map(|&network| (network, small(network), true));
    compare(networks.iter().map(|&network| (network, small(network), false)).chain(pixels));
    // The head of VGG averages 2x2 parts of 67 pixels into 7x7 of unequal size.
    compare([("vgg11_bn".parse().unwrap(), 67, true)]);
}

/// Every architecture at its usual size.
#[test]
#[ignore = "writes and reads four gigabytes; minutes"]
fn every_architecture_gives_kilns_logits() {
    compare(Architecture::all().map(|architecture| (architecture, architecture.input()[1], false)));
    compare(Architecture::all().map(|architecture| (architecture, architecture.input()[1], true)));
}
