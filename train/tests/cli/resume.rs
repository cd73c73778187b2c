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
    assert_eq!(report(bench, whole), report(bench, resumed), "{resumed}: the report");
}

/// A run's page from its curves to its mistakes, where no times stand.
fn report(bench: &Bench, run: &str) -> String {
    let page = fs::read_to_string(bench.run(run).join("report.html")).unwrap();
    let (start, end) = (page.find("<h2>Curves").unwrap(), page.find("<h2>Epochs").unwrap());
    page[start..end].to_owned()
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
    let page = fs::read_to_string(bench.run("stopped").join("report.html")).unwrap();
    assert!(page.contains("of 4, interrupted") && page.contains("Confusion matrix of epoch 1"), "what is known so far");
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
    assert!(text(&resumed.stderr).contains("no checkpoint yet, begins at epoch 1"));
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
    let model = bench.run("parts").join("checkpoints/00003-00000/model.safetensors");
    let bytes = fs::read(&model).unwrap();
    fs::write(&model, &bytes[..bytes.len() / 2]).unwrap();
    let resumed = bench.resumed("--resume parts --epochs 4");
    let message = text(&resumed.stderr);
    assert!(
        message.contains("model.safetensors is not what the manifest says") && message.contains("in epoch 3"),
        "{message}"
    );
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

/// Whatever is wrong with a run's checkpoints: it does not begin again over the weights that it has.
#[test]
fn a_checkpoint_that_cannot_be_used_is_not_no_checkpoint() {
    let bench = Bench::new();
    bench.trained("--name run --epochs 2");
    let run = bench.run("run");
    let kept = ["best.safetensors", "last.safetensors", "metrics.csv", "config.toml", "result.json"];
    let read = || kept.map(|name| fs::read(run.join(name)).unwrap());
    let before = read();
    let refused = |wanted: &[&str]| {
        for flags in ["--resume run --epochs 2000", "--resume auto --epochs 2000", "--resume run"] {
            assert_fails(&bench.resume(flags), 3, wanted);
            assert!(read() == before, "{flags}");
        }
    };
    let checkpoints = run.join("checkpoints");
    let newest = checkpoints.join("00002-00000");
    let change = |file: &str, from: &str, to: &str| {
        let path = newest.join(file);
        let own = fs::read_to_string(&path).unwrap();
        assert!(own.contains(from), "{own}");
        fs::write(&path, own.replace(from, to)).unwrap();
        move || fs::write(&path, &own).unwrap()
    };
    let back = change("manifest.json", "\"version\": 2", "\"version\": 3");
    refused(&["checkpoint of version 3", "nothing was changed"]);
    back();
    // Both are damaged.
    let models = ["00001-00000", "00002-00000"].map(|name| checkpoints.join(name).join("model.safetensors"));
    let own = models.each_ref().map(|path| fs::read(path).unwrap());
    models.iter().for_each(|path| fs::write(path, "torn").unwrap());
    refused(&["00002-00000: damaged checkpoint"]);
    models.iter().zip(own).for_each(|(path, own)| fs::write(path, own).unwrap());
    fs::rename(&checkpoints, bench.run("elsewhere")).unwrap();
    refused(&["no checkpoint, but the run has weights", "--config"]);
    fs::write(&checkpoints, "").unwrap();
    refused(&["checkpoints: cannot be read"]);
    fs::remove_file(&checkpoints).unwrap();
    fs::rename(bench.run("elsewhere"), &checkpoints).unwrap();
    bench.resumed("--resume run --epochs 3");
    assert_eq!(bench.metrics("run").len(), 3);
}

#[test]
fn options_edited_by_hand_are_compared_with_the_checkpoint() {
    let bench = Bench::new();
    bench.trained("--name run");
    let config = bench.run("run").join("config.toml");
    let own = fs::read_to_string(&config).unwrap();
    fs::write(&config, own.replace("lr = 0.01", "lr = 0.5")).unwrap();
    let wanted = ["config.toml: lr is 0.5", "trained with 0.01"];
    assert_fails(&bench.resume("--resume run --epochs 3"), 3, &wanted);
    fs::write(&config, own).unwrap();
    bench.resumed("--resume run --epochs 3 --patience 9 --checkpoint-hist 1 --offline");
}

#[test]
fn a_run_resumes_from_any_folder() {
    let bench = Bench::new();
    let data = fs::canonicalize(crate::run::mnist()).unwrap();
    std::os::unix::fs::symlink(data, bench.path().join("digits")).unwrap();
    bench.trained("--name whole --epochs 3 --dataset digits");
    bench.trained("--name parts --epochs 2 --dataset digits");
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_train"));
    let run = bench.run("parts");
    let resumed = command.current_dir(elsewhere.path()).args(["--dashboard", "plain", "--epochs", "3", "--resume"]);
    let output = resumed.arg(&run).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_same(&bench, "whole", "parts");
}

#[test]
fn more_epochs_under_a_schedule_that_ends_are_told_of() {
    let bench = Bench::new();
    bench.trained("--name run --epochs 1 --sched cosine");
    let resumed = bench.resumed("--resume run --epochs 2");
    assert!(text(&resumed.stderr).contains("the learning rate jumps"), "{}", text(&resumed.stderr));
}

/// The weights of an epoch are written after its checkpoint: a run that was killed in between writes them when it goes on.
#[test]
fn weights_that_a_kill_kept_from_being_written_are_written_on_resuming() {
    let bench = Bench::new();
    bench.trained("--name whole --epochs 2");
    bench.trained("--name parts --epochs 1");
    for name in ["last.safetensors", "best.safetensors", "result.json"] {
        fs::remove_file(bench.run("parts").join(name)).unwrap();
    }
    bench.resumed("--resume parts");
    assert!(bench.run("parts").join("best.safetensors").is_file());
    bench.resumed("--resume parts --epochs 2");
    assert_same(&bench, "whole", "parts");
}

/// Other programs read it: names and shapes are PyTorch's, and it is a weights file like any other.
#[test]
fn a_checkpoint_is_made_of_weights_files() {
    let bench = Bench::new();
    bench.trained("--name run --epochs 1 --opt adam --model-ema");
    let checkpoint = bench.run("run").join("checkpoints/00001-00000");
    for file in ["model.safetensors", "average.safetensors"] {
        let weights = kiln_model::weights::Weights::read(&checkpoint.join(file)).unwrap();
        assert_eq!(weights.description().training.epoch, 1);
    }
    let bytes = fs::read(checkpoint.join("optimizer.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("fc.weight.exp_avg").unwrap().shape(), [10, 320]);
    assert_eq!(file.names().len(), 12, "two for each of six weights");
}
