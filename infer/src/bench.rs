//! How fast a network is: the forward pass on batches that are ready, without decoding and fitting.

use std::time::{Duration, Instant};

use kiln::Classifier;
use kiln_backend::Target;
use serde::Serialize;

/// How long it is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BenchOptions {
    /// Images that go through the network together.
    pub batch: usize,
    /// How long passes are timed. There are always at least [`LEAST_PASSES`].
    pub duration: Duration,
}

/// The fewest passes whose latencies have percentiles.
pub const LEAST_PASSES: usize = 10;

/// The share of the time that goes before the clock: caches, threads and, on GPUs, the choice of kernels settle.
const WARM_UP: f64 = 0.25;

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measurement {
    /// The architecture's name.
    pub arch: String,
    /// The backend's name.
    pub backend: String,
    /// Images a pass.
    pub batch: usize,
    /// CPU threads.
    pub threads: usize,
    /// Images in a second, over all passes.
    pub images_per_second: f64,
    /// Milliseconds of a pass: half of them took no longer.
    pub p50_ms: f64,
    /// Nine of ten.
    pub p90_ms: f64,
    /// Ninety-nine of a hundred.
    pub p99_ms: f64,
}

/// Times a network's passes over a batch of one picture again and again.
pub fn bench(target: &Target, classifier: &Classifier, options: BenchOptions) -> Measurement {
    let preprocess = classifier.preprocess();
    let shape = [options.batch, preprocess.channels, preprocess.height, preprocess.width];
    // No constant picture: kernels may skip zeros.
    let images: Vec<f32> = (0..shape.iter().product()).map(|at: usize| (at as f32 * 0.37).sin()).collect();
    let pass = || {
        let start = Instant::now();
        classifier.logits(&images, shape).unwrap_or_else(|error| unreachable!("its own shape: {error}"));
        start.elapsed()
    };
    let warm = Instant::now();
    while warm.elapsed() < options.duration.mul_f64(WARM_UP) {
        pass();
    }
    let mut passes: Vec<Duration> = Vec::new();
    let start = Instant::now();
    while passes.len() < LEAST_PASSES || start.elapsed() < options.duration {
        passes.push(pass());
    }
    let total: Duration = passes.iter().sum();
    passes.sort_unstable();
    let [p50_ms, p90_ms, p99_ms] =
        [50, 90, 99].map(|percent| rounded(1e3 * percentile(&passes, percent).as_secs_f64()));
    Measurement {
        arch: classifier.architecture().to_string(),
        backend: target.backend().to_string(),
        batch: options.batch,
        threads: rayon::current_num_threads(),
        images_per_second: rounded((passes.len() * options.batch) as f64 / total.as_secs_f64()),
        p50_ms,
        p90_ms,
        p99_ms,
    }
}

/// The smallest of the sorted values that `percent` of them do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}

/// To a thousandth.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let sorted: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        let milliseconds = [0, 50, 90, 99, 100].map(|percent| percentile(&sorted, percent).as_millis());
        assert_eq!(milliseconds, [1, 100, 180, 198, 200]);
        assert_eq!(percentile(&sorted[..1], 99).as_millis(), 1);
    }
}
