//! Floats to integers, in ways that compile to vector instructions.
//!
//! A conversion by `as` is defined for all numbers, and for that the compiler gives up vectors.

/// 2^23: a 32-bit float of this size has no fraction bits, so adding it rounds to an integer, halves to the even one,
/// and leaves that integer in the low bits.
const INTEGERS: f32 = 8_388_608.0;

/// A number from 0 to 2^22, rounded down.
#[inline]
pub(super) fn floor(value: f32) -> f32 {
    let nearest = (value + INTEGERS) - INTEGERS;
    nearest - if nearest > value { 1.0 } else { 0.0 }
}

/// An integer from 0 to 2^22.
#[inline]
pub(super) fn integer(value: f32) -> u32 {
    (value + INTEGERS).to_bits() & 0x7f_ffff
}

/// The nearest byte to a value from 0 to 255; halves go to the even one, as in PyTorch.
#[inline]
pub(super) fn rounded(value: f32) -> u8 {
    integer(value) as u8
}

/// A value as a byte: cut off below 0 and above 255, and its fraction dropped, as in PyTorch.
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
