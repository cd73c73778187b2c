//! A line on standard error while a large folder is searched.

use std::path::Path;

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
