//! Why weights cannot be evaluated.

use kiln_data::DataError;
use kiln_model::TemperatureError;

use crate::printable;

/// Why weights cannot be evaluated; each message is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// The dataset cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The weights do not say what they were trained on.
    #[error("{weights}: do not say which dataset they were trained on")]
    NoDataset {
        /// The weights.
        weights: String,
    },
    /// The weights were trained on a folder or table, whose place they do not know.
    #[error("{weights}: were trained on `{dataset}`, which is no dataset with a name")]
    Unnamed {
        /// The weights.
        weights: String,
        /// What they call it.
        dataset: String,
    },
    /// There are no validation images.
    #[error("{dataset}: has no validation part, and none was held out when the weights were trained")]
    NoValid {
        /// The dataset.
        dataset: String,
    },
    /// The dataset is not the one whose images were held out.
    #[error("{dataset}: {wanted} of its training images were held out when the weights were trained, but it has {len}")]
    HeldOut {
        /// The dataset.
        dataset: String,
        /// Images that were held out.
        wanted: usize,
        /// Images that there are.
        len: usize,
    },
    /// Dataset and network do not have the same classes.
    #[error(
        "{}: {dataset} has {} classes, the weights {}{}",
        .weights, .of_dataset.len(), .of_weights.len(), differences(.dataset, .of_dataset, .of_weights)
    )]
    Classes {
        /// The weights.
        weights: String,
        /// The dataset.
        dataset: String,
        /// Names of the dataset's classes.
        of_dataset: Vec<String>,
        /// Names of the network's classes.
        of_weights: Vec<String>,
    },
    /// No temperature can be found.
    #[error("{dataset}: {source}")]
    Temperature {
        /// The dataset, and which part of it.
        dataset: String,
        /// Why.
        source: TemperatureError,
    },
}

/// Classes that one of the two lacks, some of them by name.
fn differences(dataset: &str, of_dataset: &[String], of_weights: &[String]) -> String {
    let lacking = |own: &[String], other: &[String], whose: &str| {
        /// Names that are told.
        const NAMED: usize = 3;
        let lacking: Vec<_> = other.iter().filter(|name| !own.contains(name)).collect();
        let more = if lacking.len() > NAMED { ", .." } else { "" };
        let names: Vec<_> = lacking.iter().take(NAMED).map(|name| format!("`{}`", printable(name))).collect();
        (!lacking.is_empty()).then(|| format!("; not in {whose}: {}{more}", names.join(", ")))
    };
    let parts = [lacking(of_weights, of_dataset, "the weights"), lacking(of_dataset, of_weights, dataset)];
    let text: String = parts.into_iter().flatten().collect();
    if text.is_empty() {
        "; a name stands for several of them, so their order must be the same".to_owned()
    } else {
        text
    }
}
