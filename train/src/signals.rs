//! Ctrl-C, and the system's wishes that the program should end.

use kiln_cli::{Exit, Failure, remove_unkept_run};
use train::stop::StopRequest;
use train::ui::dashboard::leave_at_once;

/// The first signal asks for a stop, the second leaves at once; before training begins, so does the first.
///
/// A hang-up that whoever started the program wants ignored (`nohup train ..`) stays ignored.
///
/// # Errors
/// If the system does not let signals be handled.
pub fn handle(stop: &StopRequest) -> Result<(), Failure> {
    let asked = stop.clone();
    let handler = move || {
        if asked.request() {
            if !asked.has_training_begun() {
                remove_unkept_run();
            }
            leave_at_once();
        }
    };
    let ignored = hang_up::is_ignored();
    ctrlc::set_handler(handler)
        .map_err(|error| Failure::new(Exit::Usage, format!("Ctrl-C cannot be handled: {error}")))?;
    if ignored {
        hang_up::ignore();
    }
    Ok(())
}

/// SIGHUP, which a terminal sends when it closes.
#[cfg(unix)]
#[expect(unsafe_code, reason = "asks for a signal's disposition, and sets it to one that runs no code")]
mod hang_up {
    pub fn is_ignored() -> bool {
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        let asked = unsafe { libc::sigaction(libc::SIGHUP, std::ptr::null(), &raw mut action) };
        asked == 0 && action.sa_sigaction == libc::SIG_IGN
    }

    pub fn ignore() {
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
    }
}

#[cfg(not(unix))]
mod hang_up {
    pub fn is_ignored() -> bool {
        false
    }

    pub fn ignore() {}
}
