//! `infer models`, `infer doctor`, and what the program says about itself.

use serde_json::json;

use super::{classify, folder, infer};

#[test]
fn models_are_listed_with_their_sizes() {
    let folder = folder(&[]);
    let table = infer(folder.path(), &["models"]);
    assert_eq!((table.code, table.err.as_str()), (Some(0), ""));
    let rows: Vec<Vec<_>> = table.out.lines().map(|line| line.split_whitespace().collect()).collect();
    let row = |name: &str| rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("no {name}"));
    // 10 x 24 x 24 x 25 + 20 x 8 x 8 x 250 + 320 x 10 multiply-adds.
    assert!(row("lecture-cnn").ends_with(&["8490", "467200", "1x28x28"]), "{}", table.out);
    assert!(row("mlp").ends_with(&["575050", "574080", "1x28x28"]), "{}", table.out);

    let json = infer(folder.path(), &["models", "--format", "json"]).json();
    assert_eq!(json["schema"], "kiln.models/1");
    let cnn = &json["models"][0];
    assert_eq!(cnn["name"], "lecture-cnn");
    assert_eq!((&cnn["parameters"], &cnn["input"]), (&json!(8490), &json!([1, 28, 28])));
}

#[test]
fn a_model_is_shown_layer_by_layer() {
    let folder = folder(&[]);
    let layers = infer(folder.path(), &["models", "lecture-cnn"]);
    assert_eq!(layers.code, Some(0));
    for part in ["conv1", "conv 5x5", "10x24x24", "20x4x4", "8490"] {
        assert!(layers.out.contains(part), "no {part} in {}", layers.out);
    }
    let json = infer(folder.path(), &["models", "lecture-cnn", "--format", "json"]).json();
    assert_eq!(json["models"].as_array().unwrap().len(), 1);
    assert_eq!(json["models"][0]["layers"][0]["output"], json!([10, 24, 24]));
    let unknown = infer(folder.path(), &["models", "vgg"]);
    assert!(unknown.code == Some(2) && unknown.err.contains("lecture-cnn, mlp"), "{}", unknown.err);
}

#[test]
fn the_doctor_lists_backends_and_finds_the_cpu_healthy() {
    let folder = folder(&[]);
    let report = infer(folder.path(), &["doctor"]);
    assert_eq!(report.code, Some(0), "{}", report.out);
    assert!(!report.err.contains("panicked"), "{}", report.err);
    for part in ["--backend ndarray", "flex", "--backend wgpu", "--device 0  CPU", "lecture-cnn", "mlp"] {
        assert!(report.out.contains(part), "no {part} in {}", report.out);
    }
    if !cfg!(feature = "wgpu") {
        assert!(report.out.contains("rebuild with `--features wgpu`"), "{}", report.out);
    }
}

#[test]
fn files_called_like_a_command_can_be_reached() {
    let folder = folder(&[("models", 4), ("doctor", 5)]);
    let ended = classify(folder.path(), &["./models", "./doctor", "--format", "csv", "--topk", "1"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.contains("./models,4,") && ended.out.contains("./doctor,5,"), "{}", ended.out);
}

#[test]
fn the_program_writes_its_manual_and_completions() {
    let folder = folder(&[]);
    let generate = |what: &str| {
        let ended = infer(folder.path(), &["--generate", what]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{what}");
        ended.out
    };
    let manual = generate("man");
    // A page for the program and one for each command.
    for title in [".TH infer 1", ".TH infer-export 1", ".TH infer-explain 1"] {
        assert!(manual.contains(title), "no {title}");
    }
    assert!(manual.contains("max\\-pixels") && manual.contains("topk"));
    for (shell, sign) in [
        ("complete-bash", "complete -F _infer"),
        ("complete-zsh", "#compdef infer"),
        ("complete-fish", "complete -c infer"),
        ("complete-powershell", "Register-ArgumentCompleter"),
        ("complete-elvish", "edit:completion"),
    ] {
        let script = generate(shell);
        assert!(script.contains(sign) && script.contains("explain") && script.contains("topk"), "{shell}");
    }
    // The networks' names are completed, and are no wall of text elsewhere.
    assert!(generate("complete-bash").contains("densenet121"));
    assert!(!manual.contains("densenet121") && !infer(folder.path(), &["bench", "--help"]).out.contains("densenet121"));
    assert_eq!(infer(folder.path(), &["--generate", "man", "x.png"]).code, Some(2));
}

#[test]
fn colours_are_for_terminals_or_who_asks() {
    let folder = folder(&[("7.png", 7)]);
    let coloured = |arguments: &[&str]| {
        let ended = classify(folder.path(), &[&["7.png"], arguments].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        ended.out.contains('\u{1b}')
    };
    assert!(!coloured(&[]) && !coloured(&["--color", "auto"]) && !coloured(&["--color", "never"]));
    assert!(coloured(&["--color", "always"]));
}
