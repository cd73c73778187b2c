//! Results as a page.

use kiln_report::{Block, Column, Figure, Reliability, Report, Section, Table};

use super::calibration::Calibration;
use super::comparison::Comparison;
use super::files::matrix;
use super::mistakes::mistakes;
use super::percent::{percent, percent_or_dash};
use super::results::Results;
use super::set::EvaluationSet;
use super::summary::{Reliable, Summary};

/// Results as an HTML page; `configuration` are names and values of what was asked for.
pub fn page(results: &Results, set: &EvaluationSet, configuration: Vec<(String, String)>) -> String {
    let models: Vec<_> = results.models.iter().map(|model| model.architecture.as_str()).collect();
    let title = format!("{} on {}", models.join(" and "), set.title());
    let names: Vec<_> = results.models.iter().map(|model| model.model.as_str()).collect();
    let mut sections = Vec::new();
    sections.extend(results.comparison.as_ref().map(compared));
    for (place, model) in results.models.iter().enumerate() {
        let before = if results.models.len() > 1 { ["A: ", "B: "][place % 2] } else { "" };
        sections.extend(summary(model, set, before));
    }
    sections.extend(results.calibration.as_ref().map(calibrated));
    let left_out = (results.unreadable > 0)
        .then(|| ("pictures left out as unreadable".to_owned(), results.unreadable.to_string()));
    let configuration = configuration.into_iter().chain(left_out);
    let configuration = Table::of_pairs("What was evaluated and how", ["option", "value"], configuration);
    sections.push(Section { heading: "Configuration".to_owned(), blocks: vec![Block::Table(configuration)] });
    Report { title, subtitle: names.join(" and "), sections }.to_html()
}

fn figure(name: &str, value: String, note: String) -> Figure {
    Figure { name: name.to_owned(), value, note }
}

fn columns(names: &[(&str, bool)]) -> Vec<Column> {
    names.iter().map(|&(name, numeric)| Column { name: name.to_owned(), numeric }).collect()
}

fn summary(model: &Summary, set: &EvaluationSet, before: &str) -> Vec<Section> {
    let section = |heading: &str, blocks| Section { heading: format!("{before}{heading}"), blocks };
    let confusion = Block::Confusion(matrix(model));
    let mut sections = vec![
        section("Results", vec![Block::Figures(figures(model))]),
        section("Confusion matrix", vec![confusion]),
        section("Classes", vec![Block::Table(classes(model))]),
        section("Calibration", reliability(&model.reliability)),
    ];
    if !model.worst.is_empty() {
        sections.push(section("Worst mistakes, by loss", vec![Block::Mistakes(mistakes(set, model))]));
    }
    sections
}

fn figures(model: &Summary) -> Vec<Figure> {
    let (low, high) = (percent(model.accuracy_low), percent(model.accuracy_high));
    let mut figures = vec![figure("Accuracy", percent(model.accuracy), format!("95 % interval {low} to {high}"))];
    figures.extend(model.top5.map(|top5| figure("Top-5 accuracy", percent(top5), String::new())));
    let temperature = match model.temperature {
        1. => String::new(),
        temperature => format!("at temperature {temperature:.4}"),
    };
    figures.push(figure("Negative log-likelihood", format!("{:.4}", model.nll), format!("nats {temperature}")));
    figures.push(figure("Calibration error", percent(model.ece), "expected, over 15 bins".to_owned()));
    figures.push(figure("F1", percent(model.means.f1), "mean over the classes".to_owned()));
    figures.push(figure("Images", model.images.to_string(), format!("{} classified correctly", model.correct)));
    figures
}

fn classes(model: &Summary) -> Table {
    let row = |row: &super::summary::ClassRow| {
        let shares = [row.precision, row.recall, row.f1].map(percent_or_dash);
        [vec![row.name.clone(), row.images.to_string(), row.predicted.to_string()], shares.to_vec()].concat()
    };
    let names =
        [("class", false), ("images", true), ("predicted", true), ("precision", true), ("recall", true), ("F1", true)];
    Table {
        caption: "Every class".to_owned(),
        columns: columns(&names),
        rows: model.per_class.iter().map(row).collect(),
        folded: model.per_class.len() > 30,
    }
}

fn reliability(bins: &[Reliable]) -> Vec<Block> {
    let filled = |bin: &Reliable| {
        let (confidence, accuracy) = bin.confidence.zip(bin.accuracy)?;
        Some(Reliability { low: bin.low, high: bin.high, images: bin.images, confidence, accuracy })
    };
    let filled: Vec<_> = bins.iter().filter_map(filled).collect();
    let row = |bin: &Reliability| {
        let range = format!("{:.3} to {:.3}", bin.low, bin.high);
        vec![range, bin.images.to_string(), percent(bin.confidence), percent(bin.accuracy)]
    };
    let names = [("confidence", false), ("images", true), ("mean confidence", true), ("accuracy", true)];
    let table = Table {
        caption: "Images by confidence".to_owned(),
        columns: columns(&names),
        rows: filled.iter().map(row).collect(),
        folded: true,
    };
    vec![Block::Reliability(filled), Block::Table(table)]
}

fn compared(comparison: &Comparison) -> Section {
    let Comparison { both_correct, only_a_correct, only_b_correct, both_wrong, .. } = comparison;
    let row = |name: &str, counts: [&u64; 2]| {
        let counts = counts.into_iter().map(u64::to_string);
        std::iter::once(name.to_owned()).chain(counts).collect::<Vec<_>>()
    };
    let table = Table {
        caption: "Images by who classified them correctly".to_owned(),
        columns: columns(&[("", false), ("B correct", true), ("B wrong", true)]),
        rows: vec![row("A correct", [both_correct, only_a_correct]), row("A wrong", [only_b_correct, both_wrong])],
        folded: false,
    };
    let blocks = vec![Block::Text(comparison.conclusion()), Block::Table(table)];
    Section { heading: "Comparison of A and B".to_owned(), blocks }
}

fn calibrated(calibration: &Calibration) -> Section {
    let Calibration { found, before, after, saved } = calibration;
    let row = |name: &str, values: [String; 2]| {
        let [before, after] = values;
        vec![name.to_owned(), before, after]
    };
    let nll = [before.nll, after.nll].map(|nll| format!("{nll:.4}"));
    let table = Table {
        caption: "Before and after, on the evaluated images".to_owned(),
        columns: columns(&[("", false), ("before", true), ("after", true)]),
        rows: vec![row("negative log-likelihood", nll), row("calibration error", [before.ece, after.ece].map(percent))],
        folded: false,
    };
    let (temperature, images, split) = (found.temperature, found.images, found.split);
    let saved = saved.iter().map(|file| format!(" Saved in {file}.")).collect::<String>();
    let text = format!("Temperature {temperature:.4}, found on {images} held-out images ({split}).{saved}");
    let mut blocks = vec![Block::Text(text), Block::Table(table)];
    blocks.extend(reliability(&after.reliability));
    Section { heading: "Temperature scaling".to_owned(), blocks }
}
