//! The forms of output, to the field.

use serde_json::{Value, json};

use super::{blank, classify, folder, sample};

/// The keys of an object, in order of appearance in `text`, which serde_json's own map loses.
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn check_answer(answer: &Value, path: &str, topk: usize) {
    assert_eq!(keys(answer), ["ms", "path", "predictions", "preprocess"]);
    assert_eq!(answer["path"], path);
    let predictions = answer["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), topk);
    for prediction in predictions {
        assert_eq!(keys(prediction), ["class", "confidence", "name"]);
        assert_eq!(prediction["name"], prediction["class"].to_string());
    }
    let confidences: Vec<_> = predictions.iter().map(|best| best["confidence"].as_f64().unwrap()).collect();
    assert!(confidences.is_sorted_by(|a, b| a >= b), "best first: {confidences:?}");
    let sum: f64 = confidences.iter().sum();
    assert!(sum <= 1. + 1e-12 && (topk < 10 || (sum - 1.).abs() < 1e-12), "{sum}");
    assert_eq!(keys(&answer["preprocess"]), ["digits_found", "found_ink", "inverted", "region"]);
    assert_eq!(keys(&answer["preprocess"]["region"]), ["height", "left", "top", "width"]);
    assert_eq!(keys(&answer["ms"]), ["decode", "forward", "preprocess"]);
    assert!(answer["ms"].as_object().unwrap().values().all(|time| time.as_f64().unwrap() >= 0.));
}

#[test]
fn json_is_one_object_with_results_and_errors() {
    let folder = folder(&[("a.png", 7), ("c.png", 3)]);
    let ended = classify(folder.path(), &["a.png", "b.png", "c.png", "--format", "json"]);
    assert_eq!(ended.code, Some(1));
    let json = ended.json();
    assert_eq!(keys(&json), ["errors", "model", "results", "schema"]);
    assert_eq!((&json["schema"], &json["model"]), (&json!("kiln.infer/1"), &json!("built-in")));
    let results = json["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    check_answer(&results[0], "a.png", 3);
    check_answer(&results[1], "c.png", 3);
    assert_eq!(json["errors"], json!([{ "path": "b.png", "code": "missing", "message": "no such file" }]));
    assert_eq!(ended.errors(), ["error: b.png: no such file"]);
    assert!(ended.out.ends_with("}\n"));
    let place = |key: &str| ended.out.find(&format!("\"{key}\"")).unwrap();
    let order = ["schema", "model", "results", "path", "predictions", "preprocess", "ms", "errors"].map(place);
    assert!(order.is_sorted(), "fields stand in the documented order");
}

#[test]
fn json_without_any_result_is_whole() {
    let folder = folder(&[]);
    let json = classify(folder.path(), &["a.png", "--format", "json"]).json();
    assert_eq!((json["results"].as_array().unwrap().len(), json["errors"].as_array().unwrap().len()), (0, 1));
}

#[test]
fn logits_come_only_when_asked_for_and_in_class_order() {
    let folder = folder(&[("a.png", 7)]);
    let json = classify(folder.path(), &["a.png", "--format", "json", "--logits", "--topk", "1"]).json();
    let logits: Vec<f64> =
        json["results"][0]["logits"].as_array().unwrap().iter().map(|logit| logit.as_f64().unwrap()).collect();
    assert_eq!(logits.len(), 10);
    assert!(logits.iter().all(|&logit| logit <= logits[7]), "{logits:?}");
    assert_eq!(json["results"][0]["predictions"].as_array().unwrap().len(), 1);
    classify(folder.path(), &["a.png", "--format", "csv", "--logits"]).assert_fails(2, &["--logits", "csv"]);
}

#[test]
fn topk_of_all_classes_sums_to_one_and_more_is_no_error() {
    let folder = folder(&[("a.png", 5)]);
    for topk in ["10", "1000"] {
        let json = classify(folder.path(), &["a.png", "--format", "json", "--topk", topk]).json();
        check_answer(&json["results"][0], "a.png", 10);
    }
    for wrong in ["0", "-1", "x"] {
        assert_eq!(classify(folder.path(), &["a.png", &format!("--topk={wrong}")]).code, Some(2), "{wrong}");
    }
}

#[test]
fn jsonl_is_a_bare_object_a_line_in_input_order() {
    let folder = folder(&[("a.png", 7), ("c.png", 3)]);
    // Batches of one, two and all: the order is always that of the arguments.
    for batch in ["1", "2", "64"] {
        let ended = classify(folder.path(), &["a.png", "b.png", "c.png", "--format", "jsonl", "-b", batch]);
        assert_eq!(ended.code, Some(1));
        let lines: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        check_answer(&lines[0], "a.png", 3);
        assert_eq!(lines[1], json!({ "path": "b.png", "code": "missing", "message": "no such file" }));
        check_answer(&lines[2], "c.png", 3);
    }
}

#[test]
fn csv_has_a_row_a_prediction_and_one_for_each_failure() {
    let name = "a \"good\", long name.png";
    let folder = folder(&[(name, 7)]);
    blank().save(folder.path().join("blank.png")).unwrap();
    let ended = classify(folder.path(), &[name, "missing.png", "blank.png", "--format", "csv", "--topk", "2"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.out.starts_with("path,class,name,confidence,problem\n"), "{}", ended.out);
    assert!(ended.out.contains("\n\"a \"\"good\"\", long name.png\",7,7,0."), "{}", ended.out);
    let mut reader = csv::Reader::from_reader(ended.out.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
    let told: Vec<_> = rows.iter().map(|row| (&row[0], row[1].is_empty(), &row[4])).collect();
    let blanks = ("blank.png", false, "blank");
    assert_eq!(told, [(name, false, ""), (name, false, ""), ("missing.png", true, "missing"), blanks, blanks]);
}

#[test]
fn text_is_aligned_and_without_colour_in_a_pipe() {
    let folder = folder(&[("a.png", 7), ("longer name.png", 3)]);
    let ended = classify(folder.path(), &["a.png", "longer name.png", "--topk", "2"]);
    assert_eq!(ended.code, Some(0));
    let lines: Vec<_> = ended.out.lines().collect();
    assert_eq!(lines.len(), 4, "{}", ended.out);
    for (line, path) in lines.iter().zip(["a.png", "", "longer name.png", ""]) {
        assert!(line.starts_with(&format!("{path:<15}  ")), "{line}");
        assert_eq!(line.chars().position(|character| character == '%'), Some(26), "{line}");
        assert!(!line.contains('\x1b') && !line.ends_with(' '), "{line:?}");
    }
    assert!(lines[0].starts_with("a.png            7  ") && lines[0].ends_with(['█', '▉', '▊', '▋']), "{}", lines[0]);
    let with_logits = classify(folder.path(), &["a.png", "--logits"]);
    assert!(with_logits.out.lines().last().unwrap().contains("logits  "), "{}", with_logits.out);
}

#[test]
fn a_blank_page_is_called_blank() {
    let folder = folder(&[]);
    blank().save(folder.path().join("blank.png")).unwrap();
    let text = classify(folder.path(), &["blank.png"]);
    assert_eq!(text.code, Some(0));
    assert!(text.out.lines().next().unwrap().ends_with("blank: no ink found"), "{}", text.out);
    let json = classify(folder.path(), &["blank.png", &sample(7), "--format", "json"]).json();
    let found = |at: usize| json["results"][at]["preprocess"]["found_ink"].as_bool().unwrap();
    assert!(!found(0) && found(1));
    assert_eq!(json["results"][1]["preprocess"]["inverted"], true);
}

#[cfg(unix)]
#[test]
fn names_that_are_no_utf_8_or_hold_control_characters_are_shown_harmlessly() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = folder(&[]);
    let names = [OsStr::from_bytes(b"not\xffutf8.png"), OsStr::new("two\nlines\x1b[31m.png")];
    for name in names {
        std::fs::copy(sample(7), folder.path().join(name)).unwrap();
    }
    for format in ["text", "json", "jsonl", "csv"] {
        let mut command = super::command(folder.path());
        let ended: super::Ended =
            command.args(names).args(["no\nfile", "--backend", "ndarray", "--format", format]).output().unwrap().into();
        assert_eq!(ended.code, Some(1), "{}", ended.err);
        assert_eq!(ended.errors(), ["error: no\\nfile: no such file"]);
        assert!(ended.out.contains("not\u{fffd}utf8.png"), "{}", ended.out);
        assert!(!ended.out.contains('\x1b'), "{}", ended.out);
    }
}
