//! CSV: one row a prediction, or a digit, and one for each input without any; what is wrong stands in the last column.

use std::io::{self, Write};

use super::{Record, Report};
use crate::{Named, printable};

const HEADER: [&str; 5] = ["path", "class", "name", "confidence", "problem"];

pub(super) struct Csv<W> {
    out: W,
    started: bool,
}

impl<W: Write> Csv<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, started: false }
    }

    /// Rows are made in memory first: csv's own errors would hide what the system said about `out`.
    fn write(&mut self, records: &[Record]) -> io::Result<()> {
        let mut rows = csv::Writer::from_writer(Vec::new());
        if !std::mem::replace(&mut self.started, true) {
            rows.write_record(HEADER)?;
        }
        for record in records {
            match record {
                Ok(answer) => {
                    let problem = answer.problem().unwrap_or_default();
                    let digits = answer.digits.iter().flat_map(|digits| &digits.each).map(|digit| &digit.best);
                    let digits: Vec<&Named> = digits.collect();
                    let rows_of_it = if digits.is_empty() { answer.predictions.iter().collect() } else { digits };
                    for Named { class, name, confidence } in rows_of_it {
                        let (class, confidence) = (class.to_string(), confidence.to_string());
                        let (path, name) = (printable(&answer.path), printable(name));
                        rows.write_record([&path, &class, &name, &confidence, problem])?;
                    }
                }
                Err(error) => rows.write_record([&printable(&error.path), "", "", "", error.code.name()])?,
            }
        }
        let rows = rows.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        self.out.write_all(&rows)?;
        self.out.flush()
    }
}

impl<W: Write> Report for Csv<W> {
    fn batch(&mut self, records: Vec<Record>) -> io::Result<()> {
        self.write(&records)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.write(&[])
    }
}
