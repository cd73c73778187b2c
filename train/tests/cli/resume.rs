//! Exact resume: however a run was stopped, the weights end up the same to the last bit.
#![cfg(unix)]

use std::fs;
use std::process::Command;

use crate::run::{Bench, assert_fails, text};

/// Interrupts a run inside an epoch.
fn interrupt(bench: &Bench, flags: &str, name: &str, at: &str, signal: &str) -> Option<i32> {
    let mut child = bench.started(&format!("{flags} --log-interval 1"), name, at);
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    child.wait().unwrap().code()
}

fn assert_same(bench: &Bench, whole: &str, resumed: &str) {
    assert_eq!(bench.last(whole), bench.last(resumed), "{resumed}: the weights");
    assert_eq!(bench.metrics(whole), bench.metrics(resumed), "{resumed}: the metrics");
    let read = |name: &str| fs::read(bench.run(name).join("best.safetensors")).unwrap();
    assert_eq!(read(whole), read(resumed), "{resumed}: the best weights");
}

#[test]
fn six_epochs_are_three_and_three() {
    let bench = Bench::new();
    bench.trained("--name whole --epochs 6");
    bench.trained("--name parts --epochs 3");
    bench.resumed("--resume parts --epochs 6");
    assert_same(&bench, "whole", "parts");
    let again = bench.resumed("--resume parts");
    assert!(text(&again.stderr).contains("complete after 6 epochs, nothing to do"), "{}", text(&again.stderr));
}

#[test]
fn ctrl_c_inside_an_epoch_saves_and_goes_on() {
    let bench = Bench::new();
    let flags = "--epochs 4 -j 3 --opt adamw --sched onecycle --label-smoothing 0.1";
    bench.trained(&format!("{flags} --name whole --log-interval 1"));
    assert_eq!(interrupt(&bench, flags, "stopped", "[2,    4]", "-INT"), Some(130));
    let log = fs::read_to_string(bench.run("stopped").join("train.log")).unwrap();
    assert!(log.contains("interrupted after 1 epochs and"), "{log}");
    let resumed = bench.resumed("--resume stopped");
    assert!(text(&resumed.stderr).contains("continues in epoch 2 after"), "{}", text(&resumed.stderr));
    assert_same(&bench, "whole", "stopped");
}

#[test]
fn ctrl_c_during_an_evaluation_saves_and_goes_on() {
    let bench = Bench::new();
    let flags = "--limit-test 10000 -b 128";
    bench.trained(&format!("{flags} --name whole --log-interval 1"));
    // The last batch is done, the evaluation of 10,000 images under way.
    assert_eq!(interrupt(&bench, flags, "stopped", "[1,    5]", "-INT"), Some(130));
    assert!(bench.run("stopped").join("checkpoints/00000-00005").is_dir());
    bench.resumed("--resume stopped");
    assert_same(&bench, "whole", "stopped");
}

#[test]
fn the_best_weights_are_the_same_when_they_are_older_than_the_interruption() {
    let bench = Bench::new();
    // Steps too small to change a weight: the first epoch stays the best.
    bench.trained("--lr 1e-30 --name whole --epochs 3");
    bench.trained("--lr 1e-30 --name parts --epochs 2");
    bench.resumed("--resume parts --epochs 3");
    assert_same(&bench, "whole", "parts");
}

#[test]
fn a_killed_run_goes_on_from_its_last_epoch() {
    let bench = Bench::new();
    bench.trained("--name whole --epochs 4");
    assert_eq!(interrupt(&bench, "--epochs 4", "killed", "[3,    2]", "-KILL"), None);
    bench.resumed("--resume auto");
    assert_same(&bench, "whole", "killed");
}

#[test]
fn a_run_killed_in_its_first_epoch_begins_again() {
    let bench = Bench::new();
    bench.trained("--name whole");
    assert_eq!(interrupt(&bench, "", "killed", "[1,    2]", "-KILL"), None);
    let resumed = bench.resumed("--resume killed");
    assert!(text(&resumed.stderr).contains("no usable checkpoint, begins at epoch 1"));
    assert_same(&bench, "whole", "killed");
}

#[test]
fn early_stopping_counts_on_over_an_interruption() {
    let bench = Bench::new();
    // Steps too small to change a weight: no epoch is better than the first.
    let flags = "--epochs 9 --lr 1e-30 --patience 3";
    bench.trained(&format!("{flags} --name whole"));
    assert_eq!(bench.metrics("whole").len(), 4);
    assert_eq!(interrupt(&bench, flags, "stopped", "[3,    2]", "-INT"), Some(130));
    bench.resumed("--resume stopped");
    assert_same(&bench, "whole", "stopped");
}

#[test]
fn the_default_backend_resumes_exactly() {
    let bench = Bench::new();
    let flags = "--backend ndarray --limit-train 192 --limit-test 64";
    bench.trained(&format!("{flags} --name whole --epochs 2"));
    assert_eq!(interrupt(&bench, flags, "stopped", "[1,    1]", "-INT"), Some(130));
    bench.resumed("--resume stopped");
    assert_same(&bench, "whole", "stopped");
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let bench = Bench::new();
    bench.trained("--name whole --epochs 4");
    bench.trained("--name parts --epochs 3");
    let model = bench.run("parts").join("checkpoints/00003-00000/model.mpk");
    let bytes = fs::read(&model).unwrap();
    fs::write(&model, &bytes[..bytes.len() / 2]).unwrap();
    let resumed = bench.resumed("--resume parts --epochs 4");
    let message = text(&resumed.stderr);
    assert!(message.contains("model.mpk is not what the manifest says") && message.contains("in epoch 3"), "{message}");
    assert_same(&bench, "whole", "parts");
}

#[test]
fn a_resumed_run_keeps_the_options_that_decide_its_result() {
    let bench = Bench::new();
    bench.trained("--name run");
    let before = bench.last("run");
    assert_fails(&bench.resume("--resume run --lr 0.5"), 2, &["--lr 0.5", "started with 0.01"]);
    assert_fails(&bench.resume("--resume run --seed 1 --epochs 5"), 2, &["--seed 1"]);
    assert_fails(&bench.resume("--resume nothing"), 2, &["--resume nothing"]);
    assert_fails(&bench.resume("--resume run --epochs 1"), 2, &["--epochs 1", "has completed 2 epochs"]);
    // Options edited by hand: the checkpoint is of another network, or of other batches.
    let config = bench.run("run").join("config.toml");
    let own = fs::read_to_string(&config).unwrap();
    for (from, to) in [("lecture-cnn", "mlp"), ("batch_size = 64", "batch_size = 30000")] {
        fs::write(&config, own.replace(from, to)).unwrap();
        assert_fails(&bench.resume("--resume run --epochs 3"), 3, &["checkpoints: made with lecture-cnn, 10 classes"]);
    }
    fs::write(&config, own).unwrap();
    assert_eq!(bench.last("run"), before);
    bench.resumed("--resume run --lr 0.01 --epochs 3 -j 2 --threads 1");
    assert_eq!(bench.metrics("run").len(), 3);
}

#[test]
fn without_a_run_auto_starts_one_and_says_so() {
    let bench = Bench::new();
    let mut command = bench.command("--resume auto --epochs 1");
    let output = command.output().unwrap();
    assert!(output.status.success());
    assert!(text(&output.stderr).contains("no run to continue, starts a new one"));
    assert!(bench.run("lecture-cnn-mnist-001").join("result.json").is_file());
}
