//! How a program ends: one line on standard error and an exit code that scripts can rely on.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use kiln_backend::{TargetError, ThreadError};
use kiln_data::DataError;
use kiln_data::download::DownloadError;
use kiln_model::weights::{Fault, WeightsError};

/// The exit codes, the same in every binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// An input could not be classified, or training diverged.
    Input = 1,
    /// Unknown or conflicting flags, names or values.
    Usage = 2,
    /// Weights or a checkpoint that are missing, damaged or do not fit.
    Weights = 3,
    /// A dataset that is missing, damaged or empty.
    Data = 4,
    /// A backend that is not compiled in, or a device that is not there.
    Device = 5,
    /// Output that cannot be written.
    Output = 6,
    /// Stopped by the user, after saving.
    Interrupted = 130,
}

/// Why a program ends early: an exit code and one line.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What happened, to which file, what to do.
    pub message: String,
}

impl Failure {
    /// A failure from its parts; line breaks in the message become spaces.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { exit, message: message.split('\n').map(str::trim).collect::<Vec<_>>().join(" ") }
    }

    /// Output that could not be written.
    pub fn write(path: &Path, error: &std::io::Error) -> Self {
        Self::new(Exit::Output, format!("{}: cannot be written: {error}", path.display()))
    }
}

/// A value out of range is told in one line. For everything else clap says it itself, and ends the program: help is no failure,
/// and usage takes more than a line.
impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        if error.kind() != ErrorKind::ValueValidation {
            error.exit();
        }
        Self::new(Exit::Usage, one_line(&error))
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        let advice = match &error {
            TargetError::NotCompiled { backend } => {
                format!("; rebuild with `--features {backend}`, or use `--backend ndarray`")
            }
            TargetError::NoAdapter { .. } => ", or run on the CPU with `--backend ndarray`".to_owned(),
            TargetError::NoDevice { .. } => String::new(),
        };
        Self::new(Exit::Device, format!("{error}{advice}"))
    }
}

impl From<ThreadError> for Failure {
    fn from(error: ThreadError) -> Self {
        Self::new(Exit::Usage, error.to_string())
    }
}

impl From<WeightsError> for Failure {
    fn from(error: WeightsError) -> Self {
        let (exit, advice) = match &error.fault {
            Fault::Foreign => (Exit::Weights, "; name the network with --arch"),
            // A mistake in the command, not in the file.
            Fault::Kiln => (Exit::Usage, ": leave out --arch"),
            Fault::Architecture(_) => (Exit::Weights, "; `infer models` lists those that are"),
            Fault::NoHead { .. } => (Exit::Weights, ": does --arch name another network?"),
            Fault::NoNames { .. } => (Exit::Weights, ": give a file with one name a line with --classes"),
            _ => (Exit::Weights, ""),
        };
        Self::new(exit, format!("{error}{advice}"))
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        let exit = match &error {
            DataError::Unknown { .. } | DataError::Split { .. } => Exit::Usage,
            DataError::Write { .. } | DataError::Download(DownloadError::Io { .. }) => Exit::Output,
            _ => Exit::Data,
        };
        let flag = match &error {
            DataError::Split { .. } => "--valid-split: ",
            _ => "",
        };
        let advice = match &error {
            DataError::Missing { .. } => "; put its files there or name their folder with --data-dir",
            DataError::Download(error) => download_advice(error),
            DataError::UnreadableClass { .. } | DataError::EmptyClass { .. } => {
                "; --skip-unreadable goes on without it"
            }
            _ => "",
        };
        Self::new(exit, format!("{flag}{error}{advice}"))
    }
}

/// What to add to the reason why a file was not downloaded: the flag that forbids it.
pub(crate) fn download_advice(error: &DownloadError) -> &'static str {
    match error {
        DownloadError::Offline { .. } | DownloadError::WrongSum { .. } => " by --offline",
        DownloadError::AllFailed { .. } | DownloadError::Io { .. } => "",
    }
}

/// An error of the command line in a line: the option, and what is wrong with it.
pub fn one_line(error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let option = context(ContextKind::InvalidArg).and_then(|option| option.split_whitespace().next());
    let reason = std::error::Error::source(error).map(ToString::to_string);
    match (error.kind(), option, reason) {
        (ErrorKind::ValueValidation, Some(option), Some(reason)) => format!("{option}: {reason}"),
        (ErrorKind::UnknownArgument, Some(option), _) => format!("{option}: no such option"),
        _ => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            line.strip_prefix("error: ").unwrap_or(line).to_owned()
        }
    }
}

/// Says something on standard error, where people look and pipes do not. A standard error that is closed or full is no
/// reason to stop.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Turns a program's result into its exit code, printing the failure's line.
pub fn finish(result: Result<ExitCode, Failure>) -> ExitCode {
    result.unwrap_or_else(|failure| {
        note(&format!("error: {failure}"));
        ExitCode::from(failure.exit as u8)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line() {
        assert_eq!(Failure::new(Exit::Data, "one\n  two").to_string(), "one two");
    }

    #[test]
    fn errors_of_the_libraries_have_the_documented_codes() {
        let unknown = DataError::Unknown { name: "x".to_owned(), known: Vec::new() };
        assert_eq!(Failure::from(unknown).exit, Exit::Usage);
        let missing = DataError::Missing { dataset: "mnist".to_owned(), looked: vec!["a".into(), "b".into()] };
        let failure = Failure::from(missing);
        assert_eq!(failure.exit, Exit::Data);
        assert!(failure.message.contains("looked in a, b; put its files there"), "{failure}");
        assert!(failure.message.ends_with("--data-dir"), "{failure}");
        let offline = DownloadError::Offline { name: "x.pth".to_owned(), folder: "cache".into() };
        assert!(Failure::from(DataError::from(offline)).message.ends_with("turned off by --offline"));
        let full = DownloadError::Io { path: "cache".into(), source: std::io::ErrorKind::StorageFull.into() };
        assert_eq!(Failure::from(DataError::from(full)).exit, Exit::Output);
    }
}
