//! Options that leave the result alone: where data and runs are, what computes with how many threads, what is shown.

use std::path::PathBuf;

use clap::Args;
use kiln_backend::DeviceChoice;
use kiln_cli::MAX_THREADS;
use serde::Serialize;

use super::values::{as_text, whole};
use crate::ui::DashboardName;

/// How a run is carried out, which decides nothing of its result.
#[derive(Args, Clone, Debug, PartialEq, Serialize)]
#[group(skip)]
#[command(next_help_heading = "Machine")]
pub struct Machine {
    /// Folder where the dataset is looked for first, and downloaded to
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// Open no socket
    #[arg(long)]
    pub offline: bool,
    /// Threads that prepare batches; 0 prepares them on the training thread
    #[arg(short = 'j', long, default_value_t = 1, value_parser = whole(0..=256), value_name = "N")]
    pub workers: usize,
    /// Which device: auto, or a number from `infer doctor`
    #[arg(long, default_value = "auto", value_name = "N")]
    #[serde(serialize_with = "as_text")]
    pub device: DeviceChoice,
    /// CPU threads [default: all]
    #[arg(long, value_parser = whole(1..=MAX_THREADS), value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Folder of all runs
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub output: PathBuf,
    /// Checkpoints to keep
    #[arg(long, default_value_t = 2, value_parser = whole(1..=usize::MAX), value_name = "N")]
    pub checkpoint_hist: usize,
    /// Iterations between the lines that report the loss
    #[arg(long, default_value_t = 300, value_parser = whole(1..=usize::MAX), value_name = "N")]
    pub log_interval: usize,
    /// What to show: auto (tui on a terminal, else plain), tui, burn (Burn's own dashboard as it is: it keeps a core busy,
    /// ignores Ctrl-C and stops the program on an arrow key pressed before the first metric), plain, off
    #[arg(long, default_value = "auto", value_name = "NAME", hide_possible_values = true)]
    pub dashboard: DashboardName,
}
