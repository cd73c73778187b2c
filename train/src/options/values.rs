//! The values of options: what is within range, said once for the command line and for files of options.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// More of anything is a slip of the finger, and would overflow where numbers are multiplied.
pub const LARGEST: usize = 1_000_000;

/// What a value out of range is answered with.
pub fn out_of_range(expected: &str) -> String {
    format!("out of range, expected {expected}")
}

/// A parser of numbers that are `good`.
pub fn number(
    expected: &'static str,
    good: fn(f64) -> bool,
) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |text| text.parse().ok().filter(|&value: &f64| good(value)).ok_or_else(|| out_of_range(expected))
}

/// A parser of whole numbers within a range.
pub fn whole(range: RangeInclusive<usize>) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    // What TOML can hold.
    let range = *range.start()..=(*range.end()).min(i64::MAX as usize);
    move |text| {
        let (first, last) = (*range.start(), *range.end());
        text.parse().ok().filter(|value| range.contains(value)).ok_or_else(|| {
            out_of_range(&match (first, last) {
                (first, last) if last == i64::MAX as usize => format!("at least {first}"),
                (0, last) => format!("at most {last}"),
                (first, last) => format!("{first} to {last}"),
            })
        })
    }
}

pub fn above_zero(value: f64) -> bool {
    value > 0. && value.is_finite()
}

pub fn not_negative(value: f64) -> bool {
    value >= 0. && value.is_finite()
}

pub fn share(value: f64) -> bool {
    (0. ..=1.).contains(&value)
}

pub fn below_one(value: f64) -> bool {
    (0. ..1.).contains(&value)
}

/// A count, or a share of all.
pub fn count_or_share(value: f64) -> bool {
    not_negative(value) && (value < 1. || value.fract() == 0.)
}

/// How much images of each class count in the loss.
#[derive(Clone, Debug, PartialEq)]
pub enum ClassWeights {
    /// So much that every class counts as much in all.
    Balanced,
    /// By class.
    Given(Vec<f64>),
}

impl fmt::Display for ClassWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Balanced => f.write_str("balanced"),
            Self::Given(weights) => {
                let weights: Vec<_> = weights.iter().map(f64::to_string).collect();
                f.write_str(&weights.join(","))
            }
        }
    }
}

impl FromStr for ClassWeights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "balanced" {
            return Ok(Self::Balanced);
        }
        let number = |part: &str| part.trim().parse().ok().filter(|weight: &f64| (1e-6..=1e6).contains(weight));
        let weights = text.split(',').map(number).collect::<Option<_>>();
        weights
            .map(Self::Given)
            .ok_or_else(|| out_of_range("`balanced` or numbers of 0.000001 to 1000000, separated by commas"))
    }
}

/// Writes an option as the text that it is parsed from.
pub fn as_text<T: fmt::Display, S: serde::Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Writes an option that may be unset as the text that it is parsed from.
pub fn as_optional_text<T: fmt::Display, S: serde::Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
