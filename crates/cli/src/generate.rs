//! Completions for shells and manual pages, from what clap knows of a program.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Command, CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::{Exit, Failure};

/// What a program can write about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Generate {
    /// The manual page in roff, and those of its commands behind it.
    Man,
    /// Completions for bash.
    CompleteBash,
    /// Completions for elvish.
    CompleteElvish,
    /// Completions for fish.
    CompleteFish,
    /// Completions for PowerShell.
    CompletePowershell,
    /// Completions for zsh.
    CompleteZsh,
}

impl Generate {
    /// Writes it for a program to standard output.
    ///
    /// # Errors
    /// If it cannot be written. A reader that has seen enough (`--generate man | head`) is no failure.
    pub fn print<Program: CommandFactory>(self) -> Result<ExitCode, Failure> {
        let mut out = io::stdout().lock();
        match self.write::<Program>(&mut out).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::new(Exit::Output, format!("standard output: cannot be written: {error}")))
            }
            _ => Ok(ExitCode::SUCCESS),
        }
    }

    fn write<Program: CommandFactory>(self, out: &mut dyn Write) -> io::Result<()> {
        let mut command = Program::command();
        let shell = match self {
            Self::Man => return manual(command, out),
            Self::CompleteBash => Shell::Bash,
            Self::CompleteElvish => Shell::Elvish,
            Self::CompleteFish => Shell::Fish,
            Self::CompletePowershell => Shell::PowerShell,
            Self::CompleteZsh => Shell::Zsh,
        };
        let name = command.get_name().to_owned();
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command, name, &mut script);
        out.write_all(&script)
    }
}

/// A page for the program, and one for each of its commands.
fn manual(mut command: Command, out: &mut dyn Write) -> io::Result<()> {
    command.build();
    let commands: Vec<Command> = command.get_subcommands().cloned().collect();
    let source = format!("{} {}", command.get_name(), command.get_version().unwrap_or_default());
    for page in std::iter::once(command).chain(commands) {
        clap_mangen::Man::new(page).source(source.clone()).render(&mut *out)?;
    }
    Ok(())
}
