//! Conversions from floats to integers that compile to vector instructions.
//!
//! `as` is defined for all numbers, which keeps the compiler from vectorising it.

/// 2^23: 32-bit floats of this size have no fraction bits, so adding it rounds to an integer (halves to even) and leaves
/// that integer in the low bits.
const INTEGERS: f32 = 8_388_608.0;

/// Rounds a number from 0 to 2^22 down.
#[inline]
pub(super) fn floor(value: f32) -> f32 {
    let nearest = (value + INTEGERS) - INTEGERS;
    nearest - if nearest > value { 1.0 } else { 0.0 }
}

/// Converts an integral float from 0 to 2^22.
#[inline]
pub(super) fn integer(value: f32) -> u32 {
    (value + INTEGERS).to_bits() & 0x7f_ffff
}

/// The byte nearest to a value from 0 to 255; halves are rounded to even, as in PyTorch.
#[inline]
pub(super) fn rounded(value: f32) -> u8 {
    integer(value) as u8
}

/// A value clamped to 0 to 255 and truncated to a byte, as in PyTorch.
#[inline]
pub(super) fn truncated(value: f32) -> u8 {
    integer(floor(value.clamp(0.0, 255.0))) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_as_the_standard_library_does() {
        for step in -1000..20_000 {
            let value = step as f32 / 64.0;
            assert_eq!(truncated(value), value as u8, "{value}");
            if (0.0..=255.0).contains(&value) {
                assert_eq!(floor(value), value.floor());
                assert_eq!(rounded(value), value.round_ties_even() as u8, "{value}");
            }
        }
        assert_eq!([f32::NAN, f32::INFINITY, f32::NEG_INFINITY].map(truncated), [0, 255, 0]);
        assert_eq!(floor(255.0f32.next_down()), 254.0);
    }
}
