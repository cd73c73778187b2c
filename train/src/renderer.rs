//! Which renderer shows a run: the dashboard, Burn's own, or none.

use std::io::IsTerminal;

use burn_train::Interrupter;
use burn_train::renderer::tui::TuiMetricsRendererWrapper;
use kiln_cli::{Exit, Failure};

use crate::config::DashboardName;
use crate::console::Screen;
use crate::dashboard::{Dashboard, RunInfo, StopRequest};

fn on_terminal() -> bool {
    std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
}

fn no_terminal(reason: &str) -> Failure {
    Failure::new(Exit::Usage, format!("--dashboard: needs a terminal ({reason}); use --dashboard plain"))
}

/// A dashboard that is asked for by name needs a terminal.
pub(crate) fn check_terminal(name: DashboardName) -> Result<(), Failure> {
    match name {
        DashboardName::Tui | DashboardName::Burn if !on_terminal() => {
            Err(no_terminal("standard input or output is none"))
        }
        _ => Ok(()),
    }
}

/// Who draws the metrics.
pub(crate) enum Renderer {
    Silent,
    Dashboard(Dashboard),
    Burn(TuiMetricsRendererWrapper),
}

impl Renderer {
    /// Starts the one that the option asks for, and says who shows the lines.
    pub(crate) fn start(
        name: DashboardName,
        info: RunInfo,
        stop: &StopRequest,
        interrupter: &Interrupter,
    ) -> Result<(Self, Screen), Failure> {
        match name {
            DashboardName::Plain => Ok((Self::Silent, Screen::Plain)),
            DashboardName::Auto if !on_terminal() => Ok((Self::Silent, Screen::Plain)),
            DashboardName::Off => Ok((Self::Silent, Screen::Off)),
            DashboardName::Burn => {
                Ok((Self::Burn(TuiMetricsRendererWrapper::new(interrupter.clone(), None)), Screen::BurnDashboard))
            }
            DashboardName::Auto | DashboardName::Tui => {
                let dashboard =
                    Dashboard::start(info, stop.clone()).map_err(|error| no_terminal(&error.to_string()))?;
                let feed = dashboard.feed();
                Ok((Self::Dashboard(dashboard), Screen::Dashboard(feed)))
            }
        }
    }
}
