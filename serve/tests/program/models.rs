//! Several models, and loading them anew.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use kiln_model::Architecture;
use kiln_model::weights::Weights;
use serde_json::{Value, json};

use crate::client::{get, post};
use crate::{Limits, Running, sample, source};

/// The weights of one of the repository's networks as a file, whose classes are called as `name` says.
pub fn write_weights(path: &Path, network: &str, name: impl Fn(usize) -> String) {
    let (architecture, shipped) = match network {
        "resnet8" => (network, "resnet8-mnist.safetensors"),
        _ => (network, "lecture-cnn.safetensors"),
    };
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/models").join(shipped);
    let plain = Weights::read(&shipped).and_then(|weights| weights.to_bytes(true));
    let foreign = path.with_extension("plain.safetensors");
    std::fs::write(&foreign, plain.expect("good weights")).expect("a folder");
    let architecture: Architecture = architecture.parse().expect("it exists");
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
    write_weights(&path, "resnet8", |class| format!("number {class}"));
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
fn calibrated_weights_say_their_temperature() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("digits.safetensors");
    write_weights(&path, "resnet8", |class| class.to_string());
    let temperature = |model: &Value| model["temperature"].as_f64();
    let calibrated = folder.path().join("calibrated.safetensors");
    let weights = Weights::read(&path).expect("good weights").with_temperature(2.5);
    std::fs::write(&calibrated, weights.to_bytes(false).expect("good weights")).expect("a folder");
    let running = Running::serving(vec![source("plain", &path), source("calibrated", &calibrated)], Limits::default());
    let list = get(running.address, "/v1/model").json();
    let temperatures: Vec<_> = list["models"].as_array().expect("models").iter().map(temperature).collect();
    assert_eq!(temperatures, [Some(1.), Some(2.5)]);
}

/// Ends those who ask, also where a check fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The best class's name, and the logits to four digits: the lecture's network computes the last ones otherwise in a batch.
fn answer(running: &Running) -> (String, Vec<String>) {
    let answer = post(running.address, "/v1/predict?logits=true", &sample("7.png"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let result = &answer.json()["results"][0];
    let logits = result["logits"].as_array().into_iter().flatten().filter_map(Value::as_f64);
    let name = result["predictions"][0]["name"].as_str().expect("a name").to_owned();
    (name, logits.map(|logit| format!("{logit:.3}")).collect())
}

#[test]
fn a_reload_loses_no_request_and_a_bad_file_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("words.safetensors");
    let write = |turn: usize| match turn % 2 {
        0 => write_weights(&path, "resnet8", |class| format!("resnet {class}")),
        _ => write_weights(&path, "lecture-cnn", |class| format!("lecture {class}")),
    };
    write(0);
    // Batches that wait: they span reloads.
    let limits = Limits { wait: Duration::from_millis(20), ..Limits::default() };
    let running = Running::serving(vec![source("words", &path)], limits);
    let resnet = answer(&running);
    write(1);
    running.reload();
    let lecture = answer(&running);
    assert_eq!((resnet.0.as_str(), lecture.0.as_str()), ("resnet 7", "lecture 7"));
    assert_ne!(resnet.1, lecture.1);
    let (stop, wrong, asked) = (AtomicBool::new(false), AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let answer = answer(&running);
                    assert!(
                        answer == resnet || answer == lecture,
                        "names and numbers of different weights: {answer:?}"
                    );
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _stop = Stop(&stop);
        for turn in 0..10 {
            let before = asked.load(Ordering::Relaxed);
            while asked.load(Ordering::Relaxed) < before + 8 && !wrong.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            write(turn);
            running.reload();
            let now = answer(&running);
            assert_eq!(now, if turn % 2 == 0 { resnet.clone() } else { lecture.clone() });
        }
    });
    std::fs::write(&path, b"no weights").expect("a folder");
    running.reload();
    assert_eq!(answer(&running), lecture, "the old weights stay");
    std::fs::remove_file(&path).expect("it is there");
    running.reload();
    assert_eq!(answer(&running), lecture);
    let metrics = get(running.address, "/metrics").text();
    for line in [
        r#"kiln_model_reloads_total{model="words",outcome="loaded"} 11"#,
        r#"kiln_model_reloads_total{model="words",outcome="failed"} 2"#,
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}
