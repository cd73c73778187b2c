//! Standard output.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use clap::ColorChoice;
use kiln_cli::{Exit, Failure};

pub fn standard_output() -> impl Write {
    BufWriter::new(io::stdout().lock())
}

/// Writes to standard output and ends the program.
pub fn written(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<ExitCode, Failure> {
    let mut out = standard_output();
    let written = write(&mut out).and_then(|()| out.flush());
    written.map_or_else(|error| unwritten(&error), |()| Ok(ExitCode::SUCCESS))
}

/// Whether standard output gets colours; by itself it does on a terminal, unless <https://no-color.org> refuses them.
pub fn wants_colour(choice: ColorChoice) -> bool {
    match choice {
        ColorChoice::Always => return true,
        ColorChoice::Never => return false,
        ColorChoice::Auto => {}
    }
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
