//! `infer doctor`: whether this build computes correctly.

use std::process::ExitCode;

use infer::doctor;
use kiln_cli::{Exit, Failure};

use super::output::{standard_output, unwritten};

/// Examines every device.
pub fn run() -> Result<ExitCode, Failure> {
    match doctor::examine(&mut standard_output()) {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::from(Exit::Input as u8)),
        Err(error) => unwritten(&error),
    }
}
