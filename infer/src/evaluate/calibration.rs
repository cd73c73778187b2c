//! A temperature for weights, and what it changes.

use kiln::Classifier;
use kiln_model::{expected_calibration_error, fit_temperature};
use serde::Serialize;

use super::classify_set::{EvaluateOptions, Evaluated, ImageLogits, classify_set};
use super::error::EvaluateError;
use super::set::EvaluationSet;
use super::summary::{Reliable, bins, nll};

/// A temperature, and the images by which it was found.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Temperature {
    /// What logits are to be divided by.
    pub temperature: f64,
    /// The part of the dataset by which it was found.
    pub split: &'static str,
    /// Images of it.
    pub images: usize,
}

/// How well probabilities fit.
#[derive(Clone, Debug, Serialize)]
pub struct Fit {
    /// Mean cross-entropy, in nats.
    pub nll: f64,
    /// Expected calibration error over 15 bins, 0 to 1.
    pub ece: f64,
    /// The images by their confidence.
    pub reliability: Vec<Reliable>,
}

/// What a temperature changes on the evaluated images. Predicted classes stay what they are.
#[derive(Clone, Debug, Serialize)]
pub struct Calibration {
    /// The temperature.
    #[serde(flatten)]
    pub found: Temperature,
    /// With the temperature that the weights have so far.
    pub before: Fit,
    /// With the one that was found.
    pub after: Fit,
    /// The new weights file, if one is written.
    pub saved: Option<String>,
}

impl Temperature {
    /// Finds the temperature of the least cross-entropy on a set of images, which should be neither those that the network learnt
    /// from nor those that it is tested on.
    ///
    /// # Errors
    /// If the dataset fails, or no temperature is best.
    pub fn find(
        classifier: &Classifier,
        set: &EvaluationSet,
        classes: &[usize],
        options: EvaluateOptions,
        progress: &dyn Fn(usize),
    ) -> Result<Self, EvaluateError> {
        let (mut logits, mut labels) = (Vec::new(), Vec::new());
        let mut keep = |image: ImageLogits<'_>| {
            logits.extend_from_slice(image.logits);
            labels.push(image.label);
        };
        classify_set(classifier, set, classes, options, progress, &mut keep)?;
        let found = fit_temperature(&logits, classifier.classes().len(), &labels);
        let temperature = found.map_err(|source| EvaluateError::Temperature { dataset: set.title(), source })?;
        Ok(Self { temperature, split: set.split.name(), images: labels.len() })
    }
}

impl Fit {
    /// How well the probabilities of judged images fit.
    pub fn of(evaluated: &Evaluated) -> Self {
        let bins = bins(evaluated);
        let ece = expected_calibration_error(&bins);
        Self { nll: nll(evaluated), ece, reliability: bins.iter().map(Reliable::from).collect() }
    }
}
