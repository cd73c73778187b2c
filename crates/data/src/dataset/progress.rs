//! A line on standard error while a large folder is searched, or an archive unpacked.

use std::path::Path;
#[cfg(feature = "download")]
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Counts the files that were looked at. Nothing is drawn where standard error is not a terminal, nor for a folder that is
/// searched in no time; the line is gone once the search is over.
pub(super) struct ScanProgress {
    bar: ProgressBar,
    files: u64,
}

impl ScanProgress {
    /// A search that begins.
    pub(super) fn new(folder: &Path) -> Self {
        let style = ProgressStyle::with_template("{msg}: {pos} files looked at, {elapsed}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
        Self { bar: ProgressBar::new_spinner().with_style(style).with_message(folder.display().to_string()), files: 0 }
    }

    /// Another file.
    pub(super) fn next(&mut self) {
        /// As many are looked at before anybody could read the line.
        const AT_ONCE: u64 = 1000;
        self.files += 1;
        if self.files.is_multiple_of(AT_ONCE) {
            self.bar.set_position(self.files);
        }
    }
}

impl Drop for ScanProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Tells that an archive is being unpacked, and for how long; as [`ScanProgress`] otherwise.
#[cfg(feature = "download")]
pub(super) struct UnpackProgress(ProgressBar);

#[cfg(feature = "download")]
impl UnpackProgress {
    /// An archive whose unpacking begins.
    pub(super) fn new(archive: &Path) -> Self {
        let style = ProgressStyle::with_template("{msg}: unpacking, {elapsed}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::new_spinner().with_style(style).with_message(archive.display().to_string());
        bar.enable_steady_tick(Duration::from_millis(250));
        Self(bar)
    }
}

#[cfg(feature = "download")]
impl Drop for UnpackProgress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
