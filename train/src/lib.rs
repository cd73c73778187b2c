//! Training: burn-train's `Learner` under a strategy of our own, with exact metrics, resume and a live dashboard.
//!
//! ```text
//! Config ─► run::start / run::resume ─► Learner + Strategy ─► Records (files, lines), Checkpoints, Dashboard
//! ```

pub mod average;
pub mod checkpoint;
pub mod config;
pub mod console;
pub mod dashboard;
pub mod gradients;
pub mod loss;
pub mod metrics;
pub mod optimizer;
pub mod outcome;
pub mod progress;
pub mod records;
mod renderer;
mod resumable;
pub mod run;
pub mod run_data;
pub mod schedule;
pub mod silent;
pub mod strategy;
pub mod task;
pub mod tensorboard;
