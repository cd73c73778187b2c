//! Patterns such as `photos/*.png`, for shells that do not expand them (Windows', or a quoted pattern).

use std::iter::once;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};
use walkdir::{DirEntry, WalkDir};

use super::{ErrorCode, Found, InputError, Source, Sources, unless_empty};

/// As a shell understands patterns.
const AS_IN_A_SHELL: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Whether an argument has a wildcard in it.
pub(super) fn is_pattern(argument: &str) -> bool {
    argument.contains(['*', '?', '['])
}

/// The files that match, in alphabetical order; folders do not count.
pub(super) fn sources(text: &str) -> Sources {
    let components: Vec<Component> = Path::new(text).components().collect();
    let wild = |component: &Component| component.as_os_str().to_str().is_some_and(is_pattern);
    let known = components.iter().take_while(|component| !wild(component)).count();
    let folder: PathBuf = components[..known].iter().collect();
    // One slash between names, as in the paths that are walked over.
    let whole: PathBuf = components.iter().collect();
    let pattern = match Pattern::new(&whole.to_string_lossy()) {
        Ok(pattern) => pattern,
        Err(error) => {
            let what = format!("neither a file nor a valid pattern: {error}");
            return Box::new(once(Err(InputError::new(text, ErrorCode::NoMatch, what))));
        }
    };
    let depth = if text.contains("**") { usize::MAX } else { components.len() - known };
    // The current folder stands in no name that the user did not begin with it.
    let (start, unnamed) = if known == 0 { (Path::new("."), ".") } else { (folder.as_path(), "") };
    let walk = WalkDir::new(start).min_depth(1).max_depth(depth).follow_links(true).sort_by_file_name();
    let name = move |path: &Path| path.strip_prefix(unnamed).unwrap_or(path).to_owned();
    let found = walk.into_iter().filter_map(move |entry| matching(entry, &pattern, name));
    unless_empty(found, InputError::new(text, ErrorCode::NoMatch, "no file matches this pattern"))
}

/// The source that an entry is, if it is a file and matches. Names need not be UTF-8: what is not matches `?`.
fn matching(entry: walkdir::Result<DirEntry>, pattern: &Pattern, name: impl Fn(&Path) -> PathBuf) -> Option<Found> {
    match entry {
        Ok(entry) => {
            let path = name(entry.path());
            let matches = pattern.matches_with(&path.to_string_lossy(), AS_IN_A_SHELL);
            (matches && !entry.file_type().is_dir()).then_some(Ok(Source::File(path)))
        }
        Err(error) => {
            // A dangling link that matches is reported when it is read; a folder that cannot be read, here.
            let path = name(error.path()?);
            if pattern.matches_with(&path.to_string_lossy(), AS_IN_A_SHELL) {
                return Some(Ok(Source::File(path)));
            }
            let error = error.into_io_error()?;
            path.is_dir().then(|| Err(InputError::system(path.display(), &error)))
        }
    }
}
