//! From the command line to the printed page.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use kiln_backend::{BackendName, DeviceChoice, Program, Target};

/// Runs a page on the backend that the first argument names (without one: the build's default), and prints it.
///
/// An unknown name exits with 2, a backend that is not compiled in or finds no adapter with 5.
pub fn show<P: Program<Output = String>>(page: impl FnOnce(bool) -> P) -> ExitCode {
    let backend = match std::env::args().nth(1).map(|name| name.parse::<BackendName>()) {
        None => BackendName::default_of_build(),
        Some(Ok(backend)) => backend,
        Some(Err(message)) => return fail(2, message),
    };
    match Target::find(backend, DeviceChoice::Auto) {
        Ok(target) => print(&target.run(page(in_colour()))),
        Err(error) => fail(5, error),
    }
}

/// Whether standard output shows colours.
pub fn in_colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Prints a page; a reader that leaves early (`| head`) is no error.
pub fn print(page: &str) -> ExitCode {
    match io::stdout().write_all(page.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => fail(6, error),
        _ => ExitCode::SUCCESS,
    }
}

/// One line on standard error, and the exit code.
pub fn fail(code: u8, message: impl std::fmt::Display) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::from(code)
}
