//! Random numbers that depend on seeds and counters alone: the same on every machine and for any number of threads.

mod draw;
mod order;

pub use draw::Draw;
pub(crate) use order::{SPLIT, shuffled};
