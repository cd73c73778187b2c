//! Everything that a user can get wrong: one line, the right exit code, and nothing on the disk is lost.

use std::fs;
use std::path::Path;

use crate::run::{Bench, assert_fails, mnist, text};

#[test]
fn names_and_values_out_of_range_are_usage_errors() {
    let bench = Bench::new();
    assert_fails(&bench.train("--lr 0"), 2, &["--lr", "above 0"]);
    assert_fails(&bench.train("--dataset imagenet"), 2, &["unknown dataset `imagenet`", "fashion-mnist"]);
    assert_fails(&bench.train("--valid-split 60000"), 2, &["--valid-split"]);
    assert_fails(&bench.train("--name a/b"), 2, &["--name a/b"]);
    assert_fails(&bench.train("--config missing.toml"), 2, &["missing.toml"]);
    for flags in ["--no-such-flag", "--model alexnet", "--backend tpu", "--opt lion", "--resume x --name y"] {
        let output = bench.train(flags);
        assert_eq!(output.status.code(), Some(2), "{flags}: {}", text(&output.stderr));
        assert!(text(&output.stderr).starts_with("error: "), "{flags}");
    }
    assert_eq!(fs::read_dir(bench.path()).unwrap().count(), 0, "no run was begun");
}

/// `config.toml` could not hold such a path.
#[test]
#[cfg(unix)]
fn a_path_that_is_not_utf_8_is_a_usage_error() {
    use std::os::unix::ffi::OsStrExt;
    let bench = Bench::new();
    let path = std::ffi::OsStr::from_bytes(b"runs-\xff");
    let output = bench.command("").arg("--output").arg(path).output().unwrap();
    assert_fails(&output, 2, &["--output", "UTF-8"]);
}

#[test]
fn an_existing_run_is_never_touched() {
    let bench = Bench::new();
    fs::create_dir(bench.run("taken")).unwrap();
    fs::write(bench.run("taken").join("notes.txt"), "mine").unwrap();
    assert_fails(&bench.train("--name taken"), 2, &["taken: exists already"]);
    assert_eq!(fs::read_dir(bench.run("taken")).unwrap().count(), 1);
}

#[test]
fn a_dashboard_without_a_terminal_is_refused_before_a_run_is_begun() {
    let bench = Bench::new();
    for dashboard in ["tui", "burn"] {
        let output = bench.command("--name run").args(["--dashboard", dashboard]).output().unwrap();
        assert_fails(&output, 2, &["--dashboard", "--dashboard plain"]);
    }
    assert_eq!(fs::read_dir(bench.path()).unwrap().count(), 0);
}

#[test]
fn devices_that_are_not_there_are_device_errors() {
    let bench = Bench::new();
    assert_fails(&bench.train("--device 3"), 5, &["no device 3", "0 CPU"]);
    if cfg!(not(feature = "wgpu")) {
        assert_fails(&bench.train("--backend wgpu"), 5, &["--features wgpu"]);
    }
}

#[test]
fn damaged_datasets_are_data_errors() {
    let bench = Bench::new();
    let data = bench.path().join("data");
    fs::create_dir(&data).unwrap();
    for entry in fs::read_dir(mnist()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, data.join(path.file_name().unwrap())).unwrap();
    }
    let images = data.join("train-images-idx3-ubyte.gz");
    let whole = fs::read(&images).unwrap();
    let train = || bench.train("--data-dir data");

    fs::write(&images, &whole[..whole.len() / 2]).unwrap();
    assert_fails(&train(), 4, &["train-images-idx3-ubyte.gz: damaged gzip data after"]);
    fs::write(&images, "<html>not found</html>").unwrap();
    assert_fails(&train(), 4, &["offset 0: expected an IDX file of images"]);
    fs::copy(data.join("train-labels-idx1-ubyte.gz"), &images).unwrap();
    assert_fails(&train(), 4, &["expected an IDX file of images", "00, 00, 08, 01"]);
    fs::write(&images, "").unwrap();
    assert_fails(&train(), 4, &["expected an IDX file of images"]);
    fs::copy(data.join("t10k-images-idx3-ubyte.gz"), &images).unwrap();
    assert_fails(&train(), 4, &["60000 labels, but", "has 10000 images"]);
    assert!(!bench.run("lecture-cnn-mnist-001").exists(), "no run was begun");
}

#[test]
fn a_missing_dataset_names_every_place() {
    let bench = Bench::new();
    let mut command = bench.command("--dataset kmnist --offline --data-dir elsewhere");
    let output = command.env("XDG_CACHE_HOME", bench.path()).output().unwrap();
    assert_fails(&output, 4, &["kmnist: not found", "elsewhere", "assets/kmnist", "kiln/kmnist", "--data-dir"]);
}

#[test]
fn a_loss_that_is_not_finite_ends_the_run_and_keeps_the_last_good_state() {
    let bench = Bench::new();
    assert_fails(&bench.train("--lr 1e30 --name diverged"), 1, &["not finite after iteration", "--clip-grad"]);
    assert!(!bench.run("diverged").join("last.safetensors").exists());
    // Found by the evaluation, since the only batch came before the step that broke the weights.
    assert_fails(&bench.train("--lr 1e30 -b 640 --name seen-late"), 1, &["not finite after iteration 1"]);
    assert!(!bench.run("seen-late").join("last.safetensors").exists());
    // A rate that grows out of bounds after a good first epoch: what that left behind stays.
    let flags = "--name late --epochs 9 --warmup-epochs 9 --warmup-lr 1e-30 --lr 1e10 -b 320";
    assert_fails(&bench.train(flags), 1, &["not finite after iteration"]);
    assert!(bench.run("late").join("checkpoints/00001-00000/manifest.json").is_file());
    kiln_model::weights::Weights::read(&bench.run("late").join("last.safetensors")).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn output_that_cannot_be_written_is_an_output_error() {
    let bench = Bench::new();
    assert_fails(&bench.train("--output /proc/runs"), 6, &["/proc/runs: cannot be written"]);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = bench.command("--name full").stdout(full).output().unwrap();
    assert_fails(&output, 6, &["standard output: cannot be written"]);
    // A reader that goes away is no reason to stop.
    let mut child =
        bench.command("--name piped --log-interval 1").stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
    assert!(bench.run("piped").join("result.json").is_file());
}

/// A limit on file sizes stands for a full disk: small files fit, weights do not.
#[test]
#[cfg(unix)]
fn a_disk_that_fills_up_costs_nothing_that_was_there() {
    let bench = Bench::new();
    bench.trained("--name whole --epochs 2");
    bench.trained("--name run --epochs 1");
    let weights = ["last.safetensors", "best.safetensors"].map(|name| bench.run("run").join(name));
    let before = weights.each_ref().map(|path| fs::read(path).unwrap());
    let program = env!("CARGO_BIN_EXE_train");
    let limited =
        format!("trap '' XFSZ; ulimit -f 16; exec {program} --dashboard plain --output . --resume run --epochs 2");
    let output = std::process::Command::new("sh").args(["-c", &limited]).current_dir(bench.path()).output().unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{message}");
    assert!(message.contains("checkpoints/00002-00000: cannot be written"), "{message}");
    assert_eq!(weights.each_ref().map(|path| fs::read(path).unwrap()), before);
    assert!(no_leftovers(&bench.run("run")), "no half-written file stays");
    bench.resumed("--resume run --epochs 2");
    assert_eq!(bench.last("run"), bench.last("whole"));
}

fn no_leftovers(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().all(|entry| !entry.unwrap().file_name().to_string_lossy().starts_with('.'))
}

#[test]
#[cfg(unix)]
fn two_processes_do_not_train_one_run() {
    let bench = Bench::new();
    let mut child = bench.started("--epochs 50 --log-interval 1", "busy", "[1,    1]");
    let config = bench.run("busy").join("config.toml");
    let before = fs::read(&config).unwrap();
    bench.trained("--name newer --epochs 1");
    assert_fails(&bench.resume("--resume busy --epochs 99"), 2, &["another process is training this run"]);
    assert_eq!(fs::read(&config).unwrap(), before, "the running one's options");
    assert_eq!(fs::read_to_string(bench.path().join("latest")).unwrap(), "newer\n");
    child.kill().unwrap();
    child.wait().unwrap();
}
