//! Why a download failed.

use std::io;
use std::path::PathBuf;

/// Why a file could not be downloaded. Each message is one line.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The file is missing, and connections are not allowed.
    #[error("{name} is not in {}, and downloads are turned off", folder.display())]
    Offline {
        /// The file's name.
        name: String,
        /// The folder where it was expected.
        folder: PathBuf,
    },
    /// The file exists with other content, and connections are not allowed.
    #[error(
        "{} is damaged (its sum is {found}, expected {expected}), and downloads are turned off",
        path.display()
    )]
    WrongSum {
        /// The file.
        path: PathBuf,
        /// Its sum.
        found: String,
        /// The expected sum.
        expected: String,
    },
    /// The download failed from every address.
    #[error("cannot download {name}: {}; put the file into {} by hand", reasons(failures), folder.display())]
    AllFailed {
        /// The file's name.
        name: String,
        /// Each address and the reason for its failure, in the order tried.
        failures: Vec<(String, String)>,
        /// Where the file belongs.
        folder: PathBuf,
    },
    /// The folder or a file in it cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

fn reasons(failures: &[(String, String)]) -> String {
    if failures.is_empty() {
        return "no address is known".to_owned();
    }
    failures.iter().map(|(url, reason)| format!("{url}: {reason}")).collect::<Vec<_>>().join("; ")
}
