//! `infer models`: the architectures.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use infer::models;
use kiln_cli::{ArchitectureParser, Failure};
use kiln_model::Architecture;

use super::output::written;

#[derive(Args)]
pub struct Models {
    /// Show the layers of this one
    #[arg(value_parser = ArchitectureParser, hide_possible_values = true)]
    name: Option<Architecture>,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = TableFormat::Text)]
    format: TableFormat,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum TableFormat {
    /// A table for people.
    Text,
    /// One object.
    Json,
}

impl Models {
    /// Lists them.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let text = match (self.format, self.name) {
            (TableFormat::Json, name) => models::to_json(name),
            (TableFormat::Text, Some(name)) => models::layers(name),
            (TableFormat::Text, None) => models::table(),
        };
        written(|out| out.write_all(text.as_bytes()))
    }
}
