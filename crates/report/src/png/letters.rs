//! Letters of 8 x 8 pixels.

use font8x8::{BASIC_FONTS, GREEK_FONTS, HIRAGANA_FONTS, LATIN_FONTS, UnicodeFonts};

/// Side of a letter, in pixels.
pub(super) const LETTER: usize = 8;

/// The rows of a letter from its top, the lowest bit at the left. Scripts that the font lacks are boxes.
pub(super) fn letter(character: char) -> [u8; LETTER] {
    const BOX: [u8; LETTER] = [0, 0x7e, 0x42, 0x42, 0x42, 0x42, 0x7e, 0];
    let known = BASIC_FONTS.get(character).filter(|_| !character.is_control());
    let known = known.or_else(|| LATIN_FONTS.get(character)).or_else(|| GREEK_FONTS.get(character));
    known.or_else(|| HIRAGANA_FONTS.get(character)).unwrap_or(BOX)
}

/// At most `most` letters of a text; dots stand for what does not fit.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(2)).collect();
    format!("{kept}..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_has_a_form() {
        assert_ne!(letter('7'), letter('1'));
        assert_ne!(letter('お'), letter('き'));
        assert_eq!(letter('猫'), letter('\u{7}'), "boxes");
        assert_eq!(letter(' '), [0; LETTER]);
    }

    #[test]
    fn long_names_end_in_dots() {
        assert_eq!(shortened("Ankle boot", 10), "Ankle boot");
        assert_eq!(shortened("Ankle boots", 10), "Ankle bo..");
        assert_eq!(shortened("日本語の名前", 4), "日本..");
    }
}
