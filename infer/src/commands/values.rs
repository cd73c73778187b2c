//! Values of flags, with what was expected where one is not good.

use std::time::Duration;

use kiln_cli::LARGEST_BATCH;
use kiln_data::preprocess::MAX_SIDE;

/// A number within bounds, or what was expected.
fn number(text: &str, expected: &str, good: impl Fn(f32) -> bool) -> Result<f32, String> {
    text.parse().ok().filter(|&value| good(value)).ok_or_else(|| format!("expected {expected}"))
}

pub fn share(text: &str) -> Result<f32, String> {
    number(text, "a number of 0 to 1", |value| (0. ..=1.).contains(&value))
}

pub fn crop_share(text: &str) -> Result<f32, String> {
    number(text, "a number of 0.1 to 1", |value| (0.1..=1.).contains(&value))
}

pub fn above_zero(text: &str) -> Result<f32, String> {
    number(text, "a number above 0", |value| value > 0. && value.is_finite())
}

pub fn side(text: &str) -> Result<usize, String> {
    let side = at_least_one(text).ok().filter(|&side| side <= MAX_SIDE);
    side.ok_or_else(|| format!("expected a whole number from 1 to {MAX_SIDE}"))
}

pub fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or_else(|| "expected a whole number from 1 up".to_owned())
}

pub fn batch_size(text: &str) -> Result<usize, String> {
    let size = at_least_one(text).ok().filter(|&size| size <= LARGEST_BATCH);
    size.ok_or_else(|| format!("expected a whole number from 1 to {LARGEST_BATCH}"))
}

pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = number(text, "a number of seconds from 0.01 to 3600", |value| (0.01..=3600.).contains(&value))?;
    Ok(Duration::from_secs_f32(seconds))
}
