//! Downloading one file: verified, resumable, and never left incomplete under its own name.
//!
//! ```text
//! DIR/name        always complete and verified, because it is created by a rename
//! DIR/name.part   what has arrived so far; kept if the network fails, removed if the sum is wrong
//! DIR/name.lock   locked during a download, so that two processes never write to the same .part: the second waits and
//!                 then finds the file. Removed on success. Without effect on file systems that have no locks.
//! DIR/name.wrong  an existing file whose sum was wrong; set aside rather than overwritten
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

/// Options of [`fetch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchOptions {
    /// Open no connection: use the existing file or fail.
    pub offline: bool,
    /// The longest wait for a connection, for a response and for the next bytes; there is no limit for the whole file.
    pub timeout: Duration,
    /// Report on standard error: a progress bar, if it is a terminal, and whether a damaged file was replaced.
    pub progress: bool,
}

impl Default for FetchOptions {
    /// Online, 30 seconds, silent.
    fn default() -> Self {
        Self { offline: false, timeout: Duration::from_secs(30), progress: false }
    }
}

/// Adds a path to an [`io::Error`].
fn at(path: &Path) -> impl FnOnce(io::Error) -> DownloadError {
    let path = path.to_owned();
    |source| DownloadError::Io { path, source }
}

/// Makes sure that `folder` contains the file with the right sum, and returns its path.
///
/// An existing file is verified and used. Otherwise the addresses are tried in turn. An interrupted download is resumed if
/// the server allows it, even from another address or by another process.
///
/// # Errors
/// See [`DownloadError`]. If the network fails, what has arrived is kept as `name.part`.
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
    // Not before the rename: whoever was waiting for the lock now finds the file, so a newly created lock does no harm.
    drop(lock);
    let _ = fs::remove_file(&lock_path);
    bar.finish_and_clear();
    Ok(path)
}

/// `path` with `.extension` appended.
fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// Waits until no other process is downloading the file. The lock is released with the returned handle, even if the process
/// is killed.
fn lock(path: &Path, bar: &ProgressBar) -> io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            bar.set_message("waiting for another download of the same file");
            file.lock()?;
            bar.set_message("");
        }
        // The file system has no locks, like some network shares: go ahead without.
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
    // An earlier download completed but was interrupted before the rename.
    if Sum::of(&part, file.sum).map_err(at(&part))?.is_some_and(|sum| file.sum.accepts(&sum)) {
        return Ok(part);
    }
    let mut failures = Vec::new();
    for &url in file.urls {
        // A resumed download with a wrong sum is tried again from the start: the old part may be to blame.
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

/// A progress bar on standard error; indicatif draws nothing if that is not a terminal.
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

/// Makes a rename survive a power failure, on systems that can open folders.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}
