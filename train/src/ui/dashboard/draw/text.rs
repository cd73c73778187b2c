//! Numbers and names in few characters.

use std::time::Duration;

use ratatui::text::Span;

/// A metric's value: percentages with two decimals, others with four significant ones or so.
pub(super) fn number(value: f64, unit: Option<&str>) -> String {
    let size = value.abs();
    match unit {
        _ if value.is_nan() => "NaN".into(),
        _ if value.is_infinite() => if value > 0.0 { "inf" } else { "-inf" }.into(),
        Some("%") => format!("{value:.2}%"),
        _ if size != 0.0 && !(1e-3..1e5).contains(&size) => format!("{value:.1e}"),
        _ if size >= 100.0 => format!("{value:.1}"),
        _ => format!("{value:.4}"),
    }
}

/// A label of a plot's axis whose ends are `span` apart: no more decimals than tell its labels apart.
pub(super) fn axis(value: f64, span: f64) -> String {
    if !(1e-4..1e6).contains(&span) || value.abs() >= 1e6 {
        return format!("{value:.1e}");
    }
    let decimals = (2.0 - span.log10().floor()).clamp(0.0, 6.0) as usize;
    let label = format!("{value:.decimals$}");
    // An axis that starts just below zero by rounding must not say "-0.00".
    if label.trim_start_matches('-').chars().all(|c| c == '0' || c == '.') {
        label.trim_start_matches('-').into()
    } else {
        label
    }
}

/// A speed in two or three digits: `7.3`, `201`, `12.9k`.
pub(super) fn speed(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.1}M", v / 1e6),
        v if v >= 1e4 => format!("{:.1}k", v / 1e3),
        v if v >= 10.0 => format!("{v:.0}"),
        v => format!("{v:.1}"),
    }
}

/// A duration as a clock shows it: `0:42`, `1:02:33`, `2d 03:15`.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes, rest) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}:{rest:02}"),
        (0, _) => format!("{hours}:{minutes:02}:{rest:02}"),
        _ => format!("{days}d {hours:02}:{minutes:02}"),
    }
}

/// `text` in at most `width` columns; an ellipsis says that some is missing.
pub(super) fn clip(text: &str, width: usize) -> String {
    if Span::raw(text).width() <= width {
        return text.to_owned();
    }
    let mut clipped = text.to_owned();
    while !clipped.is_empty() && Span::raw(clipped.as_str()).width() >= width {
        clipped.pop();
    }
    if width > 0 {
        clipped.push('…');
    }
    clipped
}

/// The name of a metric, abbreviated if it is wider than `width`.
pub(super) fn shorten(name: &str, width: usize) -> String {
    if Span::raw(name).width() <= width {
        return name.to_owned();
    }
    name.replace("Accuracy", "Acc")
}

/// `text` in exactly `width` columns, at the left.
pub(super) fn left(text: &str, width: usize) -> String {
    let text = clip(text, width);
    let missing = width.saturating_sub(Span::raw(text.as_str()).width());
    text + &" ".repeat(missing)
}

/// `text` in exactly `width` columns, at the right.
pub(super) fn right(text: &str, width: usize) -> String {
    let text = clip(text, width);
    " ".repeat(width.saturating_sub(Span::raw(text.as_str()).width())) + &text
}

/// A horizontal bar of `width` columns filled to `fraction`, in eighths of a column: the filled part and the rest.
pub(super) fn bar(fraction: f64, width: usize) -> (String, String) {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
    let eighths = (fraction * width as f64 * 8.0).round() as usize;
    let part = EIGHTHS[eighths % 8];
    let filled = "█".repeat(eighths / 8) + part;
    let rest = width - eighths / 8 - usize::from(!part.is_empty());
    (filled, " ".repeat(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit_their_columns() {
        let cases = [
            (0.061_23, None, "0.0612"),
            (98.345, Some("%"), "98.34%"),
            (100.0, Some("%"), "100.00%"),
            (0.000_012, None, "1.2e-5"),
            (0.0, None, "0.0000"),
            (f64::NAN, Some("%"), "NaN"),
            (f64::NEG_INFINITY, None, "-inf"),
            (-123_456_789.0, None, "-1.2e8"),
        ];
        for (value, unit, text) in cases {
            assert_eq!(number(value, unit), text);
        }
    }

    #[test]
    fn axis_labels_tell_apart_what_the_axis_spans() {
        assert_eq!(axis(97.5, 2.0), "97.50");
        assert_eq!(axis(2.3, 2.3), "2.30");
        assert_eq!(axis(50.0, 100.0), "50");
        assert_eq!(axis(-0.0001, 2.0), "0.00");
        assert_eq!(axis(-0.5, 2.0), "-0.50");
        assert_eq!(axis(1e-7, 1e-8), "1.0e-7");
    }

    #[test]
    fn clocks() {
        let cases = [(42, "0:42"), (3753, "1:02:33"), (2 * 86400 + 3 * 3600 + 15 * 60, "2d 03:15")];
        for (seconds, text) in cases {
            assert_eq!(clock(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn wide_names_are_clipped_by_columns() {
        assert_eq!(left("Ankle boot", 6), "Ankle…");
        assert_eq!(left("猫猫猫", 5), "猫猫…");
        assert_eq!(left("猫猫猫", 4), "猫… ");
        assert_eq!(right("7", 3), "  7");
        assert_eq!(clip("abc", 0), "");
    }

    #[test]
    fn bars_fill_from_nothing_to_all() {
        assert_eq!(bar(0.0, 3), (String::new(), "   ".into()));
        assert_eq!(bar(0.5, 3), ("█▌".into(), " ".into()));
        assert_eq!(bar(1.0, 3), ("███".into(), String::new()));
        assert_eq!(bar(7.0, 2).0, "██");
        assert_eq!(bar(f64::NAN, 2).0, "");
    }
}
