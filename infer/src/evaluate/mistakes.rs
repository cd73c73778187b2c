//! Pictures of mistakes.

use kiln_report::{Mistake, RgbPicture};

use super::set::EvaluationSet;
use super::summary::Summary;

/// The worst mistakes with their pictures.
pub(super) fn mistakes(set: &EvaluationSet, summary: &Summary) -> Vec<Mistake> {
    let with_picture = |mistake: &super::summary::WorstMistake| {
        let picture = set.image(mistake.index).and_then(|image| image.picture);
        Mistake {
            picture: picture.and_then(|picture| {
                RgbPicture::of_planes([picture.channels, picture.height, picture.width], &picture.pixels)
            }),
            source: mistake.source.clone(),
            truth: mistake.label.clone(),
            predicted: mistake.predicted.clone(),
            confidence: mistake.confidence,
        }
    };
    summary.worst.iter().map(with_picture).collect()
}
