//! What happens, as lines of text: the lecture's, and what is useful beside them.

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use crate::error::Error;

use crate::event::{Epoch, Event, Interval, Observer};
use crate::run_dir::progress::Row;

/// The line that tells of an event, if one does. `valid_name` is what the validation set is called: `test` or `validation`.
pub fn line(event: &Event<'_>, valid_name: &str) -> Option<String> {
    match event {
        Event::Interval(Interval { epoch, batch, loss, .. }) => Some(format!("[{epoch},{batch:>5}] loss:{loss:.3}")),
        Event::Epoch(Epoch { row, valid, .. }) => {
            let Row { valid_accuracy, valid_loss, seconds, images_per_second, .. } = row;
            // The lecture's line cuts the percentage; the exact one follows.
            let (percent, exact) = (100 * valid.correct / valid.count, valid_accuracy * 100.);
            Some(format!(
                "Accuracy on {valid_name} set:{percent} %  ({exact:.2} %, loss {valid_loss:.4}; {seconds:.1} s, \
                 {images_per_second:.0} images/s)"
            ))
        }
        Event::Note(note) => Some((*note).to_owned()),
        Event::Batch(_) | Event::Evaluation => None,
    }
}

/// Prints the lines on standard output.
pub struct Printer {
    valid_name: &'static str,
    /// Whether anybody still reads.
    read: bool,
}

impl Printer {
    /// A printer that calls the validation set `valid_name`.
    pub fn new(valid_name: &'static str) -> Self {
        Self { valid_name, read: true }
    }

    /// What the validation set is called.
    pub(super) fn valid_name(&self) -> &'static str {
        self.valid_name
    }

    /// Prints a line. A reader that went away (`train | head`) does not end the training.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn print(&mut self, line: &str) -> Result<(), Error> {
        if !self.read {
            return Ok(());
        }
        match writeln!(io::stdout().lock(), "{line}") {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => self.read = false,
            Err(error) => return Err(Error::write(Path::new("standard output"), error)),
            Ok(()) => {}
        }
        Ok(())
    }
}

impl Observer for Printer {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), Error> {
        line(event, self.valid_name).map_or(Ok(()), |line| self.print(&line))
    }
}
