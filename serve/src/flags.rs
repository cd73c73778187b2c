//! The command line.

mod backend;
mod limits;
mod log;
mod models;

use clap::Parser;
use kiln_cli::Generate;

use backend::BackendFlags;
use limits::LimitFlags;
use log::LogFlags;
use models::ModelFlags;

/// Classifies images over HTTP, with a page to draw on.
#[derive(Parser)]
#[command(name = "serve", version, after_help = AFTER_HELP, args_override_self = true)]
pub struct Flags {
    /// The address to listen at; other machines reach the server at 0.0.0.0
    #[arg(long, default_value = "127.0.0.1", value_name = "HOST")]
    pub host: String,
    /// The port; 0 is any that is free
    #[arg(short, long, default_value_t = 7878, value_name = "N")]
    pub port: u16,
    #[command(flatten)]
    pub models: ModelFlags,
    #[command(flatten)]
    pub limits: LimitFlags,
    #[command(flatten)]
    pub backend: BackendFlags,
    #[command(flatten)]
    pub log: LogFlags,
    /// Write a manual page, or completions for a shell, to standard output
    #[arg(long, value_enum, exclusive = true, value_name = "WHAT")]
    pub generate: Option<Generate>,
}

const AFTER_HELP: &str = "\
SIGHUP loads the models anew. SIGTERM and Ctrl-C finish what was begun and end the server.
Exit codes: 0 good, 2 usage, 3 weights, 5 backend, device or port, 6 output, 130 interrupted twice.";
