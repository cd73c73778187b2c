//! From arguments to image sources, one by one and in order: files, folders, patterns, lists, standard input.

mod folder;
mod list;
mod pattern;

use std::ffi::OsString;
use std::fmt;
use std::iter::once;
use std::path::PathBuf;

use serde::Serialize;

/// Where an image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, not yet known to exist.
    File(PathBuf),
    /// Standard input.
    Standard,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Standard => f.write_str("-"),
        }
    }
}

/// What kind of thing is wrong with an input; scripts may rely on the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// `missing`: there is no such file.
    Missing,
    /// `read`: the system refuses to read it.
    Read,
    /// `empty`: it has no bytes.
    Empty,
    /// `decode`: not an image, or a damaged one.
    Decode,
    /// `too-large`: more bytes or pixels than are accepted.
    TooLarge,
    /// `no-images`: a folder or list without images.
    NoImages,
    /// `no-match`: a pattern that fits no file.
    NoMatch,
}

/// Why an input gets no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{path}: {message}")]
pub struct InputError {
    /// The input as it was named.
    pub path: String,
    /// The kind.
    pub code: ErrorCode,
    /// The reason, without the path.
    pub message: String,
}

impl InputError {
    pub(crate) fn new(path: impl fmt::Display, code: ErrorCode, message: impl Into<String>) -> Self {
        Self { path: path.to_string(), code, message: message.into() }
    }

    /// What the system said about a path.
    pub(crate) fn system(path: impl fmt::Display, error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{NotADirectory, NotFound};
        match error.kind() {
            NotFound | NotADirectory => Self::new(path, ErrorCode::Missing, "no such file"),
            _ => Self::new(path, ErrorCode::Read, format!("cannot be read: {error}")),
        }
    }
}

/// A source, or why there is none.
pub type Found = Result<Source, InputError>;

type Sources = Box<dyn Iterator<Item = Found>>;

/// The sources that the arguments name. Folders, lists and patterns are opened when their turn comes.
///
/// An argument is `-` (standard input), `@FILE` (a list), a path, or a pattern with `*`, `?` or `[`. Where a file has
/// such a name, `./` before it helps; a file that is called like a pattern goes before the pattern.
pub fn expand(arguments: impl IntoIterator<Item = OsString>) -> impl Iterator<Item = Found> {
    arguments.into_iter().flat_map(|argument| match argument.to_str() {
        Some("-") => Box::new(once(Ok(Source::Standard))),
        Some(text) if text.starts_with('@') => list::sources(text),
        Some(text) if pattern::is_pattern(text) && !PathBuf::from(text).exists() => pattern::sources(text),
        _ => path(argument.into()),
    })
}

/// A file itself, or a folder's images.
fn path(path: PathBuf) -> Sources {
    if path.is_dir() { folder::sources(&path) } else { Box::new(once(Ok(Source::File(path)))) }
}

/// `sources`, or the error if there are none.
fn unless_empty(sources: impl Iterator<Item = Found> + 'static, error: InputError) -> Sources {
    let mut sources = sources.peekable();
    if sources.peek().is_none() { Box::new(once(Err(error))) } else { Box::new(sources) }
}
