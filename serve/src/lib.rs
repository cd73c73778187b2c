//! Classifies images over HTTP.
//!
//! ```text
//! connection ─► routes ─► upload (limits, multipart) ─► decoders (decode, Preprocess) ─► batcher (kiln::Classifier) ─► JSON
//!                                    │ 408 413 429                  │ 413 415 422                │ 429 504
//! ```
//!
//! The executor's threads only move bytes. Decoding runs on a few threads, and each model has a thread of its own, the
//! batcher, which sends what has gathered through the network at once. Nothing waits without a limit: what does not fit
//! into the queue is refused with 429 while it is still cheap to refuse. Uploads live in memory, never on the disk.

mod api;
mod batcher;
mod explainer;
mod limits;
mod linger;
mod metrics;
mod models;
mod observe;
mod openapi;
mod pace;
mod page;
mod problem;
mod routes;
mod server;
mod upload;
mod workers;

pub use limits::Limits;
pub use models::{ModelSource, Models};
pub use server::Server;
