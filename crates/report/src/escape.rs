//! Texts in HTML.

/// A text as HTML shows it, within elements and within quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in printable(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A text whose control characters, which no page may hold, are written as `\u{..}`.
pub(crate) fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => clean.push(character),
            // U+FFFE and U+FFFF are no characters.
            control if control.is_control() || matches!(control, '\u{FFFE}' | '\u{FFFF}') => {
                clean.extend(control.escape_default());
            }
            other => clean.push(other),
        }
    }
    clean
}
