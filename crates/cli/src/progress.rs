//! Progress on standard error.

use indicatif::ProgressStyle;

pub use indicatif::ProgressBar;

/// A bar over `total` of something, such as `images`. Nothing is drawn where standard error is not a terminal; whoever is done
/// clears it.
pub fn progress_bar(total: usize, what: &str) -> ProgressBar {
    let template = format!("{{msg}} {{wide_bar}} {{pos}} of {{len}} {what}, {{per_sec}}, {{eta}} left");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total as u64).with_style(style)
}

/// A count of something of which nobody knows how much there is; drawn as [`progress_bar`] is.
pub fn progress_count(what: &str) -> ProgressBar {
    let template = format!("{{pos}} {what}, {{per_sec}}, {{elapsed}}");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::no_length().with_style(style)
}
