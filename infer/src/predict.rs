//! The loop: a batch of images is prepared, classified and reported before the next one is touched.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use kiln::{Classifier, Preprocess};
use rayon::prelude::*;

use crate::inputs::{Found, InputError, Inputs, expand};
use crate::report::Report;
use crate::save_input::SaveInput;
use crate::{AnswerOptions, Classification, Prepared, prepare, prepare_digits};

/// How images are classified.
#[derive(Clone, Debug)]
pub struct PredictOptions {
    /// How much each answer says.
    pub answer: AnswerOptions,
    /// Images that go through the network together.
    pub batch_size: usize,
    /// Whether folders are searched to their bottom.
    pub recursive: bool,
    /// The most pixels of an image that is decoded.
    pub max_pixels: u64,
    /// Whether each digit of an image is read by itself.
    pub digits: bool,
    /// Where the network's inputs are written.
    pub save_input: Option<SaveInput>,
}

/// How many inputs were classified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Images with an answer.
    pub answered: usize,
    /// Inputs without one.
    pub failed: usize,
    /// Images with an answer that were found in a folder called like a class.
    pub labelled: usize,
    /// Those of them whose likeliest class is that of the folder.
    pub correct: usize,
}

impl Counts {
    /// A line on how many images have the class of their folder.
    pub fn accuracy(&self) -> String {
        let Self { labelled, correct, .. } = self;
        let percent = 100. * *correct as f64 / *labelled as f64;
        format!("accuracy: {percent:.2} % ({correct} of {labelled} images in folders called like a class)")
    }
}

/// Why the loop ends early.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// The report cannot be written.
    #[error(transparent)]
    Report(#[from] io::Error),
    /// The network's input cannot be saved.
    #[error("{}: cannot be written: {error}", .path.display())]
    Save {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Classifies all images that `arguments` name (see [`expand`]) and reports them in order. An input that fails is reported
/// too, and the others go on.
///
/// # Errors
/// If the report cannot be written, or an input not be saved.
pub fn predict(
    classifier: &Classifier,
    arguments: Vec<OsString>,
    options: &PredictOptions,
    report: &mut dyn Report,
) -> Result<Counts, PredictError> {
    let mut counts = Counts::default();
    let mut sources = expand(arguments, options.recursive);
    loop {
        let batch = next_batch(&mut sources, options.batch_size);
        if batch.is_empty() {
            break;
        }
        let images = prepare_all(batch, classifier.preprocess(), options);
        if let Some(save) = &options.save_input {
            for image in images.iter().flatten() {
                save.save(image, classifier.preprocess())?;
            }
        }
        let records = classify(classifier, images, options);
        counts.failed += records.iter().filter(|record| record.is_err()).count();
        for answer in records.iter().flatten() {
            counts.answered += 1;
            counts.labelled += usize::from(answer.label.is_some());
            counts.correct += usize::from(answer.label == Some(answer.predictions[0].class));
        }
        report.batch(records)?;
    }
    report.finish()?;
    Ok(counts)
}

/// The next sources, as many as go through the network together, or fewer where waiting for more would hold up their answers.
fn next_batch(sources: &mut Inputs, size: usize) -> Vec<Found> {
    let mut batch = Vec::new();
    while batch.len() < size && (batch.is_empty() || !sources.may_wait()) {
        match sources.next() {
            Some(source) => batch.push(source),
            None => break,
        }
    }
    batch
}

/// Decodes and fits a batch, in order. One image alone does not start the thread pool.
fn prepare_all(
    batch: Vec<Found>,
    preprocess: &Preprocess,
    options: &PredictOptions,
) -> Vec<Result<Prepared, InputError>> {
    let prepare = if options.digits { prepare_digits } else { prepare };
    let one = |found: Found| found.and_then(|source| prepare(source, preprocess, options.max_pixels));
    if batch.len() == 1 {
        return batch.into_iter().map(one).collect();
    }
    batch.into_par_iter().map(one).collect()
}

/// Answers a batch, in order.
fn classify(
    classifier: &Classifier,
    images: Vec<Result<Prepared, InputError>>,
    options: &PredictOptions,
) -> Vec<Result<Classification, InputError>> {
    let inputs =
        images.iter().flatten().flat_map(|image| [&image.fitted].into_iter().chain(image.digits.iter().flatten()));
    let pixels: Vec<u8> = inputs.flat_map(|fitted| fitted.pixels.iter().copied()).collect();
    if pixels.is_empty() {
        return images.into_iter().filter_map(Result::err).map(Err).collect();
    }
    let start = Instant::now();
    let logits = classifier.logits_of_pixels(&pixels).unwrap_or_else(|error| unreachable!("whole images: {error}"));
    let mut rows = logits.chunks_exact(classifier.classes().len());
    let share: Duration = start.elapsed() / images.iter().flatten().count() as u32;
    let mut answer = |image: Prepared| {
        let logits = rows.next().unwrap_or_default().to_vec();
        let count = image.digits.as_ref().map_or(0, Vec::len);
        let digits: Vec<_> = rows.by_ref().take(count).map(<[f32]>::to_vec).collect();
        Classification::new(&image, logits, &digits, classifier, options.answer, share)
    };
    images.into_iter().map(|image| image.map(&mut answer)).collect()
}
