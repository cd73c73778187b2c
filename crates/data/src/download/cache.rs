//! The user's cache folder.

use std::path::PathBuf;

/// Kiln's folder for files that can be downloaded again. It need not exist.
///
/// | system | folder |
/// |---|---|
/// | Linux and others | `$XDG_CACHE_HOME/kiln` if that is an absolute path, else `$HOME/.cache/kiln` |
/// | macOS | `$HOME/Library/Caches/kiln` |
/// | Windows | `%LOCALAPPDATA%\kiln` |
///
/// `None` if the system knows no home folder for this user.
pub fn cache_dir() -> Option<PathBuf> {
    Some(dirs::cache_dir()?.join("kiln"))
}
