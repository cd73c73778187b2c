//! CSV: one row a prediction; errors are on standard error alone.

use std::io::{self, Write};

use super::{Record, Report};

const HEADER: [&str; 4] = ["path", "class", "name", "confidence"];

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
        for answer in records.iter().flatten() {
            for best in &answer.predictions {
                rows.write_record([&answer.path, &best.class.to_string(), &best.name, &best.confidence.to_string()])?;
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
