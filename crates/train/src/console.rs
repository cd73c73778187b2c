//! Where a run's lines go: standard output, the dashboard, and always `train.log`.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use kiln_cli::Failure;

use crate::dashboard::Feed;

/// Who shows the lines.
pub enum Screen {
    /// Standard output.
    Plain,
    /// The dashboard.
    Dashboard(Feed),
    /// Nobody.
    Off,
}

/// Takes the lines of a run.
pub struct Console {
    screen: Screen,
    log_path: PathBuf,
    log: File,
}

impl Console {
    /// Shows lines on `screen` and appends them to the log.
    pub fn new(screen: Screen, log_path: &Path, log: File) -> Self {
        Self { screen, log_path: log_path.to_owned(), log }
    }

    /// The dashboard, if there is one.
    pub fn feed(&self) -> Option<&Feed> {
        match &self.screen {
            Screen::Dashboard(feed) => Some(feed),
            Screen::Plain | Screen::Off => None,
        }
    }

    /// Takes the lines off the dashboard, which is about to close, to standard output.
    pub fn leave_dashboard(&mut self) {
        if matches!(self.screen, Screen::Dashboard(_)) {
            self.screen = Screen::Plain;
        }
    }

    /// Shows a line.
    ///
    /// # Errors
    /// If it cannot be written. A reader that went away (`train | head`) does not end the training.
    pub fn line(&mut self, line: &str) -> Result<(), Failure> {
        match &self.screen {
            Screen::Plain => match writeln!(io::stdout().lock(), "{line}") {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => self.screen = Screen::Off,
                Err(error) => return Err(Failure::write(Path::new("standard output"), &error)),
                Ok(()) => {}
            },
            Screen::Dashboard(feed) => feed.note(line.to_owned()),
            Screen::Off => {}
        }
        writeln!(self.log, "{line}").map_err(|error| Failure::write(&self.log_path, &error))
    }
}
