//! The user's cache folder, by the rules of each system.

use std::ffi::OsString;
use std::path::PathBuf;

/// Kiln's folder for files that can be had again:
///
/// | system | folder |
/// |---|---|
/// | Linux and others | `$XDG_CACHE_HOME/kiln`, else `$HOME/.cache/kiln` |
/// | macOS | `$HOME/Library/Caches/kiln` |
/// | Windows | `%LOCALAPPDATA%\kiln` |
///
/// `None` where these variables are not set. The folder need not exist.
pub fn cache_dir() -> Option<PathBuf> {
    let system = if cfg!(windows) {
        System::Windows
    } else if cfg!(target_os = "macos") {
        System::MacOs
    } else {
        System::Other
    };
    folder(system, |name| std::env::var_os(name))
}

#[derive(Clone, Copy)]
enum System {
    Windows,
    MacOs,
    Other,
}

fn folder(system: System, variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = match system {
        System::Windows => set("LOCALAPPDATA"),
        System::MacOs => set("HOME").map(|home| home.join("Library/Caches")),
        // The XDG specification says to ignore a relative path.
        System::Other => {
            set("XDG_CACHE_HOME").filter(|path| path.has_root()).or_else(|| set("HOME").map(|home| home.join(".cache")))
        }
    };
    base.map(|base| base.join("kiln"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The system, its variables, and the folder.
    type Case = (System, &'static [(&'static str, &'static str)], Option<&'static str>);

    #[test]
    fn each_system_has_its_folder() {
        let cases: [Case; 8] = [
            (System::Other, &[("HOME", "/home/a"), ("XDG_CACHE_HOME", "/fast")], Some("/fast/kiln")),
            (System::Other, &[("HOME", "/home/a")], Some("/home/a/.cache/kiln")),
            (System::Other, &[("HOME", "/home/a"), ("XDG_CACHE_HOME", "")], Some("/home/a/.cache/kiln")),
            (System::Other, &[("HOME", "/home/a"), ("XDG_CACHE_HOME", "not/absolute")], Some("/home/a/.cache/kiln")),
            (System::Other, &[], None),
            (System::MacOs, &[("HOME", "/Users/a"), ("XDG_CACHE_HOME", "/x")], Some("/Users/a/Library/Caches/kiln")),
            (System::Windows, &[("LOCALAPPDATA", "/c/local"), ("HOME", "/c/a")], Some("/c/local/kiln")),
            (System::Windows, &[("HOME", "/c/a")], None),
        ];
        for (system, variables, expected) in cases {
            let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
            assert_eq!(folder(system, variable), expected.map(PathBuf::from), "{variables:?}");
        }
    }
}
