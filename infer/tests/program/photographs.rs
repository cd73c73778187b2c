//! Pictures with several digits, answers that are rejected, and what the network saw.

use std::path::Path;

use image::{GrayImage, Luma};
use serde_json::{Value, json};

use super::{blank, classify, folder, mnist_test, sample};

/// MNIST's test images of these indices in a row on a page, dark on light.
fn row(indices: &[usize], path: &Path) {
    let mnist = mnist_test();
    let mut page = GrayImage::from_pixel(40 + 100 * indices.len() as u32, 160, Luma([235]));
    for (place, &index) in indices.iter().enumerate() {
        for (at, &ink) in mnist.pixels(index).unwrap().iter().enumerate() {
            let (x, y) = (20 + 100 * place + at % 28 * 3, 30 + at / 28 * 3);
            for (dx, dy) in (0..9).map(|part| (part % 3, part / 3)) {
                page.put_pixel((x + dx) as u32, (y + dy) as u32, Luma([235 - (f32::from(ink) * 0.85) as u8]));
            }
        }
    }
    page.save(path).unwrap();
}

/// The first test images of MNIST show 7, 2, 1, 0, 4, 1, 4, 9.
const INDICES: [usize; 4] = [0, 1, 3, 4];

#[test]
fn several_digits_are_said_to_be_several() {
    let folder = folder(&[]);
    row(&INDICES, &folder.path().join("row.png"));
    let text = classify(folder.path(), &["row.png"]);
    assert_eq!(text.code, Some(0), "{}", text.err);
    assert!(text.out.lines().next().unwrap().ends_with("4 digits found: use --digits"), "{}", text.out);
    let json = classify(folder.path(), &["row.png", "--format", "json"]).json();
    assert_eq!(json["results"][0]["preprocess"]["digits_found"], 4);
    let csv = classify(folder.path(), &["row.png", "--format", "csv"]);
    assert!(csv.out.lines().nth(1).unwrap().ends_with(",several"), "{}", csv.out);
}

#[test]
fn digits_are_read_from_left_to_right() {
    let folder = folder(&[("7.png", 7)]);
    row(&INDICES, &folder.path().join("row.png"));
    let text = classify(folder.path(), &["row.png", "--digits"]);
    let lines: Vec<_> = text.out.lines().collect();
    assert_eq!((text.code, lines[0], lines.len()), (Some(0), "row.png  7204", 5), "{}", text.out);
    assert!(lines[1].trim_start().starts_with("7 "), "{}", text.out);

    let json = classify(folder.path(), &["row.png", "7.png", "--digits", "--format", "json"]).json();
    let digits = |at: usize| &json["results"][at]["digits"];
    assert_eq!((&digits(0)["number"], &digits(1)["number"]), (&json!("7204"), &json!("7")));
    let lefts: Vec<u64> =
        digits(0)["each"].as_array().unwrap().iter().map(|digit| digit["region"]["left"].as_u64().unwrap()).collect();
    assert!(lefts.is_sorted() && lefts.len() == 4, "{lefts:?}");
    assert!(digits(0)["each"][1]["confidence"].as_f64().unwrap() > 0.5);

    let csv = classify(folder.path(), &["row.png", "--digits", "--format", "csv"]);
    let names: Vec<_> = csv.out.lines().skip(1).map(|line| line.split(',').nth(2).unwrap()).collect();
    assert_eq!(names, ["7", "2", "0", "4"]);
}

#[test]
fn a_blank_page_has_no_digits() {
    let folder = folder(&[]);
    blank().save(folder.path().join("blank.png")).unwrap();
    let json = classify(folder.path(), &["blank.png", "--digits", "--format", "json"]).json();
    let result = &json["results"][0];
    assert_eq!(
        (&result["digits"], &result["preprocess"]["digits_found"]),
        (&json!({"number": "", "each": []}), &json!(0))
    );
    assert!(classify(folder.path(), &["blank.png", "--digits"]).out.contains("blank: no ink found"));
}

#[test]
fn unlikely_answers_are_rejected() {
    let folder = folder(&[("7.png", 7)]);
    let rejected = |limit: &str| -> Value {
        let ended = classify(folder.path(), &["7.png", "--reject-below", limit, "--format", "json"]);
        assert_eq!(ended.code, Some(0));
        ended.json()["results"][0]["rejected"].clone()
    };
    assert_eq!((rejected("0.5"), rejected("1")), (json!(false), json!(true)));
    assert_eq!(classify(folder.path(), &["7.png", "--format", "json"]).json()["results"][0].get("rejected"), None);
    let text = classify(folder.path(), &["7.png", "--reject-below", "1"]).out;
    assert!(text.lines().next().unwrap().ends_with("rejected: less likely than --reject-below"), "{text}");
    let csv = classify(folder.path(), &["7.png", "--reject-below", "1", "--format", "csv", "--topk", "1"]).out;
    assert!(csv.trim_end().ends_with(",rejected"), "{csv}");
    for wrong in ["-0.1", "1.5", "x"] {
        assert_eq!(classify(folder.path(), &["7.png", &format!("--reject-below={wrong}")]).code, Some(2), "{wrong}");
    }
}

#[test]
fn what_the_network_saw_is_saved() {
    let folder = folder(&[("7.png", 7), ("3.png", 3)]);
    let saved = |name: &str| image::open(folder.path().join(name)).unwrap().into_luma8();
    assert_eq!(classify(folder.path(), &["7.png", "--save-input", "seen.png"]).code, Some(0));
    assert_eq!(saved("seen.png").dimensions(), (28, 28));
    assert_eq!(saved("seen.png").get_pixel(0, 0), &Luma([0]));
    // It is read as itself.
    let again = classify(folder.path(), &["7.png", "seen.png", "--format", "json", "--logits"]).json();
    assert_eq!(again["results"][0]["logits"], again["results"][1]["logits"]);

    classify(folder.path(), &["3.png", "--save-input", "seen.png"]).assert_fails(2, &["seen.png", "exists"]);
    classify(folder.path(), &["7.png", "3.png", "--save-input", "two.png"]).assert_fails(2, &["two.png", "folder"]);

    for round in 1..=2 {
        assert_eq!(classify(folder.path(), &["7.png", &sample(3), "--save-input", "seen"]).code, Some(0));
        assert_eq!(std::fs::read_dir(folder.path().join("seen")).unwrap().count(), 2 * round);
    }

    row(&INDICES, &folder.path().join("row.png"));
    classify(folder.path(), &["row.png", "--digits", "--save-input", "number.png"]);
    assert_eq!(saved("number.png").dimensions(), (4 * 28, 28));
}

#[test]
fn digits_need_a_network_that_looks_for_them() {
    let folder = folder(&[("7.png", 7)]);
    let ended = classify(folder.path(), &["export", "plain.safetensors", "--plain"]);
    // `export` knows no --backend.
    assert_eq!(ended.code, Some(2));
    super::infer(folder.path(), &["export", "plain.safetensors", "--plain"]);
    let arguments =
        ["7.png", "--model", "plain.safetensors", "--arch", "resnet8", "--resize-mode", "squash", "--digits"];
    let ended = classify(folder.path(), &arguments);
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    assert!(ended.err.contains("--digits"), "{}", ended.err);
}
