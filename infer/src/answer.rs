//! What is said about an image; the JSON formats are this struct.

use std::sync::Arc;
use std::time::Duration;

use kiln::Classifier;
use kiln_model::top;
use serde::Serialize;

use crate::Prepared;
use crate::inputs::Source;

/// What is said about an image.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Classification {
    /// The image as it was named.
    pub path: String,
    /// The likeliest classes, best first.
    pub predictions: Vec<Named>,
    /// All logits in class order, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logits: Option<Vec<f32>>,
    /// The class whose name the image's folder has, if it was found in such a folder.
    #[serde(skip)]
    pub label: Option<usize>,
    /// How the image was fitted.
    pub preprocess: Preprocessing,
    /// How long it took.
    pub ms: Milliseconds,
}

/// A class with its name.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Named {
    /// Index of the class.
    pub class: usize,
    /// Its name.
    pub name: String,
    /// Its probability at the temperature of the weights, 0 to 1.
    pub confidence: f64,
}

/// How an image was fitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Preprocessing {
    /// Whether dark and light were exchanged.
    pub inverted: bool,
    /// `false` when a digit was looked for and the picture is blank: the predictions then mean nothing.
    pub found_ink: bool,
    /// The part of the picture that was used, in its pixels.
    pub region: Region,
}

/// A rectangle, in pixels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Region {
    /// First column.
    pub left: usize,
    /// First row.
    pub top: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// How long an image took, in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Milliseconds {
    /// To read and decode the file.
    pub decode: f64,
    /// To fit it.
    pub preprocess: f64,
    /// Its share of the batch's way through the network.
    pub forward: f64,
}

/// A duration in milliseconds, to the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

impl Classification {
    /// The `topk` likeliest of a classifier's classes by an image's logits, which are kept if `keep_logits`; `forward` is its
    /// share of the batch's time.
    pub fn new(
        image: &Prepared,
        logits: Vec<f32>,
        classifier: &Classifier,
        topk: usize,
        keep_logits: bool,
        forward: Duration,
    ) -> Self {
        let classes = classifier.classes();
        let named = top(&logits, topk, classifier.temperature()).into_iter().map(|best| Named {
            class: best.class,
            name: classes[best.class].to_string(),
            confidence: best.confidence,
        });
        let predictions = named.collect();
        let fitted = &image.fitted;
        let kiln_data::picture::Rect { left, top, width, height } = fitted.region;
        Self {
            path: image.source.to_string(),
            label: label(&image.source, classes),
            predictions,
            logits: keep_logits.then_some(logits),
            preprocess: Preprocessing {
                inverted: fitted.inverted,
                found_ink: fitted.found_ink,
                region: Region { left, top, width, height },
            },
            ms: Milliseconds {
                decode: milliseconds(image.decode),
                preprocess: milliseconds(image.preprocess),
                forward: milliseconds(forward),
            },
        }
    }
}

/// The class that an image is of by the name of the folder in which it was found.
fn label(source: &Source, classes: &[Arc<str>]) -> Option<usize> {
    let Source::InFolder(path) = source else { return None };
    let folder = path.parent()?.file_name()?;
    classes.iter().position(|class| *folder == **class)
}
