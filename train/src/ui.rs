//! What a person sees of a run: lines, a dashboard, or nothing.

pub mod dashboard;
pub mod lines;

use std::io::IsTerminal;

use crate::error::Error;
use kiln_data::ImageSet;
use serde::{Deserialize, Serialize};

use self::dashboard::{Dashboard, RunInfo};
use self::lines::{Printer, line};
use crate::event::{Event, Observer};
use crate::learner::BurnDashboard;
use crate::stop::StopRequest;

/// What is shown while training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum DashboardName {
    /// tui on a terminal that can show it, else plain.
    Auto,
    /// The live dashboard.
    Tui,
    /// Burn's own dashboard as it is: it keeps a core busy, ignores Ctrl-C, and stops the program on an arrow key pressed before the first metric.
    Burn,
    /// The lecture's lines.
    Plain,
    /// Nothing.
    Off,
}

/// Whether there is a terminal to draw on and to read keys from.
fn on_terminal() -> bool {
    let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    std::io::stdout().is_terminal() && std::io::stdin().is_terminal() && !dumb
}

fn no_terminal(reason: &str) -> Error {
    Error::NoTerminal { reason: reason.to_owned() }
}

/// A dashboard that is asked for by name needs a terminal.
///
/// # Errors
/// If there is none.
pub fn check_terminal(name: DashboardName) -> Result<(), Error> {
    match name {
        DashboardName::Tui | DashboardName::Burn if !on_terminal() => {
            Err(no_terminal("standard input or output is none, or one that cannot draw"))
        }
        _ => Ok(()),
    }
}

/// Starts what `name` asks for. The validation images are for the dashboard, which shows those that were misread.
///
/// # Errors
/// If a dashboard was asked for by name and the terminal cannot show it.
pub fn start(
    name: DashboardName,
    info: RunInfo,
    valid: &ImageSet,
    valid_name: &'static str,
    stop: &StopRequest,
) -> Result<Box<dyn Observer>, Error> {
    let printer = Printer::new(valid_name);
    let screen: Box<dyn Observer> = match name {
        DashboardName::Off => return Ok(Box::new(Nothing)),
        DashboardName::Burn => Box::new(BurnDashboard::start(info.epochs, info.classes.len(), stop.clone())),
        DashboardName::Tui => {
            let started = Dashboard::start(info, valid.clone(), valid_name, stop.clone());
            Box::new(started.map_err(|error| no_terminal(&error.to_string()))?)
        }
        DashboardName::Auto if on_terminal() => match Dashboard::start(info, valid.clone(), valid_name, stop.clone()) {
            Ok(dashboard) => Box::new(dashboard),
            Err(_) => return Ok(Box::new(printer)),
        },
        DashboardName::Auto | DashboardName::Plain => return Ok(Box::new(printer)),
    };
    Ok(Box::new(OverPrinter { screen: Some(screen), printer, epochs: Vec::new() }))
}

/// Shows nothing.
struct Nothing;

impl Observer for Nothing {
    fn observe(&mut self, _: &Event<'_>) -> Result<(), Error> {
        Ok(())
    }
}

/// A dashboard over the whole terminal. When it closes, its epochs are printed, and all further lines.
struct OverPrinter {
    /// `None` once it has closed.
    screen: Option<Box<dyn Observer>>,
    printer: Printer,
    epochs: Vec<String>,
}

impl Observer for OverPrinter {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), Error> {
        let Some(screen) = &mut self.screen else { return self.printer.observe(event) };
        if let Event::Epoch(_) = event {
            self.epochs.extend(line(event, self.printer.valid_name()));
        }
        screen.observe(event)
    }

    fn training_ended(&mut self) -> Result<(), Error> {
        // Gives the terminal back.
        self.screen = None;
        std::mem::take(&mut self.epochs).iter().try_for_each(|line| self.printer.print(line))
    }
}
