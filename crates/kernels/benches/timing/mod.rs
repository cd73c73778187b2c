//! Timing on a thread pool.

use std::time::{Duration, Instant};

/// Runs `work` inside a pool of `threads`, as `train` does: from outside, every call would first have to wake the pool.
pub fn inside_pool(threads: usize, work: impl FnOnce() + Send) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    pool.install(work);
}

/// The median time of a call in milliseconds, after two warm-up calls.
pub fn median(seconds: Duration, mut work: impl FnMut()) -> f64 {
    (0..2).for_each(|_| work());
    let began = Instant::now();
    let mut times = Vec::new();
    while times.len() < 5 || began.elapsed() < seconds {
        let start = Instant::now();
        work();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
