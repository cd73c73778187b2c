//! From arguments to image sources, one by one and in order: files, folders, patterns, lists, standard input.

mod folder;
mod list;
mod pattern;

use std::cell::Cell;
use std::ffi::OsString;
use std::fmt;
use std::iter::once;
use std::path::PathBuf;
use std::rc::Rc;

use kiln_data::picture::DecodeError;
use serde::Serialize;

/// Where an image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file that the user named or sent, not yet known to exist.
    File(PathBuf),
    /// A file that was found in a folder.
    InFolder(PathBuf),
    /// Standard input.
    Standard,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) | Self::InFolder(path) => path.display().fmt(f),
            Self::Standard => f.write_str("-"),
        }
    }
}

/// What kind of thing is wrong with an input; scripts may rely on the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(rename_all = "kebab-case"))]
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

impl ErrorCode {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Read => "read",
            Self::Empty => "empty",
            Self::Decode => "decode",
            Self::TooLarge => "too-large",
            Self::NoImages => "no-images",
            Self::NoMatch => "no-match",
        }
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Why an input gets no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{path}: {message}")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

    /// What the decoder said about an image.
    pub fn decode(path: impl fmt::Display, error: &DecodeError) -> Self {
        let code = match error {
            DecodeError::Empty => ErrorCode::Empty,
            DecodeError::TooLarge { .. } | DecodeError::Memory { .. } => ErrorCode::TooLarge,
            _ => ErrorCode::Decode,
        };
        Self::new(path, code, error.to_string())
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

/// Sources in the order in which they were named.
pub struct Inputs {
    sources: Sources,
    waits: Rc<Cell<bool>>,
}

impl Inputs {
    /// Whether the next source may be long in coming: a list on standard input has no further line yet.
    pub fn may_wait(&self) -> bool {
        self.waits.get()
    }
}

impl Iterator for Inputs {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        self.sources.next()
    }
}

/// The sources that the arguments name. Folders, lists and patterns are opened when their turn comes; folders are searched
/// to their bottom if `recursive`.
///
/// An argument is `-` (standard input), `@FILE` (a list), a path, or a pattern with `*`, `?` or `[`. Where a file has
/// such a name, `./` before it helps; a file that is called like a pattern goes before the pattern.
pub fn expand(arguments: impl IntoIterator<Item = OsString> + 'static, recursive: bool) -> Inputs {
    let waits = Rc::new(Cell::new(false));
    let list_waits = Rc::clone(&waits);
    let sources = arguments.into_iter().flat_map(move |argument| match argument.to_str() {
        Some("-") => Box::new(once(Ok(Source::Standard))),
        Some(text) if text.starts_with('@') => list::sources(text, recursive, &list_waits),
        Some(text) if pattern::is_pattern(text) && !PathBuf::from(text).exists() => pattern::sources(text),
        _ => path(argument.into(), recursive),
    });
    Inputs { sources: Box::new(sources), waits }
}

/// A file itself, or a folder's images.
fn path(path: PathBuf, recursive: bool) -> Sources {
    if path.is_dir() { folder::sources(&path, recursive) } else { Box::new(once(Ok(Source::File(path)))) }
}

/// `sources`, or the error if there are none.
fn unless_empty(sources: impl Iterator<Item = Found> + 'static, error: InputError) -> Sources {
    let mut sources = sources.peekable();
    if sources.peek().is_none() { Box::new(once(Err(error))) } else { Box::new(sources) }
}
