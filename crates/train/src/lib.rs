//! Training: burn-train's `Learner` under a strategy of our own, with exact metrics, resume and a live dashboard.
//!
//! ```text
//! Config ─► run::start / run::resume ─► Learner + Strategy ─► Records (files, lines), Checkpoints, Dashboard
//! ```

pub mod checkpoint;
pub mod config;
pub mod console;
pub mod dashboard;
pub mod metrics;
pub mod optimizer;
pub mod progress;
pub mod records;
pub mod run;
pub mod schedule;
pub mod silent;
pub mod strategy;
pub mod task;
pub mod tensorboard;
