//! Memory for outputs and intermediate values that is not zeroed before it is written.
#![allow(unsafe_code)] // Outputs are uninitialised memory until they are filled.

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};

/// Allocates `len` values and lets `fill` write all of them.
///
/// # Safety
/// `fill` must initialise every element.
pub(crate) unsafe fn filled<T: Copy>(len: usize, fill: impl FnOnce(&mut [MaybeUninit<T>])) -> Vec<T> {
    let mut values = Vec::with_capacity(len);
    fill(&mut values.spare_capacity_mut()[..len]);
    // SAFETY: the capacity is at least `len`, and the caller guarantees that every element is written.
    unsafe { values.set_len(len) };
    values
}

/// Bytes of a cache line. Vectors in a panel that starts on a line never straddle two.
const LINE: usize = 64;

thread_local! {
    /// This thread's idle buffers: a fresh allocation would cost a page fault for every 4 KiB.
    static BUFFERS: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Values that start on a cache line, zero at first.
#[derive(Debug)]
pub(crate) struct Aligned {
    buffer: Vec<f32>,
    start: usize,
    len: usize,
}

impl Aligned {
    pub(crate) fn new(len: usize) -> Self {
        Self::within(vec![0.; with_margin(len)], len)
    }

    /// In a buffer that has the [margin](with_margin) to start on a line.
    fn within(buffer: Vec<f32>, len: usize) -> Self {
        let start = buffer.as_ptr().align_offset(LINE);
        Self { buffer, start, len }
    }
}

/// So many values, wherever in a line their buffer starts.
fn with_margin(len: usize) -> usize {
    len + LINE / size_of::<f32>()
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.buffer[self.start..][..self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[self.start..][..self.len]
    }
}

/// Temporary values with arbitrary content, aligned to a cache line.
pub(crate) struct Scratch(Aligned);

impl Scratch {
    pub(crate) fn new(len: usize) -> Self {
        let wanted = with_margin(len);
        let mut buffer = BUFFERS.with_borrow_mut(|buffers| {
            // The smallest that is large enough, or else the largest.
            let best = (0..buffers.len()).min_by_key(|&index| {
                let size = buffers[index].len();
                if size >= wanted { (false, size) } else { (true, usize::MAX - size) }
            });
            best.map(|index| buffers.swap_remove(index)).unwrap_or_default()
        });
        if buffer.len() < wanted {
            // Not `resize`, which would copy the old content.
            buffer = vec![0.; wanted];
        }
        Self(Aligned::within(buffer, len))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0.buffer);
        // While the thread shuts down, its buffers may be gone already: then this one is freed.
        let _ = BUFFERS.try_with(|buffers| buffers.borrow_mut().push(buffer));
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}
