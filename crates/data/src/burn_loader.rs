//! The loader behind Burn's `DataLoader` trait: batches become tensors on the thread that asks for them.

use std::sync::{Arc, Mutex, PoisonError};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::tensor::{Int, Tensor, TensorData, backend::Backend};

use crate::DataError;
use crate::loader::{Batches, Loader, Mix, PlainBatch};

/// A batch on a device.
#[derive(Clone, Debug)]
pub struct Batch<B: Backend> {
    /// Normalised images `[N, C, H, W]`.
    pub images: Tensor<B, 4>,
    /// Classes `[N]`.
    pub targets: Tensor<B, 1, Int>,
    /// The classes again, where the CPU can read them without asking the device.
    pub labels: Vec<usize>,
    /// Each image's index in the dataset.
    pub indices: Vec<usize>,
    /// What the images are mixed with, if they are.
    pub mix: Option<Mix>,
}

impl<B: Backend> Batch<B> {
    /// Puts a batch on a device.
    pub fn new(plain: PlainBatch, device: &B::Device) -> Self {
        let targets: Vec<i64> = plain.labels.iter().map(|&label| label as i64).collect();
        let count = targets.len();
        Self {
            images: Tensor::from_data(TensorData::new(plain.images, plain.shape), device),
            targets: Tensor::from_data(TensorData::new(targets, [count]), device),
            labels: plain.labels,
            indices: plain.indices,
            mix: plain.mix,
        }
    }
}

/// Where an epoch starts, and what ended one early. Clones share it.
///
/// Burn's `DataLoader` knows neither epochs nor errors; whoever trains sets the one and asks for the other through this.
#[derive(Clone, Debug, Default)]
pub struct Cursor(Arc<Mutex<CursorState>>);

#[derive(Debug, Default)]
struct CursorState {
    epoch: usize,
    first_batch: usize,
    failure: Option<DataError>,
}

impl Cursor {
    fn state(&self) -> std::sync::MutexGuard<'_, CursorState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the next iteration run through `epoch` (from 1) from `first_batch` (from 0) on.
    pub fn set(&self, epoch: usize, first_batch: usize) {
        let mut state = self.state();
        (state.epoch, state.first_batch) = (epoch, first_batch);
    }

    /// The error that ended the last iteration early, once.
    pub fn take_failure(&self) -> Option<DataError> {
        self.state().failure.take()
    }
}

/// [`Loader`] for one backend and device.
pub struct BurnLoader<B: Backend> {
    loader: Loader,
    cursor: Cursor,
    device: B::Device,
}

impl<B: Backend> BurnLoader<B> {
    /// Serves `loader` from where `cursor` says.
    pub fn new(loader: Loader, cursor: Cursor, device: B::Device) -> Self {
        Self { loader, cursor, device }
    }
}

impl<B: Backend> DataLoader<B, Batch<B>> for BurnLoader<B> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch<B>> + 'a> {
        let (epoch, first_batch) = {
            let state = self.cursor.state();
            (state.epoch, state.first_batch)
        };
        let seen = (first_batch * self.loader.batch_size()).min(self.loader.len());
        let batches = self.loader.epoch(epoch, first_batch);
        Box::new(BurnBatches { batches, seen, loader: self })
    }

    fn num_items(&self) -> usize {
        self.loader.len()
    }

    fn to_device(&self, device: &B::Device) -> Arc<dyn DataLoader<B, Batch<B>>> {
        Arc::new(Self { loader: self.loader.clone(), cursor: self.cursor.clone(), device: device.clone() })
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<B, Batch<B>>> {
        let loader = self.loader.slice(start, end);
        Arc::new(Self { loader, cursor: self.cursor.clone(), device: self.device.clone() })
    }
}

struct BurnBatches<'a, B: Backend> {
    batches: Batches,
    seen: usize,
    loader: &'a BurnLoader<B>,
}

impl<B: Backend> Iterator for BurnBatches<'_, B> {
    type Item = Batch<B>;

    fn next(&mut self) -> Option<Batch<B>> {
        match self.batches.next()? {
            Ok(plain) => {
                self.seen += plain.labels.len();
                Some(Batch::new(plain, &self.loader.device))
            }
            Err(error) => {
                self.loader.cursor.state().failure = Some(error);
                None
            }
        }
    }
}

impl<B: Backend> DataLoaderIterator<Batch<B>> for BurnBatches<'_, B> {
    fn progress(&self) -> Progress {
        Progress::new(self.seen, self.loader.loader.len())
    }
}
