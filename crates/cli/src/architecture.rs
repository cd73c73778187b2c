//! The flags that name a network.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command, Error};
use kiln_model::Architecture;

/// Reads the name of an architecture, and tells completions for shells which there are.
#[derive(Clone, Copy, Debug)]
pub struct ArchitectureParser;

impl TypedValueParser for ArchitectureParser {
    type Value = Architecture;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Architecture, Error> {
        str::parse::<Architecture>.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let value = |architecture: Architecture| PossibleValue::new(architecture.name()).help(architecture.about());
        Some(Box::new(Architecture::all().map(value)))
    }
}
