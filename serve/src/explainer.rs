//! Explanations: one after the other, since each takes all processors and much longer than an answer.

use std::sync::Arc;
use std::time::Instant;

use kiln_cli::Failure;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::pace::Pace;
use crate::problem::Problem;
use crate::workers::Workers;

/// The most explanations that are being made or wait.
const MOST: usize = 8;

/// Who explains: one thread.
pub struct Explainer {
    thread: Workers,
    places: Arc<Semaphore>,
    pace: Arc<Pace>,
}

impl Explainer {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn start() -> Result<Self, Failure> {
        let (places, pace) = (Arc::new(Semaphore::new(MOST)), Arc::default());
        Ok(Self { thread: Workers::start("explainer", 1)?, places, pace })
    }

    /// Room for an explanation.
    ///
    /// # Errors
    /// If too many wait.
    pub fn admit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| self.pace.busy(MOST))
    }

    /// Hands over an explanation to make, unless nobody waits for it any more when its turn comes.
    ///
    /// # Errors
    /// What it ends with, or if it fails.
    pub async fn explain<T: Send + 'static>(
        &self,
        make: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let (reply, explained) = oneshot::channel();
        let pace = Arc::clone(&self.pace);
        self.thread.take(move || {
            if reply.is_closed() {
                return;
            }
            let start = Instant::now();
            let explanation = make();
            // What is no image takes no time.
            if explanation.is_ok() {
                pace.set(start.elapsed());
            }
            // Who has gone meanwhile gets nothing.
            let _ = reply.send(explanation);
        });
        explained.await.unwrap_or(Err(Problem::Internal))
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn those_who_are_refused_are_told_how_long_explanations_take() {
        let explainer = Explainer::start().expect("a thread");
        let slow = || {
            sleep(Duration::from_millis(500));
            Ok(())
        };
        assert_eq!(explainer.explain(slow).await, Ok(()));
        assert_eq!(explainer.explain(|| Err::<(), _>(Problem::NoImage)).await, Err(Problem::NoImage));
        let places: Vec<_> = (0..MOST).map_while(|_| explainer.admit().ok()).collect();
        assert_eq!(places.len(), MOST);
        let refused = explainer.admit().expect_err("it is full");
        assert!(matches!(refused, Problem::Busy { retry_after: 4.. }), "{refused}");
        drop(places);
        assert!(explainer.admit().is_ok());
    }
}
