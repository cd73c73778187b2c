//! Memory for results and for intermediate values, without clearing what is about to be written.
#![allow(unsafe_code)] // Results are memory that is not yet initialised.

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};

/// A vector of `len` values, all of which `fill` writes.
///
/// # Safety
/// `fill` must initialise every element.
pub(crate) unsafe fn filled<T: Copy>(len: usize, fill: impl FnOnce(&mut [MaybeUninit<T>])) -> Vec<T> {
    let mut values = Vec::with_capacity(len);
    fill(&mut values.spare_capacity_mut()[..len]);
    // SAFETY: the capacity is at least `len`, and the caller promises that all of it is written.
    unsafe { values.set_len(len) };
    values
}

/// Bytes of a cache line: vectors of a panel that starts with one never cross into the next.
const LINE: usize = 64;

thread_local! {
    /// Buffers of this thread that are not in use: new ones would cost a page fault every 4 KB.
    static BUFFERS: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Numbers, whatever they were before, from the start of a cache line on.
pub(crate) struct Scratch {
    buffer: Vec<f32>,
    start: usize,
    len: usize,
}

impl Scratch {
    pub(crate) fn new(len: usize) -> Self {
        let wanted = len + LINE / size_of::<f32>();
        let mut buffer = BUFFERS.with_borrow_mut(|buffers| {
            // The smallest that is large enough, or else the largest.
            let best = (0..buffers.len()).min_by_key(|&index| {
                let size = buffers[index].len();
                if size >= wanted { (false, size) } else { (true, usize::MAX - size) }
            });
            best.map(|index| buffers.swap_remove(index)).unwrap_or_default()
        });
        if buffer.len() < wanted {
            // Growing would copy what nobody needs.
            buffer = vec![0.; wanted];
        }
        let start = buffer.as_ptr().align_offset(LINE);
        Self { buffer, start, len }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        // A thread that ends has no buffers any more: then this one goes, too.
        let _ = BUFFERS.try_with(|buffers| buffers.borrow_mut().push(buffer));
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.buffer[self.start..][..self.len]
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[self.start..][..self.len]
    }
}
