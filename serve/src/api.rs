//! The addresses that programs ask: a file each.

pub mod explain;
mod forms;
mod json;
pub mod model;
pub mod predict;
mod prepare;
pub mod state;

pub use json::json;
