//! How results are compared, and at which SIMD levels.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

use kiln_kernels::simd::Level;

/// Runs the check at every SIMD level of the processor. The level is global to the process: one check at a time.
pub fn at_all_levels(mut check: impl FnMut(Level)) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    // A failed check leaves no state behind that could affect the next one.
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for level in Level::available() {
        level.force();
        check(level);
    }
}

/// Fails if a value differs from its expectation by more than the tolerance, relative to the largest expected value.
/// NaN must be where it is expected.
#[track_caller]
pub fn assert_close(actual: &[f32], expected: &[f64], tolerance: f64, what: impl Display) {
    assert_eq!(actual.len(), expected.len(), "number of values: {what}");
    // The inputs of the tests are around 1: where products cancel, the rounding error does not shrink with the sum.
    let least = 0.05;
    let largest = expected.iter().filter(|value| value.is_finite()).fold(least, |largest: f64, v| largest.max(v.abs()));
    for (i, (&actual, &expected)) in actual.iter().zip(expected).enumerate() {
        let actual = f64::from(actual);
        let same = actual == expected || actual.is_nan() && expected.is_nan();
        let difference = if same { 0. } else { (actual - expected).abs() / largest };
        // Not `difference > tolerance`, which is false for NaN.
        assert!(difference <= tolerance, "value {i} is {actual}, not {expected} (relative {difference:.1e}): {what}");
    }
}
