//! `train.log`: the lines of a run, and the lock that keeps other processes out of its folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::PathBuf;

use kiln_cli::RunFolder;

use crate::error::Error;
use crate::event::{Event, Observer};
use crate::ui::lines::line;

/// The open file.
pub struct Log {
    path: PathBuf,
    file: File,
    /// What the validation set is called in lines.
    pub valid_name: &'static str,
}

impl Log {
    /// Opens the log of a run and locks it.
    ///
    /// # Errors
    /// If another process trains the run, or the file cannot be opened.
    pub fn lock(run: &RunFolder) -> Result<Self, Error> {
        let path = run.log();
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(|error| Error::write(&path, error))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(Error::Locked { run: run.path().to_owned() }),
            // A file system without locks must not keep anybody from training.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { path, file, valid_name: "test" }),
        }
    }
}

impl Observer for Log {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), Error> {
        let Some(line) = line(event, self.valid_name) else { return Ok(()) };
        writeln!(self.file, "{line}").map_err(|error| Error::write(&self.path, error))
    }
}
