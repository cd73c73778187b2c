//! The random numbers of one picture in one epoch.
//!
//! The generator is ChaCha8, keyed by (seed, epoch, index): every picture has its own stream, so it does not matter which
//! thread processes it, or when. The distributions are written out here so that no library release can change what a
//! seed means.

use rand::Rng as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

/// The fourth word of the key, which keeps these streams distinct from each other and from those that shuffle datasets.
const PICTURES: [u8; 8] = *b"augment\0";
const BATCHES: [u8; 8] = *b"mixture\0";

/// A stream of random numbers that depends on a seed, an epoch and the index of a picture, and on nothing else.
#[derive(Clone, Debug)]
pub struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream for picture `index` (its position in the dataset, not in the shuffled order) in `epoch`.
    pub fn new(seed: u64, epoch: u64, index: u64) -> Self {
        Self::stream(seed, epoch, index, PICTURES)
    }

    /// The stream for batch `index` of `epoch`, counted as the loader counts them.
    pub fn of_batch(seed: u64, epoch: u64, index: u64) -> Self {
        Self::stream(seed, epoch, index, BATCHES)
    }

    fn stream(seed: u64, epoch: u64, index: u64, purpose: [u8; 8]) -> Self {
        let mut key = [0; 32];
        let words = [seed.to_le_bytes(), epoch.to_le_bytes(), index.to_le_bytes(), purpose];
        for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word);
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in [0, 1): a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in [low, high); `low` if the two are equal.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in `0..count`; 0 when `count` is 0.
    pub fn below(&mut self, count: usize) -> usize {
        // The high half of a 64 x 64-bit product, as in the shuffle of a dataset.
        ((u128::from(self.0.next_u64()) * count as u128) >> 64) as usize
    }

    /// True with the given probability: never for 0, always for 1.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Standard normal: mean 0, variance 1 (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// The symmetric Beta(a, a) distribution on [0, 1], from which mixup and CutMix draw their shares.
    ///
    /// Any `a` that is not above 0 means "no mixing" and returns 1.
    pub fn beta(&mut self, a: f64) -> f64 {
        if a.is_nan() || a <= 0.0 {
            return 1.0;
        }
        if a.is_infinite() {
            return 0.5;
        }
        // x / (x + y) of two gamma variates, in logarithms because both underflow for small `a`.
        let (x, y) = (self.log_gamma(a), self.log_gamma(a));
        1.0 / (1.0 + (y - x).exp())
    }

    /// The logarithm of a gamma variate (scale 1), for a finite `shape` above 0.
    ///
    /// Marsaglia and Tsang, "A simple method for generating gamma variables", 2000. For shapes below 1 they note that
    /// gamma(shape) is gamma(shape + 1) times a uniform number to the power 1 / shape.
    fn log_gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.log_gamma(shape + 1.0) + (1.0 - self.unit()).ln() / shape;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.unit()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d.ln() + v.ln();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(mut draw: Draw) -> [u64; 4] {
        std::array::from_fn(|_| draw.0.next_u64())
    }

    /// Mean and variance of many numbers.
    fn moments(count: usize, mut number: impl FnMut() -> f64) -> (f64, f64) {
        let numbers: Vec<f64> = (0..count).map(|_| number()).collect();
        let mean = numbers.iter().sum::<f64>() / count as f64;
        (mean, numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64)
    }

    #[test]
    fn the_numbers_are_fixed() {
        // Recorded from the first run: if these numbers change, interrupted runs can no longer be resumed.
        let mut draw = Draw::new(42, 1, 7);
        assert_eq!(draw.unit(), 0.272004513752961);
        assert_eq!((draw.below(1000), draw.chance(0.5), draw.between(-1.0, 1.0)), (958, true, 0.29052087635763924));
        // The last digits may depend on the machine's logarithm and cosine.
        let numbers = [draw.normal(), draw.beta(0.2), draw.beta(1.5)];
        for (number, expected) in numbers.into_iter().zip([0.18493650003307727, 0.2659959333758077, 0.8506449680387311])
        {
            assert!((number - expected).abs() < 1e-12, "{numbers:?}");
        }
    }

    #[test]
    fn seed_epoch_and_index_each_change_the_numbers() {
        let first = draws(Draw::new(1, 2, 3));
        assert_eq!(first, draws(Draw::new(1, 2, 3)));
        for other in [Draw::new(2, 2, 3), Draw::new(1, 3, 3), Draw::new(1, 2, 4), Draw::new(2, 1, 3)] {
            assert_ne!(first, draws(other));
        }
        let mut shuffling = ChaCha8Rng::seed_from_u64(1);
        shuffling.set_stream(2);
        assert_ne!(first[0], shuffling.next_u64());
    }

    #[test]
    fn ranges_are_kept_and_filled() {
        let mut draw = Draw::new(0, 0, 0);
        let mut seen = [0; 5];
        for _ in 0..5000 {
            seen[draw.below(5)] += 1;
            assert!((-3.0..7.0).contains(&draw.between(-3.0, 7.0)));
        }
        assert!(seen.iter().all(|&times| (900..1100).contains(&times)), "{seen:?}");
        assert_eq!((draw.below(0), draw.below(1), draw.between(2.5, 2.5)), (0, 0, 2.5));
        assert!((0..1000).all(|_| draw.chance(1.0) && !draw.chance(0.0)));
        let (share, _) = moments(20_000, || f64::from(u8::from(draw.chance(0.3))));
        assert!((share - 0.3).abs() < 0.01, "{share}");
    }

    #[test]
    fn normal_and_beta_have_their_moments() {
        let mut draw = Draw::new(0, 0, 1);
        let (mean, variance) = moments(100_000, || draw.normal());
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
        for a in [0.01, 0.2, 1.0, 1.5, 8.0] {
            let (mean, variance) = moments(100_000, || draw.beta(a));
            let expected = 1.0 / (4.0 * (2.0 * a + 1.0));
            assert!((mean - 0.5).abs() < 0.01, "Beta({a}, {a}) has mean {mean}");
            assert!((variance / expected - 1.0).abs() < 0.03, "Beta({a}, {a}) has variance {variance}");
        }
        assert_eq!([0.0, -1.0, f64::NAN, f64::INFINITY].map(|a| draw.beta(a)), [1.0, 1.0, 1.0, 0.5]);
    }
}
