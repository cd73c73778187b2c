//! `infer`: classifies images.

mod commands;

use std::process::ExitCode;

use clap::{ColorChoice, Parser};
use kiln_cli::{Failure, Generate, finish};

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
    /// Write a manual page, or completions for a shell, to standard output
    #[arg(long, value_enum, exclusive = true, value_name = "WHAT")]
    generate: Option<Generate>,
    /// When to use colours
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, global = true, value_name = "WHEN")]
    color: ColorChoice,
}

const AFTER_HELP: &str = "\
A file called like a command, such as `models`, is ./models.
Exit codes: 0 good, 1 an input could not be classified, 2 usage, 3 weights, 4 dataset, 5 backend or device, 6 output.";

fn main() -> ExitCode {
    finish(infer())
}

fn infer() -> Result<ExitCode, Failure> {
    let Flags { command, classify, generate, color } = Flags::try_parse()?;
    if let Some(generate) = generate {
        return generate.print::<Flags>();
    }
    command.map_or_else(|| classify.run(color), |command| command.run(color))
}
