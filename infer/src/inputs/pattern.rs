//! Patterns such as `photos/*.png`, for shells that do not expand them (Windows', or a quoted pattern).

use std::iter::once;

use glob::{GlobError, MatchOptions, glob_with};

use super::{ErrorCode, InputError, Source, Sources, unless_empty};

/// As a shell understands patterns.
const AS_IN_A_SHELL: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Whether an argument has a wildcard in it.
pub(super) fn is_pattern(argument: &str) -> bool {
    argument.contains(['*', '?', '['])
}

/// The files that match, in alphabetical order; folders do not count.
pub(super) fn sources(pattern: &str) -> Sources {
    let matches = match glob_with(pattern, AS_IN_A_SHELL) {
        Ok(matches) => matches,
        Err(error) => {
            let what = format!("neither a file nor a valid pattern: {error}");
            return Box::new(once(Err(InputError::new(pattern, ErrorCode::NoMatch, what))));
        }
    };
    let files = matches.filter(|found| !found.as_ref().is_ok_and(|path| path.is_dir()));
    let refused = |error: GlobError| InputError::system(error.path().display(), error.error());
    let found = files.map(move |found| found.map(Source::File).map_err(refused));
    unless_empty(found, InputError::new(pattern, ErrorCode::NoMatch, "no file matches this pattern"))
}
