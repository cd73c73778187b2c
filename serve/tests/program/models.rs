//! Several models, and loading them anew.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use kiln_model::Architecture;
use kiln_model::weights::Weights;
use serde_json::json;

use crate::client::{get, post};
use crate::{Limits, Running, sample, source};

/// The built-in weights as a file, whose classes are called as `name` says.
fn write_weights(path: &Path, name: impl Fn(usize) -> String) {
    let plain = Weights::from_bytes(kiln::DIGITS, Path::new("built-in")).and_then(|weights| weights.to_bytes(true));
    let foreign = path.with_extension("plain.safetensors");
    std::fs::write(&foreign, plain.expect("good weights")).expect("a folder");
    let architecture: Architecture = "resnet8".parse().expect("it exists");
    let mut description = kiln_model::weights::Foreign::of(architecture);
    description.classes = Some((0..10).map(name).collect());
    let weights = Weights::read_foreign(&foreign, description).and_then(|weights| weights.to_bytes(false));
    // Replaced at once, as `train` does.
    let aside = path.with_extension("new");
    std::fs::write(&aside, weights.expect("good weights")).expect("a folder");
    std::fs::rename(aside, path).expect("a folder");
}

fn best(running: &Running, model: &str) -> String {
    let answer = post(running.address, &format!("/v1/predict?model={model}"), &sample("7.png"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["model"], *model);
    answer.json()["results"][0]["predictions"][0]["name"].as_str().expect("a name").to_owned()
}

#[test]
fn models_are_asked_by_name_and_the_first_answers_for_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("words.safetensors");
    write_weights(&path, |class| format!("number {class}"));
    let running = Running::serving(vec![source("words", &path), source("digits", "built-in")], Limits::default());
    assert_eq!(best(&running, "digits"), "7");
    assert_eq!(best(&running, "words"), "number 7");
    assert_eq!(post(running.address, "/v1/predict", &sample("7.png")).json()["model"], "words");
    let list = get(running.address, "/v1/model").json();
    let names: Vec<_> = list["models"].as_array().unwrap().iter().map(|model| &model["name"]).collect();
    assert_eq!(names, ["words", "digits"]);
    let one = get(running.address, "/v1/model?model=digits").json();
    let model = &one["models"][0];
    assert_eq!((&model["architecture"], &model["input"]), (&json!("resnet8"), &json!([1, 28, 28])));
    assert_eq!(get(running.address, "/v1/model?model=x").status, 404);
}

#[test]
fn a_reload_loses_no_request_and_a_bad_file_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("words.safetensors");
    write_weights(&path, |class| format!("old {class}"));
    let running = Running::serving(vec![source("words", &path)], Limits::default());
    let (stop, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let name = best(&running, "words");
                    assert!(name == "old 7" || name == "new 7", "{name}");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for turn in 0..6 {
            let before = asked.load(Ordering::Relaxed);
            while asked.load(Ordering::Relaxed) < before + 8 {
                std::thread::yield_now();
            }
            let new = if turn % 2 == 0 { "new" } else { "old" };
            write_weights(&path, |class| format!("{new} {class}"));
            running.reload();
            assert_eq!(best(&running, "words"), format!("{new} 7"));
        }
        stop.store(true, Ordering::Relaxed);
    });
    std::fs::write(&path, b"no weights").expect("a folder");
    running.reload();
    assert_eq!(best(&running, "words"), "old 7", "the old weights stay");
    std::fs::remove_file(&path).expect("it is there");
    running.reload();
    assert_eq!(best(&running, "words"), "old 7");
    let metrics = get(running.address, "/metrics").text();
    for line in [
        r#"kiln_model_reloads_total{model="words",outcome="loaded"} 6"#,
        r#"kiln_model_reloads_total{model="words",outcome="failed"} 2"#,
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}
