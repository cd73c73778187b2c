//! Files of an evaluation: tables as CSV, pictures as PNG.

use kiln_report::{Matrix, png};

use super::classify_set::Evaluated;
use super::mistakes::mistakes;
use super::set::EvaluationSet;
use super::summary::Summary;

/// The confusion matrix as CSV: a row for each true class, a column for each predicted one.
pub fn confusion_csv(summary: &Summary) -> Vec<u8> {
    let head = std::iter::once("true".to_owned()).chain(summary.class_names().map(str::to_owned));
    let rows = summary
        .confusion
        .iter()
        .zip(summary.class_names())
        .map(|(row, name)| std::iter::once(name.to_owned()).chain(row.iter().map(u64::to_string)).collect());
    table(std::iter::once(head.collect()).chain(rows))
}

/// The confusion matrix as a PNG file.
pub fn confusion_png(summary: &Summary) -> Vec<u8> {
    png::confusion(&matrix(summary))
}

/// The confusion matrix as reports take it.
pub(super) fn matrix(summary: &Summary) -> Matrix {
    Matrix { classes: summary.class_names().map(str::to_owned).collect(), counts: summary.confusion.concat() }
}

/// The worst mistakes as a PNG file.
pub fn worst_sheet(set: &EvaluationSet, summary: &Summary) -> Vec<u8> {
    png::contact_sheet(&mistakes(set, summary))
}

/// What was said of every image, as CSV.
pub fn predictions_csv(set: &EvaluationSet, evaluated: &Evaluated, summary: &Summary) -> Vec<u8> {
    const HEADER: [&str; 6] = ["index", "source", "label", "predicted", "confidence", "loss"];
    let name = |class: usize| summary.per_class[class].name.clone();
    let rows = evaluated.images.iter().map(|&(index, judgement)| {
        let (label, predicted) = (name(judgement.label), name(judgement.predicted));
        let (confidence, loss) = (judgement.confidence.to_string(), judgement.loss.to_string());
        vec![index.to_string(), set.source(index), label, predicted, confidence, loss]
    });
    table(std::iter::once(HEADER.map(str::to_owned).to_vec()).chain(rows))
}

fn table(records: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        writer.write_record(record).unwrap_or_else(|error| unreachable!("memory takes everything: {error}"));
    }
    writer.into_inner().unwrap_or_else(|error| unreachable!("memory takes everything: {error}"))
}
