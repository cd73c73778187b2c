//! All that an evaluation found.

use serde::Serialize;

use super::calibration::Calibration;
use super::comparison::Comparison;
use super::summary::Summary;

/// The version of the JSON object's form.
const SCHEMA: &str = "kiln.evaluate/1";

/// All that an evaluation found: one object of JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    schema: &'static str,
    /// The dataset's name.
    pub dataset: String,
    /// The part of it.
    pub split: &'static str,
    /// Pictures that were left out because they cannot be read.
    pub unreadable: usize,
    /// The weights, or the two that are compared: A, then B.
    pub models: Vec<Summary>,
    /// How the two differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// What a temperature changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
}

impl Results {
    /// What was found on a part of a dataset, so far of no weights.
    pub fn new(dataset: &str, split: &'static str) -> Self {
        let dataset = dataset.to_owned();
        Self { schema: SCHEMA, dataset, split, unreadable: 0, models: Vec::new(), comparison: None, calibration: None }
    }

    /// The JSON object, with a line break at its end.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string(self);
        json.unwrap_or_else(|error| unreachable!("strings and numbers are JSON: {error}")) + "\n"
    }
}
