//! What is said about an image; the JSON formats are this struct.

use std::sync::Arc;
use std::time::Duration;

use kiln::Classifier;
use kiln_data::preprocess::Fitted;
use kiln_model::top;
use serde::Serialize;

use crate::Prepared;
use crate::inputs::Source;

/// How much an answer says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnswerOptions {
    /// How many classes it names.
    pub topk: usize,
    /// Whether it holds the logits.
    pub logits: bool,
    /// The probability below which it is rejected.
    pub reject_below: Option<f64>,
}

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
    /// The digits of the image, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digits: Option<Digits>,
    /// Whether the likeliest class, or a digit's, is less likely than was asked for; `None` if nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<bool>,
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

/// The digits of an image.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Digits {
    /// Their names in a row: a number.
    pub number: String,
    /// Each of them, from left to right.
    pub each: Vec<DigitRead>,
}

/// One of several digits.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DigitRead {
    /// The likeliest class.
    #[serde(flatten)]
    pub best: Named,
    /// Where it stands in the image, in its pixels.
    pub region: Region,
}

/// How an image was fitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Preprocessing {
    /// Whether dark and light were exchanged.
    pub inverted: bool,
    /// `false` when a digit was looked for and the picture is blank: the predictions then mean nothing.
    pub found_ink: bool,
    /// How many digits stand in the picture, where digits are looked for. If several, the predictions are for the most
    /// prominent one.
    pub digits_found: usize,
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

impl From<kiln_data::picture::Rect> for Region {
    fn from(rect: kiln_data::picture::Rect) -> Self {
        let kiln_data::picture::Rect { left, top, width, height } = rect;
        Self { left, top, width, height }
    }
}

/// The likeliest classes by logits, best first.
fn likeliest(logits: &[f32], classifier: &Classifier, count: usize) -> Vec<Named> {
    let named = top(logits, count, classifier.temperature()).into_iter().map(|best| Named {
        class: best.class,
        name: classifier.classes()[best.class].to_string(),
        confidence: best.confidence,
    });
    named.collect()
}

impl Classification {
    /// What a classifier says about an image by its logits, and those of its digits if they were asked for; `forward` is its
    /// share of the batch's time.
    pub fn new(
        image: &Prepared,
        logits: Vec<f32>,
        digits: &[Vec<f32>],
        classifier: &Classifier,
        options: AnswerOptions,
        forward: Duration,
    ) -> Self {
        let predictions = likeliest(&logits, classifier, options.topk);
        let fitted = &image.fitted;
        let digits = image.digits.as_ref().map(|fitted| Digits::new(fitted, digits, classifier));
        let each = digits.iter().flat_map(|digits| digits.each.iter().map(|digit| &digit.best));
        let least = each.chain(&predictions[..1]).map(|named| named.confidence).fold(1.0, f64::min);
        Self {
            path: image.source.to_string(),
            label: label(&image.source, classifier.classes()),
            rejected: options.reject_below.map(|limit| least < limit),
            predictions,
            digits,
            logits: options.logits.then_some(logits),
            preprocess: Preprocessing {
                inverted: fitted.inverted,
                found_ink: fitted.found_ink,
                digits_found: fitted.digits_found,
                region: fitted.region.into(),
            },
            ms: Milliseconds {
                decode: milliseconds(image.decode),
                preprocess: milliseconds(image.preprocess),
                forward: milliseconds(forward),
            },
        }
    }
}

impl Digits {
    fn new(fitted: &[Fitted], logits: &[Vec<f32>], classifier: &Classifier) -> Self {
        let read = |(fitted, logits): (&Fitted, &Vec<f32>)| {
            let best = likeliest(logits, classifier, 1).remove(0);
            DigitRead { best, region: fitted.region.into() }
        };
        let each: Vec<DigitRead> = fitted.iter().zip(logits).map(read).collect();
        Self { number: each.iter().map(|digit| &*digit.best.name).collect(), each }
    }
}

impl Classification {
    /// What keeps the predictions from being an answer, in a word.
    pub fn problem(&self) -> Option<&'static str> {
        let Preprocessing { found_ink, digits_found, .. } = self.preprocess;
        match (found_ink, self.rejected) {
            (false, _) => Some("blank"),
            _ if digits_found > 1 && self.digits.is_none() => Some("several"),
            (true, Some(true)) => Some("rejected"),
            _ => None,
        }
    }
}

/// The class that an image is of by the name of the folder in which it was found.
fn label(source: &Source, classes: &[Arc<str>]) -> Option<usize> {
    let Source::InFolder(path) = source else { return None };
    let folder = path.parent()?.file_name()?;
    classes.iter().position(|class| *folder == **class)
}
