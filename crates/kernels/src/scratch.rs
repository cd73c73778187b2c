//! Memory for results and for intermediate values, without clearing what is about to be written.
#![allow(unsafe_code)] // The point of this module: memory that is not yet initialised.

use std::cell::Cell;
use std::mem::MaybeUninit;

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

/// A cache line: vectors of scratch memory do not lie across two.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([f32; LINE]);

const LINE: usize = 16;

thread_local! {
    static SCRATCH: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// Numbers of this thread's scratch memory, holding whatever was left there; they start at a multiple of 64 bytes.
///
/// The memory stays with the thread, so that the system hands out its pages once. A second piece that is taken while the
/// first is in use gets memory of its own. (Not a function that calls a closure: vector code must be inlined.)
pub(crate) struct Scratch {
    memory: Vec<Line>,
    len: usize,
}

impl Scratch {
    pub(crate) fn take(len: usize) -> Self {
        let mut memory = SCRATCH.take();
        if memory.len() * LINE < len {
            memory.resize(len.div_ceil(LINE), Line([0.; LINE]));
        }
        Self { memory, len }
    }

    pub(crate) fn numbers(&mut self) -> &mut [f32] {
        // SAFETY: a `Line` is `LINE` numbers without anything between them, and there are enough of them for `len`.
        unsafe { std::slice::from_raw_parts_mut(self.memory.as_mut_ptr().cast::<f32>(), self.len) }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        SCRATCH.set(std::mem::take(&mut self.memory));
    }
}
