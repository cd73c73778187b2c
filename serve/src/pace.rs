//! How fast work goes, from which those who are refused learn when to try again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::problem::Problem;

/// Nanoseconds that one piece of work took the last time.
#[derive(Default)]
pub struct Pace(AtomicU64);

impl Pace {
    /// One took so long.
    pub fn set(&self, one: Duration) {
        // Five centuries fit.
        self.0.store(one.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Too many wait: there is room when about so many have been done.
    pub fn busy(&self, count: usize) -> Problem {
        let backlog = Duration::from_nanos(self.0.load(Ordering::Relaxed).saturating_mul(count as u64));
        Problem::Busy { retry_after: backlog.as_secs().clamp(1, 60) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_are_refused_are_told_how_long_the_others_take() {
        let pace = Pace::default();
        assert_eq!(pace.busy(8), Problem::Busy { retry_after: 1 });
        pace.set(Duration::from_millis(1500));
        assert_eq!(pace.busy(8), Problem::Busy { retry_after: 12 });
        assert_eq!(pace.busy(1000), Problem::Busy { retry_after: 60 });
    }
}
