//! `report.html`: the run on a page.

use burn_dataset::Dataset;
use kiln_cli::{RunFolder, note, write_file};
use kiln_data::ImageSet;
use kiln_model::{Confusion, Interval, Judgement, wilson};
use kiln_report::{Block, Column, Curve, Curves, Figure, Matrix, Mistake, Report, RgbPicture, Section, Table};

use super::evaluation::Evaluation;
use super::outcome::Outcome;
use super::progress::{Progress, Row};
use crate::data::RunData;
use crate::options::Options;

/// What the page is about.
pub struct RunReport<'a> {
    /// The run's folder.
    pub run: &'a RunFolder,
    /// Its options.
    pub options: &'a Options,
    /// Its images.
    pub data: &'a RunData,
    /// How far it has come.
    pub progress: &'a Progress,
    /// How it ended; `None` if it was interrupted.
    pub outcome: Option<&'a Outcome>,
    /// What the evaluation of the best epoch found, if that is at hand.
    pub evaluation: Option<&'a Evaluation>,
}

impl RunReport<'_> {
    /// Writes the page. It repeats what other files of the run say, so a run does not fail for it: a line says why it is missing.
    pub fn write(&self) {
        if let Err(failure) = write_file(&self.run.report(), self.page().to_html().as_bytes()) {
            note(&format!("warning: {failure}"));
        }
    }

    fn page(&self) -> Report {
        let Self { run, options, data, progress, .. } = self;
        let mut sections = vec![section("Results", vec![Block::Figures(self.figures())])];
        if !progress.rows.is_empty() {
            sections.push(section("Curves", vec![Block::Charts(curves(&progress.rows, data.valid_name()))]));
        }
        sections.extend(self.evaluation.iter().flat_map(|evaluation| evaluated(evaluation, data)));
        if !progress.rows.is_empty() {
            sections.push(section("Epochs", vec![Block::Table(epochs(&progress.rows))]));
        }
        let facts = Block::Table(Table::of_pairs("The run", ["what", "value"], self.facts()));
        sections.push(section("Configuration", vec![facts, Block::Code(options.to_toml())]));
        let (model, dataset) = (options.recipe.model, &data.name);
        Report { title: run.name(), subtitle: format!("{model} trained on {dataset}"), sections }
    }

    fn figures(&self) -> Vec<Figure> {
        let Self { options, data, progress, outcome, .. } = self;
        let chosen = format!("chosen on the {} set", data.valid_name());
        let mut figures = Vec::new();
        if let Some(outcome) = outcome {
            let best = interval(outcome.best_test_accuracy, data.test.len());
            let epoch = format!("{best}; epoch {}, {chosen}", outcome.best_epoch);
            figures.push(figure("Test accuracy, best epoch", percent(outcome.best_test_accuracy), epoch));
            let last = interval(outcome.test_accuracy, data.test.len());
            figures.push(figure("Test accuracy, last epoch", percent(outcome.test_accuracy), last));
            figures.push(figure("Training time", format!("{:.0} s", outcome.seconds), String::new()));
            let speed = format!("{:.0} images/s", outcome.images_per_second);
            figures.push(figure("Speed", speed, "training alone".to_owned()));
            figures.push(figure("Parameters", outcome.parameters.to_string(), outcome.model.clone()));
        } else if let Some(best) = progress.best {
            let name = format!("{} accuracy", data.valid_name());
            figures.push(figure(&name, percent(best.accuracy), format!("epoch {}, the best so far", best.epoch)));
        }
        let (done, wanted) = (progress.complete(), options.recipe.epochs);
        let state = match (outcome, progress.stopped_early) {
            (Some(_), true) => format!("of {wanted}, stopped early"),
            (Some(_), false) => String::new(),
            (None, _) => format!("of {wanted}, interrupted"),
        };
        figures.push(figure("Epochs", done.to_string(), state));
        figures
    }

    fn facts(&self) -> Vec<(String, String)> {
        let Self { data, outcome, .. } = self;
        let pair = |name: &str, value: String| (name.to_owned(), value);
        let mut facts = vec![
            pair("classes", data.classes.len().to_string()),
            pair("images to train", data.train.len().to_string()),
            pair("images to validate", format!("{} ({} set)", data.valid.len(), data.valid_name())),
            pair("images to test", data.test.len().to_string()),
            pair("pictures left out as unreadable", data.unreadable().len().to_string()),
            pair("Kiln", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        facts.extend(outcome.map(|outcome| pair("device", format!("{} on {}", outcome.backend, outcome.device))));
        facts
    }
}

fn section(heading: &str, blocks: Vec<Block>) -> Section {
    Section { heading: heading.to_owned(), blocks }
}

fn figure(name: &str, value: String, note: String) -> Figure {
    Figure { name: name.to_owned(), value, note }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100. * share)
}

/// Between which bounds an accuracy on so many images lies.
fn interval(accuracy: f64, images: usize) -> String {
    let Interval { low, high } = wilson((accuracy * images as f64).round() as usize, images);
    format!("95 % interval {} to {}", percent(low), percent(high))
}

fn curves(rows: &[Row], valid_name: &str) -> Vec<Curves> {
    let curve = |name: &str, value: &dyn Fn(&Row) -> f64| Curve {
        name: name.to_owned(),
        points: rows.iter().map(|row| (row.epoch as f64, value(row))).collect(),
    };
    let chart = |title: &str, y_name: &str, curves| Curves {
        title: title.to_owned(),
        x_name: "epoch".to_owned(),
        y_name: y_name.to_owned(),
        curves,
    };
    let loss = vec![curve("training", &|row| row.train_loss), curve(valid_name, &|row| row.valid_loss)];
    let accuracy =
        vec![curve("training", &|row| 100. * row.train_accuracy), curve(valid_name, &|row| 100. * row.valid_accuracy)];
    let mut charts = vec![chart("Loss", "cross-entropy, nats", loss), chart("Accuracy", "accuracy, %", accuracy)];
    if rows.iter().all(|row| row.valid_top5.is_some()) {
        let top5 = vec![curve(valid_name, &|row| 100. * row.valid_top5.unwrap_or(f64::NAN))];
        charts.push(chart("Top-5 accuracy", "accuracy, %", top5));
    }
    charts.push(chart("Learning rate", "learning rate", vec![curve("at the end of the epoch", &|row| row.lr)]));
    charts
}

fn evaluated(evaluation: &Evaluation, data: &RunData) -> Vec<Section> {
    let Evaluation { epoch, confusion, worst } = evaluation;
    let matrix = |confusion: &Confusion| Matrix { classes: data.classes.clone(), counts: confusion.counts().to_vec() };
    let confusion = confusion.as_ref().map(|confusion| Block::Confusion(matrix(confusion)));
    let on = format!("epoch {epoch} on the {} set", data.valid_name());
    let confusion = confusion.map(|block| section(&format!("Confusion matrix of {on}"), vec![block]));
    let mut sections: Vec<_> = confusion.into_iter().collect();
    if !worst.is_empty() {
        let mistakes = worst.iter().map(|&(index, judgement)| mistake(&data.valid, &data.classes, index, &judgement));
        sections.push(section(&format!("Worst mistakes of {on}"), vec![Block::Mistakes(mistakes.collect())]));
    }
    sections
}

fn mistake(images: &ImageSet, classes: &[String], index: usize, judgement: &Judgement) -> Mistake {
    let picture = images.get(index).and_then(|image| image.picture);
    let source = images.path(index).map_or_else(|| format!("image {index}"), |path| path.display().to_string());
    Mistake {
        picture: picture.and_then(|picture| {
            RgbPicture::of_planes([picture.channels, picture.height, picture.width], &picture.pixels)
        }),
        source,
        truth: classes[judgement.label].clone(),
        predicted: classes[judgement.predicted].clone(),
        confidence: judgement.confidence,
    }
}

fn epochs(rows: &[Row]) -> Table {
    let names = [
        "epoch",
        "train loss",
        "train accuracy",
        "valid loss",
        "valid accuracy",
        "learning rate",
        "seconds",
        "images/s",
    ];
    let row = |row: &Row| {
        vec![
            row.epoch.to_string(),
            format!("{:.4}", row.train_loss),
            percent(row.train_accuracy),
            format!("{:.4}", row.valid_loss),
            percent(row.valid_accuracy),
            format!("{:.3e}", row.lr),
            format!("{:.1}", row.seconds),
            format!("{:.0}", row.images_per_second),
        ]
    };
    Table {
        caption: "Every epoch".to_owned(),
        columns: names.map(|name| Column { name: name.to_owned(), numeric: true }).to_vec(),
        rows: rows.iter().map(row).collect(),
        folded: rows.len() > 20,
    }
}
