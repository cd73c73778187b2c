//! Why a download fails.

use std::io;
use std::path::PathBuf;

/// Why a file could not be had. Each message is one line.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// Not there, and no connection is allowed.
    #[error("{name} is not in {}, and downloads are turned off", folder.display())]
    Offline {
        /// The file's name.
        name: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// There, but with other content, and no connection is allowed.
    #[error(
        "{} is damaged (its sum is {found}, expected {expected}), and downloads are turned off",
        path.display()
    )]
    WrongSum {
        /// The file.
        path: PathBuf,
        /// Its sum.
        found: String,
        /// What its sum must be.
        expected: String,
    },
    /// No address gave the file.
    #[error("cannot download {name}: {}; put the file into {} by hand", reasons(failures), folder.display())]
    AllFailed {
        /// The file's name.
        name: String,
        /// Each address and why it failed, in the order tried.
        failures: Vec<(String, String)>,
        /// Where the file belongs.
        folder: PathBuf,
    },
    /// The folder or a file in it cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

fn reasons(failures: &[(String, String)]) -> String {
    if failures.is_empty() {
        return "no address is known".to_owned();
    }
    failures.iter().map(|(url, reason)| format!("{url}: {reason}")).collect::<Vec<_>>().join("; ")
}
