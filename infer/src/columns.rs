//! Columns of a terminal: Chinese characters take two, combining ones none.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::printable;

/// Columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    printable(text).width()
}

/// Spaces that fill a text up to a width.
pub(crate) fn fill(text: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(self::width(text)))
}

/// A text on one line that takes no more than `most` columns; dots stand for what does not fit.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    const DOTS: &str = "..";
    let text = printable(text);
    if text.width() <= most {
        return text;
    }
    let mut taken = 0;
    let kept = text.chars().take_while(|character| {
        taken += character.width().unwrap_or(0);
        taken + DOTS.len() <= most
    });
    kept.collect::<String>() + DOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!([width("7.png"), width("数字.png"), width("e\u{301}")], [5, 8, 1]);
        assert_eq!(fill("数", 5), "   ");
        assert_eq!(fill("数字", 3), "");
        assert_eq!([shortened("数字数字", 8), shortened("数字数字", 7)], ["数字数字", "数字.."]);
        assert_eq!(shortened("a name", 5), "a n..");
    }
}
