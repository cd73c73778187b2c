//! The GPU computes what the CPU computes. Without an adapter these tests say so and pass, unless KILN_REQUIRE_GPU is set.
#![cfg(feature = "wgpu")]

use std::path::Path;
use std::process::{Command, Output};

use infer::doctor::difference;
use kiln_backend::{BackendName, Target};
use kiln_model::Architecture;

/// The largest relative difference of logits between a GPU and the CPU.
const TOLERANCE: f64 = 1e-4;

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
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/samples");
    Command::new(env!("CARGO_BIN_EXE_infer")).current_dir(samples).args(arguments).output().unwrap()
}

#[test]
fn every_architecture_has_the_same_logits_on_every_adapter() {
    for target in adapters() {
        for architecture in Architecture::ALL {
            let difference = difference(architecture, &target).unwrap();
            println!("{architecture} on {}: {difference:.1e}", target.adapter());
            assert!(difference < TOLERANCE, "{architecture} on {}: {difference:.1e}", target.adapter());
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
