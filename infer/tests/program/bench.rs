//! `infer bench`.

use super::{folder, infer};

#[test]
fn networks_are_timed_at_each_batch_size() {
    let folder = folder(&[]);
    let arguments =
        ["bench", "--arch", "lecture-cnn,resnet8", "-b", "1,3", "--seconds", "0.05", "--backend", "ndarray"];
    let ended = infer(folder.path(), &[&arguments[..], &["--threads", "1", "--format", "json"]].concat());
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let json = ended.json();
    assert_eq!(json["schema"], "kiln.bench/1");
    let results = json["results"].as_array().unwrap();
    let rows: Vec<_> =
        results.iter().map(|row| (row["arch"].as_str().unwrap(), row["batch"].as_u64().unwrap())).collect();
    assert_eq!(rows, [("lecture-cnn", 1), ("lecture-cnn", 3), ("resnet8", 1), ("resnet8", 3)]);
    for row in results {
        assert_eq!((&row["backend"], &row["threads"]), (&"ndarray".into(), &1.into()));
        let [p50, p90, p99, rate] =
            ["p50_ms", "p90_ms", "p99_ms", "images_per_second"].map(|key| row[key].as_f64().unwrap());
        assert!(0. < p50 && p50 <= p90 && p90 <= p99, "{row}");
        // Passes one after the other: half of them take no longer than the median.
        assert!(rate < 2.1e3 * row["batch"].as_f64().unwrap() / p50, "{row}");
    }
}

#[test]
fn without_an_architecture_it_is_the_weights_that_classify() {
    let folder = folder(&[]);
    let ended = infer(folder.path(), &["bench", "--seconds", "0.02", "--backend", "ndarray"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.starts_with("weights: built-in"), "{}", ended.err);
    assert!(ended.out.lines().count() == 2 && ended.out.contains("resnet8 "), "{}", ended.out);
    infer(folder.path(), &["bench", "--arch", "mlp", "--img-size", "30"]).assert_fails(2, &["--img-size 30", "mlp"]);
    infer(folder.path(), &["bench", "-m", "nothing"]).assert_fails(3, &["nothing"]);
}
