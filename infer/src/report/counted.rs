//! A count of what was reported, on standard error.

use std::io;

use kiln_cli::{ProgressBar, progress_count};

use super::{Record, Report};

/// Counts the records that another report writes.
pub(super) struct Counted<'a> {
    report: Box<dyn Report + 'a>,
    bar: ProgressBar,
}

impl<'a> Counted<'a> {
    pub(super) fn new(report: Box<dyn Report + 'a>) -> Self {
        Self { report, bar: progress_count("images") }
    }
}

impl Report for Counted<'_> {
    fn batch(&mut self, records: Vec<Record>) -> io::Result<()> {
        let count = records.len() as u64;
        // Errors are told on standard error too.
        let written = self.bar.suspend(|| self.report.batch(records));
        self.bar.inc(count);
        written
    }

    fn finish(&mut self) -> io::Result<()> {
        self.bar.finish_and_clear();
        self.report.finish()
    }
}
