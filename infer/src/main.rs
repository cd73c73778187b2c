//! `infer`: classifies images.

mod commands;

use std::process::ExitCode;

use clap::Parser;
use kiln_cli::{Failure, finish};

use commands::{Classify, Command};

/// Classifies images.
#[derive(Parser)]
#[command(name = "infer", version, after_help = AFTER_HELP, args_override_self = true)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
struct Flags {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    classify: Classify,
}

const AFTER_HELP: &str = "\
A file called like a command, such as `models`, is ./models.
Exit codes: 0 good, 1 an input could not be classified, 2 usage, 3 weights, 5 backend or device, 6 output.";

fn main() -> ExitCode {
    finish(infer())
}

fn infer() -> Result<ExitCode, Failure> {
    let Flags { command, classify } = Flags::try_parse()?;
    command.map_or_else(|| classify.run(), Command::run)
}
