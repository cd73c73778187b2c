//! Threads for work that takes a processor for a while, which the executor's threads must not do.

use std::panic::{self, AssertUnwindSafe};
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};
use kiln_cli::{Exit, Failure};
use tracing::error;

type Work = Box<dyn FnOnce() + Send>;

/// A few threads that take work in the order in which it comes. They end when this is dropped, after the work that they have.
pub struct Workers {
    work: Sender<Work>,
    /// Keeps the queue where there is no thread that does.
    _queue: Receiver<Work>,
}

impl Workers {
    /// Starts so many threads.
    ///
    /// # Errors
    /// If the system refuses them.
    pub fn start(name: &str, count: usize) -> Result<Self, Failure> {
        // How much work can wait is bounded where requests are admitted.
        let (work, queue) = unbounded();
        for _ in 0..count {
            let queue: Receiver<Work> = queue.clone();
            let thread = thread::Builder::new().name(name.to_owned()).spawn(move || queue.iter().for_each(one));
            thread.map_err(|error| Failure::new(Exit::Device, format!("cannot start a thread: {error}")))?;
        }
        Ok(Self { work, _queue: queue })
    }

    /// Hands over work; what comes of it is the work's business.
    pub fn take(&self, work: impl FnOnce() + Send + 'static) {
        // There is a receiver as long as there is a sender.
        let _ = self.work.send(Box::new(work));
    }
}

/// Work that fails takes nothing else with it.
fn one(work: Work) {
    if panic::catch_unwind(AssertUnwindSafe(work)).is_err() {
        error!("a defect: a request was not answered");
    }
}
