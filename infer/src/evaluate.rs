//! How good weights are on images whose classes are known.
//!
//! ```text
//! EvaluationSet ─► classify_set (kiln_data::Loader, kiln::Classifier) ─► Judgements ─► Summary ─┐
//!                  the same of other weights ─────────────────────────► Comparison ────────────┼─► text, JSON, page, files
//!                  the same of held-out images ─► a temperature ──────► Calibration ───────────┘
//! ```
//!
//! Images go the way that they go in training, with the preprocessing of the weights.

mod calibration;
mod classify_set;
mod comparison;
mod error;
mod files;
mod mistakes;
mod page;
mod percent;
mod results;
mod set;
mod summary;
mod text;

pub use calibration::{Calibration, Fit, Temperature};
pub use classify_set::{EvaluateOptions, Evaluated, ImageLogits, classify_set, evaluate};
pub use comparison::Comparison;
pub use error::EvaluateError;
pub use files::{confusion_csv, confusion_png, predictions_csv, worst_sheet};
pub use page::page;
pub use results::Results;
pub use set::{DatasetChoice, EvaluationSet, Split};
pub use summary::{Reliable, Summary, WorstMistake};
pub use text::text;
