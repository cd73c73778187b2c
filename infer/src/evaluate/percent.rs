//! Shares as people read them.

/// A share in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2} %", 100. * share)
}

/// A share in percent, or a dash.
pub(super) fn percent_or_dash(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), percent)
}
