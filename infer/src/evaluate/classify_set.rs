//! The loop: batches are prepared ahead, classified, and judged.

use std::sync::Arc;
use std::time::Instant;

use burn_dataset::Dataset;
use kiln::Classifier;
use kiln_data::{Loader, LoaderConfig, PlainBatch};
use kiln_model::Judgement;

use super::error::EvaluateError;
use super::set::EvaluationSet;

/// How images are classified.
#[derive(Clone, Copy, Debug)]
pub struct EvaluateOptions {
    /// Images that go through the network together.
    pub batch_size: usize,
    /// Threads that prepare batches.
    pub workers: usize,
}

/// What a network computed of an image.
#[derive(Clone, Copy, Debug)]
pub struct ImageLogits<'a> {
    /// Which image of the set.
    pub index: usize,
    /// Its class, as the network numbers classes.
    pub label: usize,
    /// `[classes]`.
    pub logits: &'a [f32],
}

/// A set whose images were judged.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// The readable images, in order: which one of the set, and what the network said of it.
    pub images: Vec<(usize, Judgement)>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// Classifies the images of a set and gives what the network computed of each, in order; pictures that cannot be read are left
/// out. `classes` are the network's classes of the dataset's; `progress` hears how many images are done.
///
/// # Errors
/// If the dataset fails, or none of its pictures can be read.
pub fn classify_set(
    classifier: &Classifier,
    set: &EvaluationSet,
    classes: &[usize],
    options: EvaluateOptions,
    progress: &dyn Fn(usize),
    each: &mut dyn FnMut(ImageLogits<'_>),
) -> Result<(), EvaluateError> {
    let EvaluateOptions { batch_size, workers } = options;
    let (mut before, mut read) = (0, false);
    for images in &set.sets {
        let config = LoaderConfig { batch_size, shuffle: None, workers, augment: None };
        let loader = Loader::new(&set.dataset, Arc::new(images.clone()), classifier.preprocess(), config);
        for (number, batch) in loader.epoch(1, 0).enumerate() {
            let PlainBatch { images: pixels, shape, labels, indices, .. } = batch?;
            let logits = classifier.logits(&pixels, shape);
            // The preprocessing of the weights made them.
            let logits = logits.unwrap_or_else(|error| unreachable!("images for this network: {error}"));
            let rows = logits.chunks_exact(classifier.classes().len());
            for ((row, label), index) in rows.zip(labels).zip(indices) {
                read = true;
                each(ImageLogits { index: before + index, label: classes[label], logits: row });
            }
            progress(before + ((number + 1) * batch_size).min(images.len()));
        }
        before += images.len();
    }
    if read { Ok(()) } else { Err(set.none_read()) }
}

/// Judges the images of a set at each of the `temperatures`.
///
/// # Errors
/// As [`classify_set`].
pub fn evaluate(
    classifier: &Classifier,
    set: &EvaluationSet,
    classes: &[usize],
    options: EvaluateOptions,
    temperatures: &[f64],
    progress: &dyn Fn(usize),
) -> Result<Vec<Evaluated>, EvaluateError> {
    let started = Instant::now();
    let mut judged = vec![Vec::with_capacity(set.len()); temperatures.len()];
    classify_set(classifier, set, classes, options, progress, &mut |ImageLogits { index, label, logits }| {
        for (judged, &temperature) in judged.iter_mut().zip(temperatures) {
            judged.push((index, Judgement::of(logits, label, temperature)));
        }
    })?;
    let seconds = started.elapsed().as_secs_f64();
    Ok(judged.into_iter().map(|images| Evaluated { images, seconds }).collect())
}
