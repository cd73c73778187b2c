//! Getting one file: verified, resumed, and never half there.
//!
//! ```text
//! DIR/name        only ever complete and verified: it appears by a rename
//! DIR/name.part   what has arrived so far; kept when the network fails, removed when the sum is wrong
//! DIR/name.lock   held while someone downloads, so that two processes do not write into one .part; the second waits,
//!                 then finds the file. Removed after success. (Where the file system has no locks, there is none.)
//! DIR/name.wrong  a file with another sum that was there before; set aside, not overwritten
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::attempt::{AttemptError, agent, attempt};
use super::error::DownloadError;
use super::remote_file::RemoteFile;
use super::sum::Sum;

/// How [`fetch`] may go about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchOptions {
    /// Open no connection: use what is there or fail.
    pub offline: bool,
    /// The longest wait for a connection, for an answer, and for the next bytes; not for the whole file.
    pub timeout: Duration,
    /// Show a bar, and say when a wrong file is replaced, on standard error. The bar only on a terminal.
    pub progress: bool,
}

impl Default for FetchOptions {
    /// Online, 30 seconds, silent.
    fn default() -> Self {
        Self { offline: false, timeout: Duration::from_secs(30), progress: false }
    }
}

/// An [`io::Error`] with its path.
fn at(path: &Path) -> impl FnOnce(io::Error) -> DownloadError {
    let path = path.to_owned();
    |source| DownloadError::Io { path, source }
}

/// Makes sure that `folder` has the file with the right sum, and returns its path.
///
/// A file that is there is verified and used as it is. Otherwise the addresses are tried in turn. An interrupted
/// download is continued where the server allows it, also from another address and by another process.
///
/// # Errors
/// See [`DownloadError`]. On a failure of the network what has arrived stays as `name.part`.
pub fn fetch(file: &RemoteFile, folder: &Path, options: FetchOptions) -> Result<PathBuf, DownloadError> {
    let path = folder.join(file.name);
    let existing = Sum::of(&path, file.sum).map_err(at(&path))?;
    if existing.as_ref().is_some_and(|sum| file.sum.accepts(sum)) {
        return Ok(path);
    }
    if options.offline {
        let name = file.name.to_owned();
        return Err(match existing {
            Some(found) => DownloadError::WrongSum { path, found, expected: file.sum.to_string() },
            None => DownloadError::Offline { name, folder: folder.to_owned() },
        });
    }

    fs::create_dir_all(folder).map_err(at(folder))?;
    let bar = progress_bar(file, options);
    let lock_path = beside(&path, "lock");
    let lock = lock(&lock_path, &bar).map_err(at(&lock_path))?;
    // Another process may have finished while this one waited.
    let existing = Sum::of(&path, file.sum).map_err(at(&path))?;
    if !existing.as_ref().is_some_and(|sum| file.sum.accepts(sum)) {
        let part = download(file, folder, options, &bar)?;
        if existing.is_some() {
            let wrong = beside(&path, "wrong");
            fs::rename(&path, &wrong).map_err(at(&path))?;
            if options.progress {
                bar.suspend(|| eprintln!("{} was damaged and is now {}", path.display(), wrong.display()));
            }
        }
        fs::rename(&part, &path).map_err(at(&path))?;
        sync_folder(folder);
    }
    // Only now: whoever waits for the lock finds the file, so it does not matter that the next one makes a new lock.
    drop(lock);
    let _ = fs::remove_file(&lock_path);
    bar.finish_and_clear();
    Ok(path)
}

/// `path` with another extension appended.
fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// Waits until this process is the only one that downloads the file. The lock goes with the returned handle, also when
/// the process is killed.
fn lock(path: &Path, bar: &ProgressBar) -> io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            bar.set_message("waiting for another download of the same file");
            file.lock()?;
            bar.set_message("");
        }
        // A file system without locks (some network shares): as good as it gets.
        Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Unsupported => return Err(error),
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    Ok(file)
}

/// Tries each address and returns the verified `.part`.
fn download(
    file: &RemoteFile,
    folder: &Path,
    options: FetchOptions,
    bar: &ProgressBar,
) -> Result<PathBuf, DownloadError> {
    let part = beside(&folder.join(file.name), "part");
    // Complete, but interrupted before it was renamed.
    if Sum::of(&part, file.sum).map_err(at(&part))?.is_some_and(|sum| file.sum.accepts(&sum)) {
        return Ok(part);
    }
    let mut failures = Vec::new();
    for &url in file.urls {
        // Twice when the first attempt continued a `.part`: its beginning may be what is wrong.
        loop {
            let failure = match attempt(&agent(url, options.timeout), url, &part, file.sum, bar) {
                Ok(()) => return Ok(part),
                Err(failure) => failure,
            };
            let reason = match failure {
                AttemptError::Disk(source) => return Err(DownloadError::Io { path: part, source }),
                AttemptError::Network(reason) => reason,
                AttemptError::Wrong { resumed, reason } => {
                    fs::remove_file(&part).map_err(at(&part))?;
                    if resumed {
                        continue;
                    }
                    reason
                }
            };
            failures.push((url.to_owned(), reason));
            break;
        }
    }
    Err(DownloadError::AllFailed { name: file.name.to_owned(), failures, folder: folder.to_owned() })
}

/// indicatif draws on standard error, and nothing where that is not a terminal.
fn progress_bar(file: &RemoteFile, options: FetchOptions) -> ProgressBar {
    if !options.progress {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(file.size, ProgressDrawTarget::stderr());
    let template = "{prefix} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.with_prefix(file.name.to_owned())
}

/// Makes a rename survive a power cut, where the system lets folders be opened.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}
