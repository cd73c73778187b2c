//! Standard output.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use kiln_cli::{Exit, Failure};

pub fn standard_output() -> impl Write {
    BufWriter::new(io::stdout().lock())
}

/// <https://no-color.org>
pub fn wants_colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !refused && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// A reader that has seen enough (`infer .. | head`) is no failure.
pub fn unwritten(error: &io::Error) -> Result<ExitCode, Failure> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::new(Exit::Output, format!("standard output: cannot be written: {error}")))
}
