//! Which weights are used, and what is said of those that cannot be.

use std::fs;
use std::path::Path;

use kiln_backend::Reference;
use kiln_model::Architecture;
use kiln_model::weights::{Description, Weights, to_bytes};
use serde_json::json;

use super::{assets, classify, folder};

/// Random weights of an architecture under the description of the lecture's, changed by `change`.
fn write(path: &Path, tensors: Architecture, change: impl FnOnce(&mut Description)) {
    let lecture = Weights::read(&assets("models/lecture-cnn.safetensors")).unwrap();
    let mut description = lecture.description().clone();
    change(&mut description);
    let network = tensors.seeded::<Reference>(&tensors.sizes(description.config.classes), 1, &Default::default());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, to_bytes(&network, &description).unwrap()).unwrap();
}

#[test]
fn without_a_choice_the_newest_run_goes_before_the_built_in_weights() {
    let folder = folder(&[("7.png", 7)]);
    let model = |arguments: &[&str]| {
        let ended = classify(folder.path(), &[&["7.png", "--format", "json"], arguments].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        let lines = ended.err.lines().count();
        (ended.json()["model"].as_str().unwrap().to_owned(), ended.err, lines)
    };
    let (used, line, lines) = model(&[]);
    assert_eq!((used.as_str(), lines), ("built-in", 1));
    assert!(line.starts_with("weights: built-in (resnet8 trained on mnist, 99.72 % on its test set)"), "{line}");

    // A run that has not finished its first epoch.
    let run = folder.path().join("runs/first");
    fs::create_dir_all(&run).unwrap();
    fs::write(folder.path().join("runs/latest"), "first\n").unwrap();
    let (used, line, _) = model(&[]);
    assert!(used == "built-in" && line.contains("runs/first has none yet"), "{line}");

    let best = run.join("best.safetensors");
    write(&best, Architecture::Mlp, |description| description.architecture = "mlp".to_owned());
    let best = "runs/first/best.safetensors";
    let (used, line, _) = model(&[]);
    assert_eq!(used, best);
    assert!(line.starts_with(&format!("weights: {best}, the newest run's (mlp trained on mnist")), "{line}");

    // By file, folder, name, and under another folder for runs.
    for arguments in
        [["--model", best], ["--weights", "runs/first"], ["-m", "first"], ["-m", "runs/latest"], ["-m", "latest"]]
    {
        let (used, line, _) = model(&arguments);
        assert_eq!((used.as_str(), line.as_str()), (best, ""), "{arguments:?}");
    }
    // A newer run that has none yet does not hide it.
    fs::create_dir_all(folder.path().join("runs/second")).unwrap();
    fs::write(run.join("config.toml"), "").unwrap();
    fs::write(folder.path().join("runs/latest"), "second\n").unwrap();
    let (used, line, _) = model(&[]);
    assert!(
        used == best && line.contains("newest run that has some") && line.contains("runs/second has none"),
        "{line}"
    );
    fs::remove_dir(folder.path().join("runs/second")).unwrap();
    fs::write(folder.path().join("runs/latest"), "first\n").unwrap();

    assert_eq!(model(&["--model", "built-in"]).0, "built-in");
    assert_eq!(model(&["--output", "elsewhere"]).0, "built-in");
    fs::rename(folder.path().join("runs"), folder.path().join("elsewhere")).unwrap();
    assert_eq!(model(&["--output", "elsewhere"]).0, "elsewhere/first/best.safetensors");
}

#[test]
fn weights_that_cannot_be_used_exit_3_with_one_line() {
    let folder = folder(&[("7.png", 7)]);
    let path = |name: &str| folder.path().join(name);
    let whole = fs::read(assets("models/lecture-cnn.safetensors")).unwrap();
    fs::write(path("half.safetensors"), &whole[..whole.len() / 2]).unwrap();
    fs::write(path("empty.safetensors"), "").unwrap();
    fs::write(path("text.safetensors"), "no weights at all").unwrap();
    fs::create_dir(path("no-run")).unwrap();
    write(&path("other.safetensors"), Architecture::Mlp, |_| {});
    write(&path("unknown.safetensors"), Architecture::Mlp, |description| description.architecture = "vgg".to_owned());
    write(&path("large.safetensors"), Architecture::LectureCnn, |description| description.preprocess.height = 32);
    write(&path("unnamed.safetensors"), Architecture::LectureCnn, |description| description.classes.truncate(9));
    write(&path("none.safetensors"), Architecture::LectureCnn, |description| {
        description.classes.clear();
        description.config.classes = 0;
    });
    let cases: [(&str, &[&str]); 10] = [
        ("none.safetensors", &["no classes"]),
        ("missing", &["missing: no such weights file", "runs"]),
        ("no-run", &["no-run: no best.safetensors"]),
        ("half.safetensors", &["half.safetensors: damaged"]),
        ("empty.safetensors", &["empty.safetensors: damaged"]),
        ("text.safetensors", &["text.safetensors: damaged"]),
        ("other.safetensors", &["other.safetensors: ", "conv1.weight", "[10, 1, 5, 5]"]),
        ("unknown.safetensors", &["`vgg`", "infer models"]),
        ("large.safetensors", &["[1, 32, 28]", "[1, 28, 28]"]),
        ("unnamed.safetensors", &["9 class names", "10 classes"]),
    ];
    for (model, words) in cases {
        let ended = classify(folder.path(), &["7.png", "--format", "json", "-m", model]);
        ended.assert_fails(3, words);
        assert_eq!(ended.out, "", "nothing is begun");
    }
}

#[test]
fn damaged_weights_of_the_newest_run_are_not_passed_over() {
    let folder = folder(&[("7.png", 7)]);
    fs::create_dir_all(folder.path().join("runs/first")).unwrap();
    fs::write(folder.path().join("runs/latest"), "first\n").unwrap();
    fs::write(folder.path().join("runs/first/best.safetensors"), "half").unwrap();
    classify(folder.path(), &["7.png"]).assert_fails(3, &["runs/first/best.safetensors: damaged"]);
}

/// The built-in tensors as PyTorch users save them: without Kiln's entry.
fn write_foreign(path: &Path) {
    let whole = fs::read(assets("models/lecture-cnn.safetensors")).unwrap();
    let start = 8 + u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&whole[8..start]).unwrap();
    header.as_object_mut().unwrap().remove("__metadata__").unwrap();
    let mut header = header.to_string();
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    let length = (header.len() as u64).to_le_bytes();
    fs::write(path, [&length, header.as_bytes(), &whole[start..]].concat()).unwrap();
}

#[test]
fn weights_of_somebody_else_need_the_networks_name() {
    let folder = folder(&[("7.png", 7)]);
    write_foreign(&folder.path().join("torch.safetensors"));
    let with = |arguments: &[&str]| {
        classify(folder.path(), &[&["7.png", "--format", "json", "-m", "torch.safetensors"], arguments].concat())
    };
    with(&[]).assert_fails(3, &["torch.safetensors: ", "--arch"]);
    let ended = with(&["--arch", "lecture-cnn"]);
    assert_eq!((ended.code, &ended.json()["results"][0]["predictions"][0]["name"]), (Some(0), &json!("7")));
    with(&["--arch", "mlp"]).assert_fails(3, &["fc5.weight", "--arch"]);

    let ten = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    fs::write(folder.path().join("names.txt"), ten.join("\r\n")).unwrap();
    let named = with(&["--arch", "lecture-cnn", "--classes", "names.txt"]).json();
    assert_eq!(named["results"][0]["predictions"][0]["name"], "seven");
    fs::write(folder.path().join("names.txt"), "cat\ndog\n").unwrap();
    with(&["--arch", "lecture-cnn", "--classes", "names.txt"]).assert_fails(3, &["2 class names", "10 classes"]);
    with(&["--arch", "lecture-cnn", "--classes", "missing.txt"]).assert_fails(3, &["missing.txt: class names"]);

    for own in ["built-in", assets("models/lecture-cnn.safetensors").to_str().unwrap()] {
        classify(folder.path(), &["7.png", "-m", own, "--arch", "lecture-cnn"]).assert_fails(2, &["leave out --arch"]);
    }
    assert_eq!(classify(folder.path(), &["7.png", "--arch", "lecture-cnn"]).code, Some(2), "whose?");
    assert_eq!(with(&["--classes", "names.txt"]).code, Some(2));
}
