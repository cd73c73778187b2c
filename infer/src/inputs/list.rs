//! Lists of images: `@FILE` names a text file with one path a line, `@-` standard input.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read};
use std::iter::once;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use kiln_data::open;

use super::{ErrorCode, InputError, Sources, unless_empty};

/// No path is longer; a file without line breaks must not fill the memory.
const MAX_LINE: u64 = 64 << 10;

/// The sources that a list names. Blank lines and those that begin with `#` are passed over, spaces around a path too;
/// relative paths start from the current folder. Lines are read as they are needed; `waits` tells of a list on standard input
/// whether the next one has yet to come.
pub(super) fn sources(argument: &str, recursive: bool, waits: &Rc<Cell<bool>>) -> Sources {
    let (reader, waits): (io::Result<Box<dyn Read>>, _) = match &argument[1..] {
        "-" => (Ok(Box::new(io::stdin())), Some(Rc::clone(waits))),
        name => (open(Path::new(name)).map(|file| -> Box<dyn Read> { Box::new(file) }), None),
    };
    match reader {
        Ok(reader) => {
            let error = InputError::new(argument, ErrorCode::NoImages, "this list names no images");
            let lines = Lines { argument: argument.to_owned(), reader: Some(BufReader::new(reader)), waits };
            unless_empty(lines.flat_map(move |line| expanded(line, recursive)), error)
        }
        Err(error) => Box::new(once(Err(InputError::system(argument, &error)))),
    }
}

/// The list itself is over at its first error; a path is a file or a folder of images.
fn expanded(line: Result<PathBuf, InputError>, recursive: bool) -> Sources {
    match line {
        Ok(path) => super::path(path, recursive),
        Err(error) => Box::new(once(Err(error))),
    }
}

/// The paths of a list.
struct Lines {
    argument: String,
    /// `None` after the end or an error.
    reader: Option<BufReader<Box<dyn Read>>>,
    waits: Option<Rc<Cell<bool>>>,
}

impl Iterator for Lines {
    type Item = Result<PathBuf, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let reader = self.reader.as_mut()?;
            let mut line = Vec::new();
            let error = match reader.take(MAX_LINE).read_until(b'\n', &mut line) {
                Ok(0) => None,
                Ok(read) if read as u64 == MAX_LINE => {
                    let what = format!("a line of more than {} KB: not a list of paths", MAX_LINE >> 10);
                    Some(InputError::new(&self.argument, ErrorCode::Read, what))
                }
                Ok(_) => {
                    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&line).trim_ascii();
                    if line.is_empty() || line.starts_with(b"#") {
                        continue;
                    }
                    if let Some(waits) = &self.waits {
                        waits.set(!reader.buffer().contains(&b'\n'));
                    }
                    return Some(Ok(path(line)));
                }
                Err(error) => Some(InputError::system(&self.argument, &error)),
            };
            self.reader = None;
            if let Some(waits) = &self.waits {
                waits.set(false);
            }
            return error.map(Err);
        }
    }
}

#[cfg(unix)]
fn path(line: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(line).into()
}

#[cfg(not(unix))]
fn path(line: &[u8]) -> PathBuf {
    String::from_utf8_lossy(line).into_owned().into()
}
