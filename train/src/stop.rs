//! The user's wish to stop, as one shared counter.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// What the user has asked for so far; shared by the Ctrl-C handler, the dashboard and the training loop.
///
/// The first request means "finish the batch, save, leave"; whoever receives the second one leaves at once, and so does
/// whoever receives the first one before training has begun, since there is nothing to save.
/// Clones count together.
#[derive(Clone, Debug, Default)]
pub struct StopRequest(Arc<Requests>);

#[derive(Debug, Default)]
struct Requests {
    count: AtomicU8,
    training: AtomicBool,
}

impl StopRequest {
    /// Nothing requested yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on there is something to save.
    pub fn training_begins(&self) {
        self.0.training.store(true, Ordering::Relaxed);
    }

    /// Whether training has begun.
    pub fn has_training_begun(&self) -> bool {
        self.0.training.load(Ordering::Relaxed)
    }

    /// Asks for a stop; tells whether to leave at once.
    pub fn request(&self) -> bool {
        // Saturates: a key held down must not wrap around to "not requested". Relaxed: the counter guards no other data.
        let more = |count: u8| Some(count.saturating_add(1));
        let before =
            self.0.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).unwrap_or_else(|count| count);
        before > 0 || !self.has_training_begun()
    }

    /// The number of requests so far.
    pub fn count(&self) -> u8 {
        self.0.count.load(Ordering::Relaxed)
    }

    /// Whether anybody has asked for a stop.
    pub fn is_requested(&self) -> bool {
        self.count() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::StopRequest;

    #[test]
    fn clones_share_one_count_and_the_second_request_leaves() {
        let stop = StopRequest::new();
        stop.training_begins();
        let handler = stop.clone();
        assert!(!stop.is_requested());
        assert!(!handler.request(), "the first one lets the batch end");
        assert!(stop.is_requested());
        assert!(stop.request());
    }

    #[test]
    fn before_training_there_is_nothing_to_wait_for() {
        assert!(StopRequest::new().request());
    }

    #[test]
    fn a_key_held_down_never_cancels_the_request() {
        let stop = StopRequest::new();
        for _ in 0..1000 {
            stop.request();
        }
        assert!(stop.is_requested() && stop.request());
    }
}
