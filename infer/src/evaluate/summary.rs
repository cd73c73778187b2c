//! What is said of weights on a set of images; the JSON format is these structs.

use kiln::Classifier;
use kiln_model::{Confusion, Interval, ReliabilityBin, expected_calibration_error, reliability, wilson};
use serde::Serialize;

use super::classify_set::Evaluated;
use super::set::EvaluationSet;

/// Bins of the calibration error, as many as its authors take (Guo et al. 2017).
pub(super) const BINS: usize = 15;

/// What is said of weights on a set of images.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The weights.
    pub model: String,
    /// Their network.
    pub architecture: String,
    /// What logits are divided by before they become probabilities.
    pub temperature: f64,
    /// Images that were classified.
    pub images: usize,
    /// Those of them that were classified correctly.
    pub correct: usize,
    /// Share of them, 0 to 1.
    pub accuracy: f64,
    /// Lower bound of the accuracy's 95 % interval.
    pub accuracy_low: f64,
    /// Upper bound of the accuracy's 95 % interval.
    pub accuracy_high: f64,
    /// Share of the images whose class is among the first five, 0 to 1; `None` where there are no more than five classes.
    pub top5: Option<f64>,
    /// Mean cross-entropy, in nats.
    pub nll: f64,
    /// Expected calibration error over 15 bins, 0 to 1.
    pub ece: f64,
    /// Means over the classes.
    #[serde(rename = "macro")]
    pub means: Means,
    /// Every class, by index.
    pub per_class: Vec<ClassRow>,
    /// Images by true class (row) and predicted class (column).
    pub confusion: Vec<Vec<u64>>,
    /// The images by their confidence.
    pub reliability: Vec<Reliable>,
    /// The images with the highest loss among those that were misclassified, the worst first.
    pub worst: Vec<WorstMistake>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// Means over the classes, each of which counts alike.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Means {
    /// Mean precision, 0 to 1.
    pub precision: f64,
    /// Mean recall, 0 to 1.
    pub recall: f64,
    /// Mean F1, 0 to 1.
    pub f1: f64,
}

/// What is said of a class.
#[derive(Clone, Debug, Serialize)]
pub struct ClassRow {
    /// Its index.
    pub class: usize,
    /// Its name.
    pub name: String,
    /// Images of it.
    pub images: u64,
    /// Images that were taken for it.
    pub predicted: u64,
    /// Share of the images taken for it that are of it; `None` if none was.
    pub precision: Option<f64>,
    /// Share of its images that were taken for it; `None` if there are none.
    pub recall: Option<f64>,
    /// Harmonic mean of the two; `None` if the class neither has images nor was predicted.
    pub f1: Option<f64>,
}

/// The images of about one confidence.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Reliable {
    /// The confidences above this, ..
    pub low: f64,
    /// .. up to this one.
    pub high: f64,
    /// Images.
    pub images: usize,
    /// Their mean confidence; `None` without images.
    pub confidence: Option<f64>,
    /// Share of them that was classified correctly; `None` without images.
    pub accuracy: Option<f64>,
}

/// An image that was misclassified.
#[derive(Clone, Debug, Serialize)]
pub struct WorstMistake {
    /// Which one of the set, from 0.
    pub index: usize,
    /// Its file, or its number in words.
    pub source: String,
    /// Name of its class.
    pub label: String,
    /// Name of the class that it was taken for.
    pub predicted: String,
    /// Probability of the predicted class, 0 to 1.
    pub confidence: f64,
    /// Its cross-entropy, in nats.
    pub loss: f64,
}

impl Summary {
    /// The summary of images that a classifier was judged by, at its own temperature, with as many as `worst` mistakes; `model`
    /// is what its weights are called.
    pub fn new(model: &str, classifier: &Classifier, set: &EvaluationSet, evaluated: &Evaluated, worst: usize) -> Self {
        let classes: Vec<_> = classifier.classes().iter().map(ToString::to_string).collect();
        let judgements = || evaluated.images.iter().map(|(_, judgement)| judgement);
        let images = evaluated.images.len();
        let share = |count: usize| count as f64 / images as f64;
        let correct = judgements().filter(|judgement| judgement.is_correct()).count();
        let top5 = judgements().filter(|judgement| judgement.rank < 5).count();
        let Interval { low, high } = wilson(correct, images);
        let mut confusion = Confusion::new(classes.len());
        judgements().for_each(|judgement| confusion.count(judgement.label, judgement.predicted));
        let means = confusion.macro_scores();
        let bins = bins(evaluated);
        Self {
            model: model.to_owned(),
            architecture: classifier.architecture().name().to_owned(),
            temperature: classifier.temperature(),
            images,
            correct,
            accuracy: share(correct),
            accuracy_low: low,
            accuracy_high: high,
            top5: (classes.len() > 5).then(|| share(top5)),
            nll: nll(evaluated),
            ece: expected_calibration_error(&bins),
            means: Means { precision: means.precision, recall: means.recall, f1: means.f1 },
            per_class: class_rows(&confusion, &classes),
            confusion: confusion.counts().chunks_exact(classes.len()).map(<[u64]>::to_vec).collect(),
            reliability: bins.iter().map(Reliable::from).collect(),
            worst: worst_mistakes(set, evaluated, &classes, worst),
            seconds: evaluated.seconds,
        }
    }

    /// Names of the classes, by index.
    pub fn class_names(&self) -> impl Iterator<Item = &str> {
        self.per_class.iter().map(|row| row.name.as_str())
    }
}

/// Mean cross-entropy, in nats.
pub(super) fn nll(evaluated: &Evaluated) -> f64 {
    evaluated.images.iter().map(|(_, judgement)| judgement.loss).sum::<f64>() / evaluated.images.len() as f64
}

/// The images by their confidence.
pub(super) fn bins(evaluated: &Evaluated) -> Vec<ReliabilityBin> {
    let images = evaluated.images.iter().map(|(_, judgement)| (judgement.confidence, judgement.is_correct()));
    reliability(images, BINS)
}

fn class_rows(confusion: &Confusion, classes: &[String]) -> Vec<ClassRow> {
    let scores = confusion.class_scores().into_iter().zip(classes).enumerate();
    let row = |(class, (scores, name)): (usize, (kiln_model::ClassScores, &String))| ClassRow {
        class,
        name: name.clone(),
        images: scores.images,
        predicted: scores.predicted,
        precision: scores.precision(),
        recall: scores.recall(),
        f1: scores.f1(),
    };
    scores.map(row).collect()
}

fn worst_mistakes(set: &EvaluationSet, evaluated: &Evaluated, classes: &[String], most: usize) -> Vec<WorstMistake> {
    let mut mistakes: Vec<_> = evaluated.images.iter().filter(|(_, judgement)| !judgement.is_correct()).collect();
    mistakes.sort_by(|(a, first), (b, second)| second.loss.total_cmp(&first.loss).then(a.cmp(b)));
    let mistake = |&&(index, judgement): &&(usize, kiln_model::Judgement)| WorstMistake {
        index,
        source: set.source(index),
        label: classes[judgement.label].clone(),
        predicted: classes[judgement.predicted].clone(),
        confidence: judgement.confidence,
        loss: judgement.loss,
    };
    mistakes.iter().take(most).map(mistake).collect()
}

impl From<&ReliabilityBin> for Reliable {
    fn from(bin: &ReliabilityBin) -> Self {
        Self {
            low: bin.low,
            high: bin.high,
            images: bin.images,
            confidence: bin.confidence(),
            accuracy: bin.accuracy(),
        }
    }
}
