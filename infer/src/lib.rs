//! Classifies images with Kiln's weights.
//!
//! ```text
//! arguments ─► inputs ─► prepare (decode, Preprocess) ─► kiln::Classifier (logits) ─► Classification ─► report
//! ```
//!
//! [`predict`] walks this way batch by batch, so memory does not grow with the number of images. [`choose`] finds the
//! weights, [`evaluate`](mod@evaluate) judges them by a dataset, [`models`] and [`doctor`] say what this build has and whether it
//! computes correctly.

mod answer;
pub mod bench;
mod choose;
mod columns;
pub mod doctor;
pub mod evaluate;
pub mod explain;
pub mod inputs;
pub mod models;
mod predict;
mod prepare;
pub mod report;
mod save_input;

pub use answer::{AnswerOptions, Classification, DigitRead, Digits, Milliseconds, Named, Preprocessing, Region};
pub use choose::{BUILT_IN, Choice, built_in, choose};
pub use predict::{Counts, PredictError, PredictOptions, predict};
pub use prepare::{MAX_BYTES, Prepared, prepare, prepare_bytes, prepare_digits, read_picture};
pub use save_input::SaveInput;

/// `text` on one line and without control characters: file names may hold both, and terminals obey them.
pub fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() { clean.extend(character.escape_default()) } else { clean.push(character) }
    }
    clean
}
