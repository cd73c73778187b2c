//! The log, on standard error.

use std::io::{self, IsTerminal};

use clap::{Args, ColorChoice, ValueEnum};
use tracing::level_filters::LevelFilter;

/// How the log looks, and what is in it.
#[derive(Args)]
pub struct LogFlags {
    /// Form of the log
    #[arg(long, value_enum, default_value_t = LogFormat::Text, value_name = "NAME")]
    log_format: LogFormat,
    /// What the log tells: error, warn, info (each request) or debug (broken connections too)
    #[arg(long, default_value = "info", value_parser = level, value_name = "LEVEL")]
    log_level: LevelFilter,
    /// When to use colours
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    color: ColorChoice,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum LogFormat {
    /// A line for people.
    Text,
    /// One object a line.
    Json,
}

fn level(text: &str) -> Result<LevelFilter, String> {
    match text {
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        _ => Err("expected error, warn, info or debug".to_owned()),
    }
}

impl LogFlags {
    /// Writes from now on.
    pub fn start(&self) {
        let colour = match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            // <https://no-color.org>
            ColorChoice::Auto => {
                io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        let log = tracing_subscriber::fmt().with_writer(io::stderr).with_max_level(self.log_level).with_target(false);
        match self.log_format {
            LogFormat::Text => log.with_ansi(colour).init(),
            LogFormat::Json => log.json().flatten_event(true).init(),
        }
    }
}
