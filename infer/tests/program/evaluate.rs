//! `infer evaluate`: numbers, files and exit codes, on MNIST and on folders of pictures.

use std::fs;
use std::path::Path;

use image::RgbImage;
use kiln_model::weights::{Description, Weights};
use serde_json::Value;

use super::{Ended, assets, classify, command, folder, infer, sample};

/// Evaluates on the CPU and on the MNIST that comes with Kiln.
fn evaluate(folder: &Path, arguments: &[&str]) -> Ended {
    let mnist = assets("mnist");
    let own = ["evaluate", "--offline", "--backend", "ndarray", "--data-dir", mnist.to_str().unwrap()];
    command(folder).args(own).args(arguments).output().unwrap().into()
}

fn lecture() -> String {
    assets("models/lecture-cnn.safetensors").to_str().unwrap().to_owned()
}

#[track_caller]
fn good(ended: Ended) -> Ended {
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    ended
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn array(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is no array"))
}

/// The weights of the lecture's network under another description.
fn described(path: &Path, change: impl FnOnce(&mut Description)) {
    let bytes = fs::read(lecture()).unwrap();
    let length = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let json = header["__metadata__"]["kiln"].as_str().unwrap();
    let mut description = Description::from_json(json).unwrap();
    change(&mut description);
    header["__metadata__"]["kiln"] = description.to_json().into();
    let header = header.to_string();
    let header = format!("{header:<width$}", width = header.len().next_multiple_of(8));
    fs::write(path, [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &bytes[8 + length..]].concat()).unwrap();
}

/// A folder of pictures with a folder for each digit, under these names.
fn digits(root: &Path, names: &[&str]) {
    for (digit, name) in names.iter().enumerate() {
        fs::create_dir_all(root.join(name)).unwrap();
        fs::copy(sample(digit), root.join(name).join("sample.png")).unwrap();
    }
}

const WORDS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

#[test]
fn weights_have_the_accuracy_that_they_say_they_have() {
    let folder = folder(&[]);
    let json = good(evaluate(folder.path(), &["--compare", "built-in", &lecture(), "--format", "json"])).json();
    let said = |path: &str| Weights::read(&assets(path)).unwrap().description().training.test_accuracy.unwrap();
    let said = [said("models/resnet8-mnist.safetensors"), said("models/lecture-cnn.safetensors")];
    assert_eq!([0, 1].map(|place| number(&json["models"][place]["accuracy"])), said);
    assert_eq!(json["models"][0]["images"], 10_000);

    let comparison = &json["comparison"];
    let cells =
        ["both_correct", "only_a_correct", "only_b_correct", "both_wrong"].map(|cell| number(&comparison[cell]));
    assert_eq!(cells.iter().sum::<f64>(), 10_000.);
    assert_eq!((cells[0] + cells[1]) / 1e4, said[0]);
    assert_eq!((cells[0] + cells[2]) / 1e4, said[1]);
    assert!((number(&comparison["difference"]) - (said[1] - said[0])).abs() < 1e-12);
    assert!(number(&comparison["difference_high"]) < 0. && number(&comparison["p_value"]) < 1e-9);
    assert_eq!(comparison["significant"], true);
}

#[test]
fn the_object_holds_together() {
    let folder = folder(&[]);
    let path = folder.path().join("all.csv");
    let ended = evaluate(
        folder.path(),
        &["-m", &lecture(), "--limit", "1500", "--format", "json", "--predictions", "all.csv", "--worst", "7"],
    );
    let json = good(ended).json();
    assert_eq!(
        (&json["schema"], &json["dataset"], &json["split"]),
        (&"kiln.evaluate/1".into(), &"mnist".into(), &"test".into())
    );
    let model = &json["models"][0];
    let rows: Vec<csv::StringRecord> = csv::Reader::from_path(path).unwrap().records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 1500);
    let correct = rows.iter().filter(|row| row[2] == row[3]).count();
    assert_eq!(model["correct"], correct);
    assert!((number(&model["accuracy"]) - correct as f64 / 1500.).abs() < 1e-12);
    assert!(number(&model["accuracy_low"]) < number(&model["accuracy"]));
    let losses = rows.iter().map(|row| row[5].parse::<f64>().unwrap());
    assert!((number(&model["nll"]) - losses.sum::<f64>() / 1500.).abs() < 1e-9);
    assert!((0.98..=1.).contains(&number(&model["top5"])) && (0. ..0.05).contains(&number(&model["ece"])));

    let count = |label: usize, predicted: usize| {
        let [label, predicted] = [label, predicted].map(|class| class.to_string());
        rows.iter().filter(|row| row[2] == *label && row[3] == *predicted).count()
    };
    for (label, row) in array(&model["confusion"]).iter().enumerate() {
        for (predicted, found) in array(row).iter().enumerate() {
            assert_eq!(*found, count(label, predicted));
        }
        assert_eq!(
            model["per_class"][label]["images"],
            (0..10).map(|predicted| count(label, predicted)).sum::<usize>()
        );
    }
    assert_eq!(array(&model["reliability"]).iter().map(|bin| number(&bin["images"])).sum::<f64>(), 1500.);
    let worst: Vec<_> = array(&model["worst"]).iter().map(|mistake| number(&mistake["loss"])).collect();
    assert!(worst.len() == 7 && worst.is_sorted_by(|a, b| a >= b), "{worst:?}");
    assert!(json.get("comparison").is_none() && json.get("calibration").is_none());
}

#[test]
fn text_for_people_is_plain_in_a_pipe() {
    let folder = folder(&[]);
    let ended = good(evaluate(folder.path(), &["-m", "built-in", "--limit", "300"]));
    assert_eq!(ended.err, "", "no progress in a pipe");
    assert!(!ended.out.contains('\u{1b}'), "{}", ended.out);
    for part in
        ["mnist, test: 300 images", "accuracy", "95 % interval", "top-5", "NLL", "ECE", "confusion", "precision"]
    {
        assert!(ended.out.contains(part), "no {part} in {}", ended.out);
    }
    let compared = good(evaluate(folder.path(), &["--compare", "built-in", "built-in", "--limit", "300"]));
    assert!(
        compared.out.contains("not significant at the 5 % level") && compared.out.contains("p = 1.000"),
        "{}",
        compared.out
    );
}

#[test]
fn a_temperature_found_on_held_out_images_fits_others_better() {
    let folder = folder(&[("7.png", 7)]);
    let arguments =
        ["-m", "built-in", "--limit", "4000", "--calibrate", "--save", "new.safetensors", "--format", "json"];
    let json = good(evaluate(folder.path(), &arguments)).json();
    let calibration = &json["calibration"];
    // The recipe of the built-in weights held out 5,000 of the training images.
    assert_eq!((&calibration["split"], &calibration["images"]), (&"valid".into(), &5000.into()));
    let temperature = number(&calibration["temperature"]);
    assert!((0.4..0.9).contains(&temperature), "{temperature}");
    for measure in ["nll", "ece"] {
        let [before, after] = ["before", "after"].map(|when| number(&calibration[when][measure]));
        assert!(after < before, "{measure}: {before} before, {after} after");
        assert_eq!(json["models"][0][measure], calibration["before"][measure]);
    }

    let again = good(evaluate(folder.path(), &["-m", "new.safetensors", "--limit", "4000", "--format", "json"])).json();
    assert_eq!(again["models"][0]["temperature"], calibration["temperature"]);
    assert_eq!(again["models"][0]["nll"], calibration["after"]["nll"]);
    assert_eq!(again["models"][0]["correct"], json["models"][0]["correct"]);
    // Whoever uses the weights gets the new probabilities, of the same logits.
    let answer = |model: &str| {
        let json = good(classify(folder.path(), &["7.png", "-m", model, "--logits", "--format", "json"])).json();
        let result = &json["results"][0];
        (number(&result["predictions"][0]["confidence"]), result["logits"].clone())
    };
    let ((before, logits), (after, same)) = (answer("built-in"), answer("new.safetensors"));
    assert!(after > before && logits == same, "{before}, {after}");

    evaluate(folder.path(), &arguments).assert_fails(2, &["--save new.safetensors: is there already"]);
    for part in ["test", "all"] {
        let refused = evaluate(folder.path(), &["--calibrate", "--calibrate-split", part]);
        assert!(refused.code == Some(2) && refused.err.contains("[possible values: valid, train]"), "{}", refused.err);
    }
    evaluate(folder.path(), &["-m", &lecture(), "--calibrate"]).assert_fails(2, &["mnist: has no validation part"]);
}

#[test]
fn tables_pictures_and_pages_are_written_once() {
    let folder = folder(&[]);
    let files = ["c.csv", "c.png", "w.png", "r.html"];
    let arguments = [
        "-m",
        &lecture(),
        "--limit",
        "1000",
        "--worst",
        "4",
        "--confusion",
        files[0],
        "--confusion",
        files[1],
        "--worst-sheet",
        files[2],
        "--report",
        files[3],
    ];
    good(evaluate(folder.path(), &arguments));
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let picture = |name: &str| -> RgbImage { image::load_from_memory(&read(name)).unwrap().to_rgb8() };
    assert!(picture("c.png").width() > 400 && picture("w.png").width() > 200);
    let table = String::from_utf8(read("c.csv")).unwrap();
    let lines: Vec<Vec<_>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!((lines.len(), lines[0].join(" ")), (11, "true 0 1 2 3 4 5 6 7 8 9".to_owned()));
    let sum: u32 = lines[1..].iter().flat_map(|line| &line[1..]).map(|count| count.parse::<u32>().unwrap()).sum();
    assert_eq!(sum, 1000);
    let page = String::from_utf8(read("r.html")).unwrap();
    assert_eq!(page.matches("data:image/png;base64,").count(), 4, "the worst mistakes");
    for part in ["<svg", "Confusion matrix", "Every class", "95 % interval", "Configuration", "trained on"] {
        assert!(page.contains(part), "no {part}");
    }
    for file in files {
        let before = read(file);
        let flag = if file == "w.png" { "--worst-sheet" } else { "--confusion" };
        let flag = if file == "r.html" { "--report" } else { flag };
        let again = ["-m", &lecture(), "--limit", "9", flag, file];
        evaluate(folder.path(), &again).assert_fails(2, &[file, "is there already"]);
        assert_eq!(read(file), before);
    }
    for (flag, file, code) in [
        ("--confusion", "c.jpg", 2),
        ("--report", "r.txt", 2),
        ("--worst-sheet", "w", 2),
        ("--report", "none/r.html", 6),
    ] {
        evaluate(folder.path(), &[flag, file]).assert_fails(code, &[flag, file]);
    }
}

#[test]
fn classes_of_folders_are_found_by_name_in_any_order() {
    let folder = folder(&[]);
    let (numbers, words) = (folder.path().join("numbers"), folder.path().join("words"));
    digits(&numbers, &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    digits(&words, &WORDS);
    described(&folder.path().join("words.safetensors"), |description| {
        description.classes = WORDS.map(str::to_owned).to_vec();
        description.training.dataset = "words".to_owned();
    });
    let evaluate =
        |arguments: &[&str]| evaluate(folder.path(), &[arguments, &["--split", "all", "--format", "json"]].concat());
    let accuracy = |ended: Ended| number(&good(ended).json()["models"][0]["accuracy"]);
    let by_number = accuracy(evaluate(&["-m", &lecture(), "--dataset", "numbers"]));
    assert!(by_number >= 0.8, "{by_number}");
    assert_eq!(accuracy(evaluate(&["-m", "words.safetensors", "--dataset", "words"])), by_number);
    // The part that is split off for testing is two of the ten.
    let test = super::command(folder.path())
        .args(["evaluate", "--backend", "ndarray", "-m", "words.safetensors", "--dataset", "words", "--format", "json"])
        .output();
    assert_eq!(Ended::from(test.unwrap()).json()["models"][0]["images"], 2);

    let words = ["not in the weights: `eight`", "not in words: `0`"];
    evaluate(&["-m", &lecture(), "--dataset", "words"]).assert_fails(3, &words);
    fs::remove_dir_all(folder.path().join("numbers/9")).unwrap();
    evaluate(&["-m", &lecture(), "--dataset", "numbers"])
        .assert_fails(3, &["numbers has 9 classes", "10", "not in numbers: `9`"]);
    evaluate(&["-m", "words.safetensors"]).assert_fails(2, &["`words`", "--dataset"]);
    evaluate(&["--compare", "words.safetensors", "built-in"]).assert_fails(2, &["`words`", "`mnist`", "--dataset"]);
}

#[test]
fn names_in_any_script_and_pictures_that_cannot_be_read_do_no_harm() {
    let folder = folder(&[]);
    let names = ["<b>0<b>", "猫", "お", "a,b", "\"", "four", "é", "seven & more", "8\u{202e}", "9"];
    digits(&folder.path().join("names"), &names);
    fs::write(folder.path().join("names/9/broken.png"), "no picture").unwrap();
    // Every answer is wrong: names are found by order.
    described(&folder.path().join("names.safetensors"), |description| {
        description.classes = names.iter().rev().map(|&name| name.to_owned()).collect();
    });
    let ended = evaluate(
        folder.path(),
        &[
            "-m",
            "names.safetensors",
            "--dataset",
            "names",
            "--split",
            "all",
            "--confusion",
            "c.png",
            "--confusion",
            "c.csv",
            "--worst-sheet",
            "w.png",
            "--report",
            "r.html",
        ],
    );
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("left out: names/9/broken.png: "), "{}", ended.err);
    assert!(ended.out.contains("10 images") && ended.out.contains("猫"), "{}", ended.out);
    let page = fs::read_to_string(folder.path().join("r.html")).unwrap();
    assert!(page.contains("&lt;b&gt;0&lt;b&gt;") && !page.contains("<b>0<b>"), "names are escaped");
    assert!(page.contains("seven &amp; more") && page.contains("pictures left out as unreadable"));
    let table: Vec<csv::StringRecord> =
        csv::Reader::from_path(folder.path().join("c.csv")).unwrap().records().map(Result::unwrap).collect();
    assert_eq!(table.iter().map(|row| &row[0]).collect::<Vec<_>>(), names.iter().rev().copied().collect::<Vec<_>>());

    fs::remove_dir_all(folder.path().join("names/9")).unwrap();
    for name in names {
        let _ = fs::write(folder.path().join("names").join(name).join("sample.png"), "no picture");
    }
    fs::create_dir(folder.path().join("names/9")).unwrap();
    fs::write(folder.path().join("names/9/sample.png"), "").unwrap();
    evaluate(folder.path(), &["-m", "names.safetensors", "--dataset", "names", "--split", "all"])
        .assert_fails(4, &["names"]);
}

#[test]
fn what_cannot_be_evaluated_says_why() {
    let folder = folder(&[]);
    described(&folder.path().join("unknown.safetensors"), |description| description.training = Default::default());
    let cases: [(&[&str], i32, &[&str]); 8] = [
        (&["-m", "unknown.safetensors"], 2, &["unknown.safetensors: do not say", "--dataset"]),
        (&["--dataset", "nothing"], 2, &["unknown dataset `nothing`"]),
        (&["-m", "missing"], 3, &["missing: no such weights file"]),
        (&["--compare", "built-in", "missing"], 3, &["missing: no such weights file"]),
        (&["--split", "valid", "-m", &lecture()], 2, &["mnist: has no validation part", "--split"]),
        (&["--dataset", "cifar10", "--data-dir", "."], 4, &["cifar10: not found", "--data-dir"]),
        (&["--limit", "0"], 2, &["--limit"]),
        (&["--batch-size", "0"], 2, &["--batch-size"]),
    ];
    for (arguments, code, words) in cases {
        evaluate(folder.path(), arguments).assert_fails(code, words);
    }
    for arguments in [
        &["--compare", "built-in"][..],
        &["--compare", "a", "b", "-m", "c"],
        &["--save", "x.safetensors"],
        &["--split", "most"],
    ] {
        assert_eq!(infer(folder.path(), &[&["evaluate"], arguments].concat()).code, Some(2), "{arguments:?}");
    }
    if !cfg!(feature = "wgpu") {
        infer(folder.path(), &["evaluate", "--backend", "wgpu"]).assert_fails(5, &["wgpu"]);
    }
}
