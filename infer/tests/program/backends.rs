//! Where it runs.

use super::{classify, folder, infer};

#[test]
fn unknown_backends_and_devices_are_usage_errors() {
    let folder = folder(&[("7.png", 7)]);
    for arguments in [["7.png", "--backend", "tpu"], ["7.png", "--device", "first"], ["7.png", "--threads", "x"]] {
        let ended = infer(folder.path(), &arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}");
    }
    assert!(infer(folder.path(), &["7.png", "--backend", "tpu"]).err.contains("ndarray, flex, wgpu"));
}

#[cfg(not(feature = "wgpu"))]
#[test]
fn a_backend_left_out_of_the_build_names_its_feature() {
    let folder = folder(&[("7.png", 7)]);
    for backend in ["wgpu", "vulkan", "metal"] {
        infer(folder.path(), &["7.png", "--backend", backend]).assert_fails(5, &[&format!("--features {backend}")]);
    }
}

#[test]
fn a_device_that_is_not_there_is_refused_with_the_list() {
    let folder = folder(&[("7.png", 7)]);
    classify(folder.path(), &["7.png", "--device", "9"]).assert_fails(5, &["no device 9", "0 CPU"]);
}

#[test]
fn every_cpu_backend_reads_alike_with_any_number_of_threads() {
    let folder = folder(&[("3.png", 3), ("7.png", 7)]);
    let another = if cfg!(feature = "flex") { "flex" } else { "ndarray" };
    for options in [["--backend", another], ["--threads", "1"], ["--threads", "4"], ["--device", "0"]] {
        let mut arguments = vec!["3.png", "7.png", "--format", "csv", "--topk", "1"];
        arguments.extend(options);
        let backend = if options[0] == "--backend" { infer } else { classify };
        let ended = backend(folder.path(), &arguments);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert!(ended.out.contains("3.png,3,") && ended.out.contains("7.png,7,"), "{options:?}: {}", ended.out);
    }
}
