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
    /// Nobody as long as Burn's dashboard is up, then standard output.
    BurnDashboard,
    /// Nobody.
    Off,
}

/// Takes the lines of a run.
pub struct Console {
    screen: Screen,
    log_path: PathBuf,
    log: File,
    /// Lines on the epochs that were shown by a dashboard only.
    unseen: Vec<String>,
}

impl Console {
    /// Shows lines on `screen` and appends them to the log.
    pub fn new(screen: Screen, log_path: &Path, log: File) -> Self {
        Self { screen, log_path: log_path.to_owned(), log, unseen: Vec::new() }
    }

    /// The dashboard, if there is one.
    pub fn feed(&self) -> Option<&Feed> {
        match &self.screen {
            Screen::Dashboard(feed) => Some(feed),
            Screen::Plain | Screen::BurnDashboard | Screen::Off => None,
        }
    }

    /// The dashboard has closed: shows its epochs, and all further lines, on standard output.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn leave_dashboard(&mut self) -> Result<(), Failure> {
        if matches!(self.screen, Screen::Dashboard(_) | Screen::BurnDashboard) {
            self.screen = Screen::Plain;
        }
        std::mem::take(&mut self.unseen).iter().try_for_each(|line| self.show(line))
    }

    /// Shows the line on an epoch, which stays when a dashboard closes.
    ///
    /// # Errors
    /// As [`line`](Self::line).
    pub fn epoch(&mut self, line: &str) -> Result<(), Failure> {
        if matches!(self.screen, Screen::Dashboard(_) | Screen::BurnDashboard) {
            self.unseen.push(line.to_owned());
        }
        self.line(line)
    }

    /// Shows a line.
    ///
    /// # Errors
    /// If it cannot be written. A reader that went away (`train | head`) does not end the training.
    pub fn line(&mut self, line: &str) -> Result<(), Failure> {
        self.show(line)?;
        writeln!(self.log, "{line}").map_err(|error| Failure::write(&self.log_path, &error))
    }

    fn show(&mut self, line: &str) -> Result<(), Failure> {
        match &self.screen {
            Screen::Plain => match writeln!(io::stdout().lock(), "{line}") {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => self.screen = Screen::Off,
                Err(error) => return Err(Failure::write(Path::new("standard output"), &error)),
                Ok(()) => {}
            },
            Screen::Dashboard(feed) => feed.note(line.to_owned()),
            Screen::BurnDashboard | Screen::Off => {}
        }
        Ok(())
    }
}
