//! The live terminal dashboard of a training run.
//!
//! [`Dashboard`] is a burn-train [`MetricsRenderer`](burn_train::renderer::MetricsRenderer): the event processor tells it
//! each iteration's metrics, the training strategy adds confusion matrices and misread images through a [`Feed`], and a
//! thread of its own draws both and reads the keyboard. Keys end in a [`StopRequest`] that the training loop looks at.
//!
//! ```text
//! event processor --update/render--> State (one mutex) --snapshot, at most 10 times a second--> draw --> terminal
//! strategy -------Feed-------------> State                                       keyboard --> View, StopRequest
//! ```
//!
//! # What it costs
//!
//! Training owns every core, so the dashboard is built to take none:
//! - an iteration costs one short lock a metric and a few additions; nothing is formatted, sent or allocated;
//! - history is bounded (`history.rs`): buckets are joined in place, so memory and drawing do not grow with the run;
//! - the drawing thread copies the state under the lock (some tens of microseconds) and draws the copy without it, so
//!   training never waits for a slow terminal;
//! - it sleeps in the keyboard's poll, draws at most ten frames a second, only where something changed, and where
//!   frames are dear (a huge or remote terminal) spaces them so that they take about 2 % of one core;
//! - layout is plain arithmetic instead of ratatui's constraint solver.
//!
//! # The terminal
//!
//! It is restored when the [`Dashboard`] is dropped, on a panic in any thread (a hook, removed again on drop), on an
//! error and before a second Ctrl-C ends the process. Nothing else may print while the dashboard is up.

mod draw;
mod history;
mod metric;
mod progress;
mod renderer;
mod screen;
mod state;
mod stop;
mod ui;
mod view;

#[cfg(test)]
mod fixture;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use screen::{leave_at_once, restore_terminal};
pub use stop::StopRequest;

use screen::Screen;
use state::State;

/// What the dashboard shows of the run besides its metrics.
#[derive(Clone, Debug, Default)]
pub struct RunInfo {
    /// The run's name, that of its folder.
    pub name: String,
    /// The architecture's name.
    pub model: String,
    /// The dataset's name.
    pub dataset: String,
    /// The backend's name, with the device where that says more.
    pub backend: String,
    /// The last epoch of the run.
    pub epochs: usize,
    /// The epoch this session starts with: 1, or more after a resume.
    pub first_epoch: usize,
    /// Training iterations (batches) in each epoch.
    pub iterations_per_epoch: usize,
    /// Class names in class order.
    pub classes: Vec<String>,
}

/// An image of the validation set that the network got wrong.
#[derive(Clone, Debug, Default)]
pub struct Misread {
    /// Its index in the dataset.
    pub index: usize,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Grey values, row by row, `width * height` of them; ink is light.
    pub pixels: Vec<u8>,
    /// The label, a class index.
    pub truth: usize,
    /// The predicted class index.
    pub predicted: usize,
    /// The softmax output of the predicted class, 0 to 1.
    pub confidence: f32,
}

/// What the training threads and the drawing thread share.
struct Shared {
    state: Mutex<State>,
    closing: AtomicBool,
}

impl Shared {
    fn new(info: RunInfo) -> Self {
        Self { state: Mutex::new(State::new(info, Instant::now())), closing: AtomicBool::new(false) }
    }

    /// The state. A thread that panicked with the lock leaves numbers to show, not a reason to panic again.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The live dashboard; the terminal is its until it is dropped.
pub struct Dashboard {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Disconnects when the drawing thread ends.
    ended: Mutex<Receiver<()>>,
    screen: Option<Screen>,
}

/// How long a dropped dashboard waits for its thread. On a terminal that was closed, reading the keyboard never returns.
const FAREWELL: Duration = Duration::from_millis(500);

impl Dashboard {
    /// Takes the terminal over and starts to draw. The keyboard's wish to stop goes to `stop`.
    ///
    /// # Errors
    ///
    /// Standard output is not a terminal, the terminal refuses raw mode, or another dashboard is up.
    pub fn start(info: RunInfo, stop: StopRequest) -> io::Result<Dashboard> {
        let shared = Arc::new(Shared::new(info));
        let (screen, terminal) = Screen::enter()?;
        let (alive, ended) = mpsc::channel::<()>();
        let thread = thread::Builder::new().name("dashboard".into()).spawn({
            let shared = Arc::clone(&shared);
            move || {
                let _alive = alive;
                ui::run(&shared, &stop, terminal);
            }
        })?;
        Ok(Dashboard { shared, thread: Some(thread), ended: Mutex::new(ended), screen: Some(screen) })
    }

    /// A handle for the training strategy; it may outlive the dashboard.
    pub fn feed(&self) -> Feed {
        Feed { shared: Arc::clone(&self.shared) }
    }

    /// Waits for the drawing thread. A panic there has restored the terminal and printed its message already.
    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(FAREWELL) == Err(RecvTimeoutError::Disconnected) {
            self.join();
        }
        self.screen.take();
    }
}

/// A cheap handle that hands the dashboard what metrics cannot say. No call waits for the terminal.
#[derive(Clone)]
pub struct Feed {
    shared: Arc<Shared>,
}

impl Feed {
    /// Shows `counts`, row-major `[true][predicted]`, `classes * classes` numbers; any other length is ignored.
    pub fn confusion(&self, counts: Vec<u64>) {
        self.shared.state().set_confusion(counts);
    }

    /// Shows these misread images, the most telling first. They replace the ones before.
    pub fn misread(&self, images: Vec<Misread>) {
        self.shared.state().set_misread(images);
    }

    /// Adds a line to the status pane, such as "saved epoch 3, the best so far".
    pub fn note(&self, line: String) {
        self.shared.state().add_note(line);
    }
}
