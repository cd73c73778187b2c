//! The terminal's two modes and the guarantee that it returns to the first one.

use std::io::{self, BufWriter, IsTerminal, Stdout, stdout};
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::thread;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};

/// The exit code of an interrupted process.
const INTERRUPTED: i32 = 130;

/// A terminal written once a frame: standard output itself writes at every kilobyte.
pub(super) type LiveTerminal = Terminal<CrosstermBackend<BufWriter<Stdout>>>;

/// Whether the dashboard's screen is up. Static as the terminal is: the process has one.
static UP: AtomicBool = AtomicBool::new(false);
/// Held while a frame is written, so that nobody restores the terminal in the middle of it.
static DRAWING: Mutex<()> = Mutex::new(());

/// The alternate screen in raw mode, until dropped.
pub(super) struct Screen {
    hook: Option<HookGuard>,
}

impl Screen {
    /// Enters the alternate screen and raw mode and installs the panic hook.
    pub(super) fn enter() -> io::Result<(Screen, LiveTerminal)> {
        if !stdout().is_terminal() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "standard output is not a terminal"));
        }
        if UP.swap(true, Ordering::SeqCst) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "another dashboard is up"));
        }
        // From here on dropping `screen` undoes whatever was done.
        let screen = Screen { hook: Some(HookGuard::install()) };
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen)?;
        let mut terminal = Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(1 << 16, stdout())))?;
        terminal.clear()?;
        Ok((screen, terminal))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore_terminal();
        // A panicking thread may not touch hooks; ours does nothing once the screen is down.
        if let Some(hook) = self.hook.take().filter(|_| !thread::panicking()) {
            hook.remove();
        }
    }
}

/// Leaves the dashboard's screen if it is up; any thread may call it at any time.
///
/// For a signal handler that ends the process: a dropped [`Dashboard`](super::Dashboard) has done it already.
pub fn restore_terminal() {
    // The holder may be this very thread, panicking in a frame: wait, but not for ever.
    let _frame = (0..50).find_map(|_| {
        try_frame().or_else(|| {
            thread::sleep(Duration::from_millis(2));
            None
        })
    });
    if UP.swap(false, Ordering::SeqCst) {
        // Nothing is left to do about a terminal that is gone.
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// Restores the terminal and ends the process with status 130: the answer to a second Ctrl-C.
pub fn leave_at_once() -> ! {
    restore_terminal();
    std::process::exit(INTERRUPTED)
}

/// Runs `frame` unless the screen is down or going down.
pub(super) fn while_up<T>(frame: impl FnOnce() -> T) -> Option<T> {
    let _frame = DRAWING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    is_up().then(frame)
}

/// Whether the dashboard's screen is up.
pub(super) fn is_up() -> bool {
    UP.load(Ordering::SeqCst)
}

fn try_frame() -> Option<MutexGuard<'static, ()>> {
    match DRAWING.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync + 'static>;

/// A panic hook that restores the terminal, so that the message is readable, and then calls the one before it.
struct HookGuard {
    previous: Arc<Hook>,
    /// Where our hook lives: how to tell it from one installed later by somebody else.
    address: usize,
}

impl HookGuard {
    fn install() -> Self {
        let previous = Arc::new(take_hook());
        let hook: Hook = Box::new({
            let previous = Arc::clone(&previous);
            move |info| {
                restore_terminal();
                previous(info);
            }
        });
        let address = address_of(&hook);
        set_hook(hook);
        Self { previous, address }
    }

    /// Puts the previous hook back, unless somebody has chained another one to ours since: then theirs stays.
    fn remove(self) {
        let current = take_hook();
        if address_of(&current) != self.address {
            return set_hook(current);
        }
        drop(current);
        match Arc::try_unwrap(self.previous) {
            Ok(previous) => set_hook(previous),
            Err(shared) => set_hook(Box::new(move |info| shared(info))),
        }
    }
}

fn address_of(hook: &Hook) -> usize {
    std::ptr::from_ref(&**hook).cast::<()>().addr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    /// One test: hooks belong to the process, and tests run side by side.
    #[test]
    fn the_hook_before_is_called_and_comes_back() {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        let original = take_hook();
        let counting: Hook = Box::new(|info| {
            let name = thread::current().name().map(str::to_owned);
            if name.as_deref() == Some("dashboard-hook-test") {
                CALLS.fetch_add(1, Ordering::SeqCst);
            } else {
                eprintln!("{info}");
            }
        });
        // A closure that captures nothing has no address of its own; give it one.
        let token = Arc::new(());
        let counting: Hook = Box::new(move |info| {
            let _ = &token;
            counting(info);
        });
        let address = address_of(&counting);
        set_hook(counting);
        let panics = || {
            let thread = thread::Builder::new().name("dashboard-hook-test".into());
            thread.spawn(|| panic!("expected")).unwrap().join().unwrap_err();
            CALLS.load(Ordering::SeqCst)
        };

        let guard = HookGuard::install();
        assert_eq!(panics(), 1, "chained");
        guard.remove();
        let current = take_hook();
        assert_eq!(address_of(&current), address, "the very hook is back");
        set_hook(current);

        let guard = HookGuard::install();
        let ours = take_hook();
        set_hook(Box::new(move |info| ours(info)));
        guard.remove();
        assert_eq!(panics(), 2, "a later hook survives and still reaches the first");
        drop(take_hook());
        set_hook(original);
    }

    #[test]
    fn without_a_screen_there_is_nothing_to_restore() {
        restore_terminal();
        assert!(!is_up());
        assert_eq!(while_up(|| 1), None, "no frame is drawn on the user's own screen");
    }
}
