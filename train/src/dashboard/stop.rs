//! The user's wish to stop, as one shared counter.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What the user has asked for so far; shared by the Ctrl-C handler, the dashboard and the training loop.
///
/// The first request means "finish the batch, save, leave"; whoever receives the second one leaves at once.
/// Clones count together.
#[derive(Clone, Debug, Default)]
pub struct StopRequest(Arc<AtomicU8>);

impl StopRequest {
    /// Nothing requested yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a stop and returns the number of requests so far, this one included.
    pub fn request(&self) -> u8 {
        // Saturates: a key held down must not wrap around to "not requested". Relaxed: the counter guards no other data.
        let more = |count: u8| Some(count.saturating_add(1));
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).unwrap_or_else(|count| count);
        before.saturating_add(1)
    }

    /// The number of requests so far.
    pub fn count(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
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
    fn clones_share_one_count() {
        let stop = StopRequest::new();
        let handler = stop.clone();
        assert!(!stop.is_requested());
        assert_eq!(handler.request(), 1);
        assert!(stop.is_requested());
        assert_eq!(stop.request(), 2);
    }

    #[test]
    fn a_key_held_down_never_cancels_the_request() {
        let stop = StopRequest::new();
        for _ in 0..1000 {
            stop.request();
        }
        assert!(stop.is_requested());
        assert_eq!(stop.request(), u8::MAX);
    }
}
