//! Training: an engine that burn-train's `Learner` takes the steps for, with exact metrics, resume and a live dashboard.
//!
//! ```text
//! Options ─► run::start / run::resume ─► Engine ─► RunDir (weights, checkpoints)
//!                                          └─────► Observers (lines, dashboard, metrics.csv, TensorBoard)
//! ```

pub mod data;
pub mod engine;
mod error;
pub mod event;
pub mod learner;
pub mod loss;
pub mod measure;
pub mod optim;
pub mod options;
pub mod run;
pub mod run_dir;
pub mod step;
pub mod stop;
pub mod ui;

pub use error::Error;
