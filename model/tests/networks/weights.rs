//! Weights files: what is written comes back, the same weights give the same bytes, and every fault is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kiln_backend::Reference;
use kiln_data::Preprocess;
use kiln_model::weights::{Config, Description, FORMAT, Provenance, Weights, to_bytes};
use kiln_model::{Architecture, Network, state_dict};

fn description(architecture: Architecture) -> Description {
    Description {
        architecture: architecture.name().to_owned(),
        classes: (0..10).map(|digit| digit.to_string()).collect(),
        config: Config { classes: 10 },
        format: FORMAT,
        preprocess: Preprocess::mnist(),
        temperature: None,
        training: Provenance {
            dataset: "mnist".to_owned(),
            epoch: 3,
            kiln: env!("CARGO_PKG_VERSION").to_owned(),
            recipe: BTreeMap::from([("lr".to_owned(), 0.01.into()), ("epochs".to_owned(), 10.into())]),
            seed: 42,
            test_accuracy: Some(0.9876),
        },
    }
}

fn network(architecture: Architecture) -> Network<Reference> {
    architecture.seeded(&architecture.sizes(10), 7, &Default::default())
}

fn bytes(architecture: Architecture) -> Vec<u8> {
    to_bytes(&network(architecture), &description(architecture)).unwrap()
}

fn fault(bytes: &[u8]) -> String {
    let read = Weights::from_bytes(bytes, Path::new("w.safetensors"));
    let error = match read {
        Ok(weights) => weights.into_network::<Reference>(&Default::default()).expect_err("this file has a fault"),
        Err(error) => error,
    };
    let message = error.to_string();
    assert!(message.starts_with("w.safetensors: ") && !message.contains('\n'), "{message}");
    message
}

/// The file with its header changed by `change`.
fn with_header(bytes: &[u8], change: impl FnOnce(String) -> String) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = change(String::from_utf8(bytes[8..8 + length].to_vec()).unwrap());
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &bytes[8 + length..]].concat()
}

#[test]
fn what_is_written_comes_back() {
    for architecture in Architecture::LECTURE {
        let weights = Weights::from_bytes(&bytes(architecture), Path::new("w.safetensors")).unwrap();
        assert_eq!(weights.description(), &description(architecture));
        assert_eq!(weights.architecture(), architecture);
        let read = weights.into_network::<Reference>(&Default::default()).unwrap();
        assert_eq!(state_dict(&read), state_dict(&network(architecture)));
    }
}

#[test]
fn a_temperature_is_kept_and_files_without_one_stay_as_they_are() {
    let plain = bytes(Architecture::LectureCnn);
    assert!(!String::from_utf8_lossy(&plain).contains("temperature"));
    let weights = Weights::from_bytes(&plain, Path::new("w.safetensors")).unwrap();
    assert_eq!(weights.to_bytes(false).unwrap(), plain);
    let written = weights.with_temperature(0.625).to_bytes(false).unwrap();
    let read = Weights::from_bytes(&written, Path::new("w.safetensors")).unwrap();
    assert_eq!(read.description(), &Description { temperature: Some(0.625), ..description(Architecture::LectureCnn) });
    for bad in ["0.0", "-1.5", "\\\"2\\\""] {
        let header = |header: String| {
            let header = header.replace("0.625", bad);
            format!("{header:<width$}", width = header.len().next_multiple_of(8))
        };
        let message = fault(&with_header(&written, header));
        assert!(message.contains("damaged") || message.contains("temperature"), "{bad}: {message}");
    }
}

/// Every length that a header may have, to the last byte: some begin like a file of PyTorch's.
#[test]
fn headers_of_all_lengths_are_read() {
    let network = network(Architecture::LectureCnn);
    let mut first_bytes = BTreeSet::new();
    for len in 0..256 {
        let mut description = description(Architecture::LectureCnn);
        description.training.dataset = "m".repeat(len);
        let bytes = to_bytes(&network, &description).unwrap();
        first_bytes.insert(bytes[0]);
        assert_eq!(Weights::from_bytes(&bytes, Path::new("w.safetensors")).unwrap().description(), &description);
    }
    assert!(first_bytes.contains(&0x80));
    // As a zip archive begins.
    let padded = with_header(&bytes(Architecture::LectureCnn), |header| format!("{header:0$}", 0x4b50));
    assert!(padded.starts_with(b"PK") && Weights::from_bytes(&padded, Path::new("w.safetensors")).is_ok());
}

#[test]
fn names_and_layouts_are_pytorchs_and_the_bytes_are_fixed() {
    let shapes: Vec<_> =
        state_dict(&network(Architecture::LectureCnn)).into_iter().map(|t| (t.name, t.shape)).collect();
    let expected = [
        ("conv1.weight", vec![10, 1, 5, 5]),
        ("conv1.bias", vec![10]),
        ("conv2.weight", vec![20, 10, 5, 5]),
        ("conv2.bias", vec![20]),
        ("fc.weight", vec![10, 320]),
        ("fc.bias", vec![10]),
    ];
    assert_eq!(shapes, expected.map(|(name, shape)| (name.to_owned(), shape)));
    assert_eq!(bytes(Architecture::LectureCnn), bytes(Architecture::LectureCnn));
}

#[test]
fn a_seed_decides_the_weights_within_pytorchs_bounds() {
    let sizes = Architecture::LectureCnn.sizes(10);
    let weights = |seed| state_dict(&Architecture::LectureCnn.seeded::<Reference>(&sizes, seed, &Default::default()));
    assert_eq!(weights(1), weights(1));
    assert_ne!(weights(1), weights(2));
    for (tensor, fan_in) in weights(1).iter().zip([25f32, 25., 250., 250., 320., 320.]) {
        let bound = 1. / fan_in.sqrt();
        let largest = tensor.values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        assert!(largest <= bound && largest > 0.7 * bound, "{}: {largest} of {bound}", tensor.name);
    }
}

#[test]
fn the_summary_counts_what_the_network_has() {
    for (architecture, parameters, multiply_adds) in
        [(Architecture::LectureCnn, 8_490, 467_200), (Architecture::Mlp, 575_050, 574_080)]
    {
        let summary = architecture.summary(10);
        assert_eq!((summary.parameters(), summary.multiply_adds()), (parameters, multiply_adds));
        assert_eq!(network(architecture).parameter_count(), parameters);
        assert_eq!(summary.layers.last().unwrap().output, [10]);
    }
}

#[test]
fn damaged_files_are_refused() {
    let good = bytes(Architecture::LectureCnn);
    assert!(fault(&good[..good.len() / 2]).contains("damaged, or no safetensors file"));
    assert!(fault(&good[..5]).contains("damaged, or no safetensors file"));
    assert!(fault(b"").contains("damaged, or no safetensors file"));
    assert!(fault(b"this is text, and long enough to be read as one").contains("damaged, or no safetensors file"));
    let mut not_a_number = good.clone();
    let last = not_a_number.len() - 4;
    not_a_number[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(fault(&not_a_number).contains("tensor `fc.weight` holds NaN at 3199"));
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let good = bytes(Architecture::LectureCnn);
    let changed = |from: &str, to: &str| {
        fault(&with_header(&good, |header| {
            assert!(header.contains(from), "{from} in {header}");
            header.replacen(from, to, 1)
        }))
    };
    assert!(changed(r#""kiln":"{"#, r#""other":"{"#).contains("not written by Kiln"));
    assert!(changed(r#"\"format\":1"#, r#"\"format\":2"#).contains("format version 2"));
    assert!(changed("lecture-cnn", "alexnet").contains("architecture `alexnet` is not in this build"));
    assert!(changed("lecture-cnn", "mlp").contains("no tensor `fc1.weight`, which the network needs as [512, 784]"));
    assert!(changed("conv2.bias", "conv3.bias").contains("no tensor `conv2.bias`, which the network needs as [20]"));
    assert!(changed("[10,320]", "[5,640]").contains("tensor `fc.weight` is [5, 640], the network needs [10, 320]"));
    assert!(changed(r#"{\"classes\":10}"#, r#"{\"classes\":9}"#).contains("10 class names, but the network has 9"));
    assert!(changed(r#"\"height\":28"#, r#"\"height\":32"#).contains("preprocessing gives [1, 32, 28]"));
    assert!(changed(r#"\"std\":[0.3081]"#, r#"\"std\":[0.0]"#).contains("std[0] is 0"));
    assert!(changed(r#"\"seed\":42,"#, "").contains("its `kiln` entry is damaged: missing field `seed`"));
}
