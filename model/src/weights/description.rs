//! What a weights file says about itself.

use std::collections::BTreeMap;

use kiln_data::Preprocess;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::Fault;

/// The version of the description that this build writes, and the only one that it reads.
pub const FORMAT: u32 = 1;

/// The `kiln` entry of a weights file: all that inference needs besides the tensors.
///
/// Fields stand in alphabetical order, so the JSON has sorted keys. There is no time, path, run name or host in it: the
/// same training gives the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The architecture's name.
    pub architecture: String,
    /// Names of the classes, by index.
    pub classes: Vec<String>,
    /// The architecture's sizes.
    pub config: Config,
    /// Version of this description.
    pub format: u32,
    /// How an image becomes the network's input.
    pub preprocess: Preprocess,
    /// What logits are divided by before they become probabilities, above 0; `None` leaves them as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// How the weights came about.
    pub training: Provenance,
}

/// Sizes of an architecture that are not fixed by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Number of classes.
    pub classes: usize,
}

/// How weights came about; all empty where nobody knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The dataset's name.
    pub dataset: String,
    /// The epoch after which these weights were taken.
    pub epoch: usize,
    /// The version that trained them.
    pub kiln: String,
    /// What decides the result besides seed and data: optimizer, schedule, batch size and so on.
    pub recipe: BTreeMap<String, Value>,
    /// Seed of weights and order.
    pub seed: u64,
    /// Accuracy on the test set, 0 to 1, if it was measured.
    pub test_accuracy: Option<f64>,
}

impl Description {
    /// The text of the `kiln` entry.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| unreachable!("strings and numbers are JSON: {error}"))
    }

    /// Reads it back.
    ///
    /// # Errors
    /// If it is of another version, or damaged.
    pub fn from_json(json: &str) -> Result<Self, Fault> {
        let damaged = |error: serde_json::Error| Fault::Description(error.to_string());
        // The version comes first: another one may have other fields.
        let value: Value = serde_json::from_str(json).map_err(damaged)?;
        match value.get("format").and_then(Value::as_u64) {
            Some(found) if found == u64::from(FORMAT) => {}
            Some(found) => return Err(Fault::Version { found, expected: FORMAT }),
            None => return Err(Fault::Description("no format version".to_owned())),
        }
        let description: Self = serde_json::from_value(value).map_err(damaged)?;
        description.preprocess.validate().map_err(|error| Fault::Description(error.to_string()))?;
        if let Some(temperature) = description.temperature.filter(|&value| !(value > 0. && value.is_finite())) {
            return Err(Fault::Description(format!("the temperature is {temperature}, expected a number above 0")));
        }
        Ok(description)
    }
}
