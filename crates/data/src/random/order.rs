//! The order of images in an epoch, and of the validation split.

use rand::Rng as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

/// The random stream used for validation splits. Epoch `n` uses stream `n`, counted from 1.
pub(crate) const SPLIT: u64 = 0;

/// A permutation of `0..len`, determined by `seed` and `stream`.
///
/// The Fisher-Yates shuffle is written out here so that no library release can change the order: a resumed run must
/// continue with exactly the images that were left.
pub(crate) fn shuffled(len: usize, seed: u64, stream: u64) -> Vec<u32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    let mut order: Vec<u32> = (0..len as u32).collect();
    for last in (1..len).rev() {
        // The high half of a 64 x 64-bit product: a number in 0..=last, with a bias below 2^-32 for any real dataset.
        let pick = ((u128::from(random.next_u64()) * (last as u128 + 1)) >> 64) as usize;
        order.swap(last, pick);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_comes_once_and_the_order_is_fixed() {
        let order = shuffled(1000, 42, 1);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<u32>>());
        // Recorded from the first run: if the order changes, interrupted runs can no longer be resumed.
        assert_eq!(shuffled(8, 42, 1), ORDER_OF_8);
        assert_ne!(order, shuffled(1000, 42, 2), "epochs differ");
        assert_ne!(order, shuffled(1000, 43, 1), "seeds differ");
    }

    const ORDER_OF_8: [u32; 8] = [6, 3, 7, 0, 4, 2, 1, 5];
}
