//! What is said of a network's answers, against SciPy, scikit-learn and statsmodels (`golden/statistics.py`).

use kiln_model::{
    Confusion, Judgement, Paired, expected_calibration_error, fit_temperature, reliability, softmax, wilson,
};
use serde_json::Value;

const CLASSES: usize = 7;

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/statistics.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn logits(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|number| number as f32).collect()
}

fn labels(golden: &Value) -> Vec<usize> {
    numbers(&golden["labels"]).into_iter().map(|label| label as usize).collect()
}

#[track_caller]
fn assert_near(found: f64, expected: &Value, tolerance: f64) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
}

fn judged(golden: &Value, temperature: f64) -> Vec<Judgement> {
    let logits = logits(&golden["logits"]);
    let rows = logits.chunks(CLASSES).zip(labels(golden));
    rows.map(|(row, label)| Judgement::of(row, label, temperature)).collect()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<_> = values.collect();
    values.iter().sum::<f64>() / values.len() as f64
}

fn error_of_15_bins(judgements: &[Judgement]) -> f64 {
    let images = judgements.iter().map(|judgement| (judgement.confidence, judgement.is_correct()));
    expected_calibration_error(&reliability(images, 15))
}

#[test]
fn judgements_sum_up_to_what_scikit_learn_finds() {
    let golden = golden();
    let judgements = judged(&golden, 1.);
    let share =
        |of: fn(&Judgement) -> bool| mean(judgements.iter().map(|judgement| f64::from(u8::from(of(judgement)))));
    assert_near(share(Judgement::is_correct), &golden["accuracy"], 1e-12);
    assert_near(share(|judgement| judgement.rank < 5), &golden["top5"], 1e-12);
    assert_near(mean(judgements.iter().map(|judgement| judgement.loss)), &golden["nll"], 1e-9);
    assert_near(error_of_15_bins(&judgements), &golden["ece"], 1e-12);
}

#[test]
fn classes_score_as_in_scikit_learn() {
    let golden = golden();
    let mut confusion = Confusion::new(CLASSES);
    judged(&golden, 1.).iter().for_each(|judgement| confusion.count(judgement.label, judgement.predicted));
    let counts: Vec<_> = confusion.counts().iter().map(|&count| count as f64).collect();
    assert_eq!(counts, numbers(&golden["confusion"]));
    for (class, scores) in confusion.class_scores().iter().enumerate() {
        // scikit-learn says 0 where there is nothing to say.
        assert_near(scores.precision().unwrap_or(0.), &golden["precision"][class], 1e-12);
        assert_near(scores.recall().unwrap_or(0.), &golden["recall"][class], 1e-12);
        assert_near(scores.f1().unwrap_or(0.), &golden["f1"][class], 1e-12);
    }
    let means = confusion.macro_scores();
    for (found, expected) in [means.precision, means.recall, means.f1].iter().zip(golden["macro"].as_array().unwrap()) {
        assert_near(*found, expected, 1e-12);
    }
}

#[test]
fn the_temperature_is_the_one_that_scipy_finds() {
    let golden = golden();
    let temperature = fit_temperature(&logits(&golden["logits"]), CLASSES, &labels(&golden)).unwrap();
    // A search by values alone finds a minimum to the square root of their precision.
    assert_near(temperature, &golden["temperature"], 1e-6);
    let judgements = judged(&golden, temperature);
    assert_near(mean(judgements.iter().map(|judgement| judgement.loss)), &golden["tempered_nll"], 1e-9);
    assert_near(error_of_15_bins(&judgements), &golden["tempered_ece"], 1e-6);
    // Judgements and probabilities are of the same numbers.
    let row = &logits(&golden["logits"])[..CLASSES];
    let probability = softmax(row, temperature)[judgements[0].predicted];
    assert!((probability - judgements[0].confidence).abs() < 1e-12);
}

#[test]
fn intervals_of_shares_are_those_of_statsmodels() {
    for case in golden()["wilson"].as_array().unwrap() {
        let interval = wilson(case[0].as_u64().unwrap() as usize, case[1].as_u64().unwrap() as usize);
        assert_near(interval.low, &case[2], 1e-12);
        assert_near(interval.high, &case[3], 1e-12);
    }
}

fn paired(case: &Value) -> Paired {
    let count = |place: usize| case[place].as_u64().unwrap();
    Paired { both: count(0), only_second: count(1), only_first: count(2), neither: count(3) }
}

#[test]
fn two_networks_are_compared_as_in_statsmodels() {
    let golden = golden();
    for case in golden["mcnemar"].as_array().unwrap() {
        let expected = case[4].as_f64().unwrap();
        let found = paired(case).p_value();
        assert!((found - expected).abs() <= 1e-10 * expected, "{found} is not {expected}");
    }
    for case in golden["paired"].as_array().unwrap() {
        let interval = paired(case).interval();
        assert_near(interval.low, &case[4], 1e-6);
        assert_near(interval.high, &case[5], 1e-6);
        assert!(interval.low < paired(case).difference() && paired(case).difference() < interval.high);
    }
    let nothing = Paired::default();
    assert!(nothing.p_value() == 1. && nothing.interval().low == -1. && nothing.difference().is_nan());
}
