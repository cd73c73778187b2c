//! Networks and their weights, against PyTorch and against themselves.

mod exchange;
mod explain;
mod golden;
mod gradients;
mod weights;
mod zoo;
