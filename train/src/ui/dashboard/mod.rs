//! The live terminal dashboard of a training run.
//!
//! [`Dashboard`] observes what happens in a run; a thread of its own draws that and reads the keyboard. Keys end in a
//! [`StopRequest`] that the training loop looks at.
//!
//! ```text
//! events ----> State (one mutex) --snapshot, at most 10 times a second--> draw --> terminal
//!                                                        keyboard --> View, StopRequest
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
mod frames;
mod history;
mod metric;
mod misread;
mod progress;
mod screen;
mod state;
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

use crate::error::Error;
use kiln_data::ImageSet;

use self::misread::MisreadImages;
use self::progress::Step;
use self::screen::Screen;
use self::state::State;
use crate::event::{Event, Observer, Split};
use crate::stop::StopRequest;
use crate::ui::lines::line;

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
    /// The epoch that the program starts with: 1, or more after a resume.
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
    ended: Receiver<()>,
    screen: Option<Screen>,
    misread: MisreadImages,
    /// What the validation set is called in lines.
    valid_name: &'static str,
}

/// How long a dropped dashboard waits for its thread. On a terminal that was closed, reading the keyboard never returns.
const FAREWELL: Duration = Duration::from_millis(500);

impl Dashboard {
    /// Takes the terminal over and starts to draw. The keyboard's wish to stop goes to `stop`.
    ///
    /// # Errors
    ///
    /// Standard output is not a terminal, the terminal refuses raw mode, or another dashboard is up.
    pub fn start(info: RunInfo, valid: ImageSet, valid_name: &'static str, stop: StopRequest) -> io::Result<Dashboard> {
        let shared = Arc::new(Shared::new(info));
        let (screen, terminal) = Screen::enter()?;
        let (alive, ended) = mpsc::channel::<()>();
        let thread = thread::Builder::new().name("dashboard".into()).spawn({
            let shared = Arc::clone(&shared);
            move || {
                let _alive = alive;
                frames::run(&shared, &stop, terminal);
            }
        })?;
        let misread = MisreadImages::new(valid);
        Ok(Dashboard { shared, thread: Some(thread), ended, screen: Some(screen), misread, valid_name })
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
        if self.ended.recv_timeout(FAREWELL) == Err(RecvTimeoutError::Disconnected) {
            self.join();
        }
        self.screen.take();
    }
}

impl Observer for Dashboard {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), Error> {
        if let Some(line) = line(event, self.valid_name) {
            self.shared.state().add_note(line);
        }
        match event {
            Event::Batch(batch) => {
                let (split, epoch, items, items_total) = (batch.split, batch.epoch, batch.items, batch.items_total);
                let step = Step { split, epoch, items, items_total, now: Instant::now() };
                self.shared.state().batch(step, &batch.output.metrics, &batch.total);
                if split == Split::Valid {
                    self.misread.add(batch.output);
                }
            }
            Event::Evaluation => self.misread.clear(),
            Event::Epoch(epoch) => {
                let mut state = self.shared.state();
                state.set_confusion(epoch.confusion.counts().to_vec());
                state.set_misread(self.misread.take());
            }
            Event::Interval(_) | Event::Note(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Batch, Epoch};
    use crate::run_dir::progress::Row;
    use crate::step::BatchOutput;
    use kiln_model::{Confusion, Metrics};

    /// The dashboard without a terminal.
    fn headless() -> Dashboard {
        let classes = vec!["cat".to_owned(), "dog".to_owned()];
        let info = RunInfo { epochs: 2, first_epoch: 1, iterations_per_epoch: 10, classes, ..RunInfo::default() };
        let valid = ImageSet::in_memory("pets", [1, 1, 2], vec![0, 255, 9, 9], vec![0, 1]);
        let (shared, ended) = (Arc::new(Shared::new(info)), mpsc::channel().1);
        let misread = MisreadImages::new(valid);
        Dashboard { shared, thread: None, ended, screen: None, misread, valid_name: "test" }
    }

    #[test]
    fn what_happens_reaches_the_state() {
        let mut dashboard = headless();
        let logits = vec![2., 0., 3., 1.];
        let metrics = Metrics::of(&logits, 2, &[0, 1], 0.);
        let output = BatchOutput { metrics, weight: 2., logits, labels: vec![0, 1], indices: vec![0, 1] };
        let batch = |split| {
            Event::Batch(Batch {
                split,
                epoch: 1,
                items: 2,
                items_total: 2,
                iteration: 1,
                output: &output,
                total: metrics,
            })
        };
        let mut confusion = Confusion::new(2);
        confusion.add(&output.logits, &output.labels);
        let row = Row {
            epoch: 1,
            train_loss: 1.,
            train_accuracy: 0.5,
            valid_loss: 1.,
            valid_accuracy: 0.5,
            valid_top5: None,
            lr: 0.1,
            seconds: 1.,
            images_per_second: 2.,
        };
        let epoch = Epoch { row: &row, iteration: 1, valid: metrics, is_best: true, confusion: &confusion };
        for event in [batch(Split::Train), Event::Evaluation, batch(Split::Valid), Event::Epoch(epoch)] {
            dashboard.observe(&event).unwrap();
        }
        let state = dashboard.shared.state();
        assert_eq!(state.metrics.len(), 2, "no top-5 of two classes");
        assert_eq!(Split::ALL.map(|split| state.metrics[1].shown(split)), [Some(50.); 2]);
        assert_eq!(state.confusion.as_ref().unwrap().totals(), (1, 2));
        let [misread] = &state.misread[..] else { panic!("one image is misread") };
        assert_eq!((misread.index, misread.truth, misread.predicted, &misread.pixels[..]), (1, 1, 0, &[9, 9][..]));
        assert_eq!(state.notes.len(), 1, "the epoch's line");
    }
}
