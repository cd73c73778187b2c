//! Answers on their way out: text for people, JSON, JSON lines and CSV for programs.

mod counted;
mod csv;
mod json;
mod text;

use std::io::{self, Write};

use clap::ValueEnum;
use kiln::Classifier;
use kiln_cli::note;

pub use json::SCHEMA;

use crate::inputs::InputError;
use crate::{Classification, printable};

/// A form of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people.
    Text,
    /// One object with all results and errors.
    Json,
    /// One object a line, for each result or error.
    Jsonl,
    /// One row a prediction.
    Csv,
}

/// An answer, or why there is none.
pub type Record = Result<Classification, InputError>;

/// Takes records in order and writes them in some form.
pub trait Report {
    /// Writes a batch and passes it on at once.
    ///
    /// # Errors
    /// If it cannot be written.
    fn batch(&mut self, records: Vec<Record>) -> io::Result<()>;

    /// Writes what stands at the end.
    ///
    /// # Errors
    /// If it cannot be written.
    fn finish(&mut self) -> io::Result<()>;
}

/// A report to `out` of what a classifier with the weights of this name says; `colour` is for the text alone. Errors go to
/// standard error as well.
pub fn report<'a>(
    format: Format,
    classifier: &Classifier,
    weights: &str,
    out: impl Write + 'a,
    colour: bool,
) -> Box<dyn Report + 'a> {
    match format {
        Format::Text => Box::new(WithErrors(text::Text::new(out, classifier.classes(), colour))),
        Format::Json => Box::new(WithErrors(json::Json::new(out, weights.to_owned()))),
        Format::Jsonl => Box::new(WithErrors(json::Lines::new(out))),
        Format::Csv => Box::new(WithErrors(csv::Csv::new(out))),
    }
}

/// The same report, with a count on standard error of what it wrote, if that is a terminal.
pub fn counted<'a>(report: Box<dyn Report + 'a>) -> Box<dyn Report + 'a> {
    Box::new(counted::Counted::new(report))
}

/// Says each error on standard error too.
struct WithErrors<R>(R);

impl<R: Report> Report for WithErrors<R> {
    fn batch(&mut self, records: Vec<Record>) -> io::Result<()> {
        let errors = records.iter().filter_map(|record| record.as_ref().err());
        errors.for_each(|error| note(&printable(&format!("error: {error}"))));
        self.0.batch(records)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.finish()
    }
}
