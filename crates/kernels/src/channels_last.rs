//! Inference with channels last: every tensor is `[N, H, W, C]`, a part of one memory that all operations share.
//!
//! ```text
//! pixel 0   c0 c1 c2 ... | stride     a tensor may be some of the channels of a wider one: the results of several
//! pixel 1   c0 c1 c2 ... | stride     operations then lie side by side, and are concatenated already
//! ```
//!
//! Channels lie along the vectors, so that nothing is turned between one operation and the next: a convolution reads what
//! another has written, and writes what the next one reads. Weights are packed once ([`Conv`]).

#![allow(unsafe_code)] // Several tasks write parts of one memory.

mod affine;
mod conv;
mod pool;
mod winograd;

pub use affine::{affine, from_channels_first};
pub use conv::Conv;
pub use pool::{adaptive_avg_pool, avg_pool, max_pool};

/// Where a tensor lies in the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its first number.
    pub start: usize,
    /// Numbers from one pixel to the next: at least as many as it has channels.
    pub stride: usize,
}

/// Pixels of a tensor and its channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Pixels of all images.
    pub pixels: usize,
    /// Channels.
    pub channels: usize,
}

impl Place {
    /// The end of the last pixel's channels.
    fn end(self, extent: Extent) -> usize {
        self.start + extent.pixels.saturating_sub(1) * self.stride + extent.channels
    }
}

/// The memory of a network's tensors while it is used by several threads.
#[derive(Clone, Copy)]
struct Memory {
    start: *mut f32,
    len: usize,
}
// SAFETY: operations check that what they write overlaps with nothing that they read, and each number is written by one task.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// For an operation that writes `out` and reads `inputs`.
    ///
    /// # Panics
    /// If a tensor does not lie in the memory, its pixels overlap, or the output shares a number with an input.
    fn of(memory: &mut [f32], out: (Place, Extent), inputs: impl IntoIterator<Item = (Place, Extent)>) -> Self {
        let lies = |(place, extent): (Place, Extent)| {
            assert!(place.stride >= extent.channels && place.end(extent) <= memory.len(), "{place:?} of {extent:?}");
        };
        lies(out);
        for input in inputs {
            lies(input);
            assert!(are_disjoint(out, input), "{out:?} overlaps with {input:?}");
        }
        Self { start: memory.as_mut_ptr(), len: memory.len() }
    }

    fn at(self, place: Place) -> *mut f32 {
        self.start.wrapping_add(place.start)
    }

    fn after(self, place: Place) -> usize {
        self.len - place.start
    }
}

/// Whether two tensors share no number: they lie apart, or side by side in one wider tensor.
fn are_disjoint((a, a_extent): (Place, Extent), (b, b_extent): (Place, Extent)) -> bool {
    let apart = a.end(a_extent) <= b.start || b.end(b_extent) <= a.start;
    let beside = || {
        let stride = a.stride;
        let (first, second) = (a.start % stride, b.start % stride);
        let inside = first + a_extent.channels <= stride && second + b_extent.channels <= stride;
        let clear = first + a_extent.channels <= second || second + b_extent.channels <= first;
        a.stride == b.stride && inside && clear
    };
    apart || beside()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_side_by_side_are_disjoint() {
        let extent = |channels| Extent { pixels: 10, channels };
        let at = |start, stride| Place { start, stride };
        assert!(are_disjoint((at(0, 8), extent(3)), (at(3, 8), extent(5))));
        assert!(!are_disjoint((at(0, 8), extent(4)), (at(3, 8), extent(5))));
        assert!(!are_disjoint((at(0, 8), extent(3)), (at(3, 9), extent(5))));
        assert!(are_disjoint((at(0, 8), extent(8)), (at(80, 9), extent(9))));
        // The second begins in the middle of the first's pixels, and reaches around into their channels.
        assert!(!are_disjoint((at(0, 8), extent(4)), (at(6, 8), extent(5))));
    }
}
