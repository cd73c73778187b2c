//! The loop: a batch of images is prepared, classified and reported before the next one is touched.

use std::ffi::OsString;
use std::io;
use std::time::{Duration, Instant};

use kiln_backend::{Backend, Program, Target};
use kiln_model::weights::{Weights, WeightsError};
use rayon::prelude::*;

use crate::inputs::{Found, InputError, expand};
use crate::report::Report;
use crate::{Answer, Classifier, Prepared, prepare};

/// How images are classified.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many classes an answer names.
    pub topk: usize,
    /// Whether answers hold the logits.
    pub logits: bool,
    /// Images that go through the network together.
    pub batch_size: usize,
}

/// How it went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Images with an answer.
    pub answered: usize,
    /// Inputs without one.
    pub failed: usize,
}

/// Why classifying stops altogether.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// The weights do not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The answers cannot be written.
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// Classifies all images that `arguments` name (see [`expand`]) and reports them in order. An input that fails is
/// reported too, and the others go on.
///
/// # Errors
/// If the weights do not fit, or the report cannot be written.
pub fn predict(
    target: &Target,
    weights: &Weights,
    arguments: Vec<OsString>,
    options: &Options,
    report: &mut dyn Report,
) -> Result<Outcome, PredictError> {
    target.run(Predict { weights, arguments, options, report })
}

struct Predict<'a> {
    weights: &'a Weights,
    arguments: Vec<OsString>,
    options: &'a Options,
    report: &'a mut dyn Report,
}

impl Program for Predict<'_> {
    type Output = Result<Outcome, PredictError>;

    fn run<B: Backend>(self, device: B::Device) -> Self::Output {
        let Self { weights, arguments, options, report } = self;
        let classifier = Classifier::<B>::new(weights, device)?;
        let mut outcome = Outcome::default();
        let mut sources = expand(arguments);
        loop {
            let batch: Vec<Found> = sources.by_ref().take(options.batch_size).collect();
            if batch.is_empty() {
                break;
            }
            let images = prepare_all(batch, weights);
            let records = classify(&classifier, images, weights, options);
            outcome.failed += records.iter().filter(|record| record.is_err()).count();
            outcome.answered += records.iter().filter(|record| record.is_ok()).count();
            report.batch(records)?;
        }
        report.finish()?;
        Ok(outcome)
    }
}

/// Decodes and fits a batch, in order. One image alone does not start the thread pool.
fn prepare_all(batch: Vec<Found>, weights: &Weights) -> Vec<Result<Prepared, InputError>> {
    let preprocess = &weights.description().preprocess;
    let one = |found: Found| found.and_then(|source| prepare(source, preprocess));
    if batch.len() == 1 {
        return batch.into_iter().map(one).collect();
    }
    batch.into_par_iter().map(one).collect()
}

/// Answers a batch, in order.
fn classify<B: Backend>(
    classifier: &Classifier<B>,
    images: Vec<Result<Prepared, InputError>>,
    weights: &Weights,
    options: &Options,
) -> Vec<Result<Answer, InputError>> {
    let pixels: Vec<u8> = images.iter().flatten().flat_map(|image| image.fitted.pixels.iter().copied()).collect();
    if pixels.is_empty() {
        return images.into_iter().filter_map(Result::err).map(Err).collect();
    }
    let start = Instant::now();
    let rows = classifier.logits(&pixels);
    let share: Duration = start.elapsed() / rows.len() as u32;
    let mut rows = rows.into_iter();
    let mut answer = |image: Prepared| {
        let logits = rows.next().unwrap_or_default();
        Answer::new(&image, logits, &weights.description().classes, options.topk, options.logits, share)
    };
    images.into_iter().map(|image| image.map(&mut answer)).collect()
}
