//! Progress on standard error.

use std::fmt::Write;

use indicatif::{ProgressState, ProgressStyle};

pub use indicatif::ProgressBar;

/// A bar over `total` of something, such as `images`. Nothing is drawn where standard error is not a terminal; whoever is done
/// clears it.
pub fn progress_bar(total: usize, what: &str) -> ProgressBar {
    let style = style(&format!("{{msg}} {{wide_bar}} {{pos}} of {{len}} {what}, {{rate}}, {{eta}} left"));
    ProgressBar::new(total as u64).with_style(style)
}

/// A count of something of which nobody knows how much there is; drawn as [`progress_bar`] is.
pub fn progress_count(what: &str) -> ProgressBar {
    ProgressBar::no_length().with_style(style(&format!("{{pos}} {what}, {{rate}}, {{elapsed}}")))
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
        let _ = write!(out, "{:.0}/s", state.per_sec());
    })
}
