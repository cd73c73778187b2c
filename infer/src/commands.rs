//! The program's commands: a file each, from its flags to its exit code.

mod bench;
mod classify;
mod doctor;
mod evaluate;
mod explain;
mod export;
mod models;
mod output;
mod values;
mod weights;

use std::process::ExitCode;

use clap::{ColorChoice, Subcommand};
use kiln_cli::Failure;

use bench::Bench;
pub use classify::Classify;
use evaluate::Evaluate;
use explain::Explain;
use export::Export;
use models::Models;

#[derive(Subcommand)]
pub enum Command {
    /// List the architectures, or one's layers
    Models(Models),
    /// Judge weights by a dataset: accuracy, calibration, confusion, worst mistakes; or compare two
    Evaluate(Evaluate),
    /// Show what a network sees in an image, and where it looks
    Explain(Explain),
    /// Write weights to another file: one of Kiln's, a plain one for PyTorch, or ONNX
    Export(Export),
    /// Time the forward pass of networks
    Bench(Bench),
    /// List backends and devices, and compare what they compute with the CPU
    Doctor,
}

impl Command {
    /// Runs it to its exit code.
    pub fn run(self, color: ColorChoice) -> Result<ExitCode, Failure> {
        match self {
            Self::Models(models) => models.run(),
            Self::Evaluate(evaluate) => evaluate.run(color),
            Self::Explain(explain) => explain.run(color),
            Self::Export(export) => export.run(),
            Self::Bench(bench) => bench.run(),
            Self::Doctor => doctor::run(),
        }
    }
}
