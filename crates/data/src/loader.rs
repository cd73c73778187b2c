//! The loader: batches in an order that `(seed, epoch)` decides, made ahead by worker threads.
//!
//! Worker `w` of `n` makes the batches `w, w + n, w + 2n, ..` of the epoch and puts them into a queue of its own with
//! room for two; the reader takes from the queues in turn. So the order never depends on which thread is faster, and
//! no more than `2 n` batches wait in memory. Batches are plain numbers: tensors are made by the thread that trains,
//! since a GPU runtime keeps a stream for every thread that touches it.

use std::sync::Arc;
use std::thread::JoinHandle;

use burn_dataset::Dataset;
use crossbeam_channel::{Receiver, bounded};

use crate::augment::Augment;
use crate::batch::PlainBatch;
use crate::dataset::LabelledImage;
use crate::error::DataError;
use crate::picture::Picture;
use crate::preprocess::{Normaliser, Preprocess};
use crate::random::{Draw, shuffled};

/// How many batches a worker makes ahead.
const AHEAD: usize = 2;

/// What decides the batches.
#[derive(Clone, Debug)]
pub struct LoaderConfig {
    /// Images in a batch; the last one of an epoch may be shorter.
    pub batch_size: usize,
    /// Shuffles each epoch anew, decided by this seed; `None` keeps the dataset's order.
    pub shuffle: Option<u64>,
    /// Threads that make batches ahead; 0 makes them on the reader's own thread.
    pub workers: usize,
    /// How images are changed at random, decided by this seed, the epoch and the image; `None` leaves them as they are.
    pub augment: Option<(Augment, u64)>,
}

/// Makes batches of a dataset.
#[derive(Clone)]
pub struct Loader {
    name: Arc<str>,
    dataset: Arc<dyn Dataset<LabelledImage>>,
    preprocess: Arc<Preprocess>,
    normaliser: Arc<Normaliser>,
    config: LoaderConfig,
}

impl Loader {
    /// A loader of images for a network.
    pub fn new(
        name: &str,
        dataset: Arc<dyn Dataset<LabelledImage>>,
        preprocess: &Preprocess,
        config: LoaderConfig,
    ) -> Self {
        assert!(config.batch_size > 0, "a batch holds at least one image");
        let (normaliser, preprocess) = (Arc::new(Normaliser::new(preprocess)), Arc::new(preprocess.clone()));
        Self { name: name.into(), dataset, preprocess, normaliser, config }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.dataset.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Images in a full batch.
    pub fn batch_size(&self) -> usize {
        self.config.batch_size
    }

    /// Number of batches in an epoch, the short last one included.
    pub fn batches_per_epoch(&self) -> usize {
        self.len().div_ceil(self.config.batch_size)
    }

    /// The batches of an epoch (counted from 1) from `first_batch` (counted from 0) on.
    pub fn epoch(&self, epoch: usize, first_batch: usize) -> Batches {
        let order = match self.config.shuffle {
            Some(seed) => shuffled(self.len(), seed, epoch as u64),
            None => (0..self.len() as u32).collect(),
        };
        let batcher = Arc::new(EpochBatcher { loader: self.clone(), epoch, order });
        let end = self.batches_per_epoch();
        let workers = self.config.workers.min(end.saturating_sub(first_batch));
        let queues = (0..workers).map(|worker| batcher.clone().spawn(first_batch + worker, workers)).collect();
        Batches { batcher, first: first_batch, next: first_batch, end, queues }
    }
}

/// One epoch: which image comes when.
struct EpochBatcher {
    loader: Loader,
    epoch: usize,
    order: Vec<u32>,
}

impl EpochBatcher {
    fn batch(&self, batch: usize) -> Result<PlainBatch, DataError> {
        let Loader { name, dataset, preprocess, normaliser, config } = &self.loader;
        let start = batch * config.batch_size;
        let end = (start + config.batch_size).min(self.order.len());
        let size = preprocess.channels * preprocess.height * preprocess.width;
        let mut images = Vec::with_capacity((end - start) * size);
        let mut labels = Vec::with_capacity(end - start);
        let mut indices = Vec::with_capacity(end - start);
        for &index in &self.order[start..end] {
            let index = index as usize;
            let gone = || DataError::Item { dataset: name.to_string(), index, len: dataset.len() };
            let LabelledImage { picture, label, fitted } = dataset.get(index).ok_or_else(gone)?;
            // What cannot be read is left out; its dataset knows.
            let Some(picture) = picture else { continue };
            let pixels = self.pixels(picture, fitted, index);
            let filled = images.len();
            images.resize(filled + size, 0.);
            normaliser.normalise_into(&pixels, &mut images[filled..]);
            labels.push(label);
            indices.push(index);
        }
        let shape = [labels.len(), preprocess.channels, preprocess.height, preprocess.width];
        let mut made = PlainBatch { images, shape, labels, indices, mix: None };
        if let Some((augment, seed)) = &config.augment {
            augment.mix(&mut made, &mut Draw::of_batch(*seed, self.epoch as u64, batch as u64));
        }
        Ok(made)
    }

    /// A picture as the network's input, `[C, H, W]` bytes.
    fn pixels(&self, picture: Picture, fitted: bool, index: usize) -> Vec<u8> {
        let Loader { preprocess, config, .. } = &self.loader;
        match &config.augment {
            Some((augment, seed)) => {
                let mut draw = Draw::new(*seed, self.epoch as u64, index as u64);
                augment.apply(picture, fitted, preprocess, &mut draw).pixels
            }
            None => preprocess.fit(picture, fitted).pixels,
        }
    }

    /// Starts a worker that makes every `step`-th batch from `first` on.
    fn spawn(self: Arc<Self>, first: usize, step: usize) -> Queue {
        let (sender, receiver) = bounded(AHEAD);
        let thread = std::thread::spawn(move || {
            for batch in (first..self.loader.batches_per_epoch()).step_by(step) {
                let made = self.batch(batch);
                let failed = made.is_err();
                if sender.send(made).is_err() || failed {
                    return;
                }
            }
        });
        Queue { receiver: Some(receiver), thread: Some(thread) }
    }
}

/// A worker and what it has made.
struct Queue {
    receiver: Option<Receiver<Result<PlainBatch, DataError>>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Queue {
    fn drop(&mut self) {
        // Closing the queue first wakes a worker that waits for room.
        self.receiver = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The batches of an epoch, in order. After an error there are no more.
pub struct Batches {
    batcher: Arc<EpochBatcher>,
    first: usize,
    next: usize,
    end: usize,
    queues: Vec<Queue>,
}

impl Iterator for Batches {
    type Item = Result<PlainBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let made = match self.queues.len() {
            0 => self.batcher.batch(self.next),
            workers => {
                let queue = &self.queues[(self.next - self.first) % workers];
                let received = queue.receiver.as_ref().and_then(|receiver| receiver.recv().ok());
                // A worker ends early only by panicking inside the dataset.
                received.unwrap_or_else(|| {
                    let Loader { name, dataset, config, .. } = &self.batcher.loader;
                    let index = self.next * config.batch_size;
                    Err(DataError::Item { dataset: name.to_string(), index, len: dataset.len() })
                })
            }
        };
        self.next = if made.is_ok() { self.next + 1 } else { self.end };
        Some(made)
    }
}
