//! Networks and their weights, against PyTorch and against themselves.

mod exchange;
mod explain;
mod golden;
mod gradients;
mod statistics;
mod weights;
mod zoo;
