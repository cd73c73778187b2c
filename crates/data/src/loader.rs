//! The batch loader: batches are prepared ahead of time by worker threads, in an order determined by `(seed, epoch)`.
//!
//! Worker `w` of `n` makes batches `w, w + n, w + 2n, ..` of the epoch and puts them into its own queue, which holds two;
//! the reader takes from the queues in turn. The order therefore never depends on which thread is faster, and at most
//! `2 n` batches wait in memory. Batches are plain numbers: the training thread makes the tensors, because a GPU runtime
//! keeps a stream for every thread that uses it.

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

/// How many finished batches each worker's queue holds.
const AHEAD: usize = 2;

/// What determines the batches.
#[derive(Clone, Debug)]
pub struct LoaderConfig {
    /// Images in a batch; the last batch of an epoch may have fewer.
    pub batch_size: usize,
    /// The seed of the shuffle, which differs in each epoch; `None` keeps the dataset's order.
    pub shuffle: Option<u64>,
    /// Number of worker threads; with 0 the reading thread makes each batch when it is asked for.
    pub workers: usize,
    /// The random changes to images, and their seed; a change depends on seed, epoch and image alone. `None` leaves images
    /// unchanged.
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
    /// A loader that prepares `dataset`'s images as `preprocess` describes. `name` appears in error messages.
    ///
    /// # Panics
    /// If the batch size is 0.
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

    /// Number of batches in an epoch, including a shorter last one.
    pub fn batches_per_epoch(&self) -> usize {
        self.len().div_ceil(self.config.batch_size)
    }

    /// The batches of an epoch (counted from 1), starting with `first_batch` (counted from 0).
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

/// Makes the batches of one epoch.
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
            // Unreadable pictures are left out of the batch; the dataset keeps a list of them.
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

    /// A picture as `[C, H, W]` bytes of the network's input size, augmented if so configured.
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

    /// Starts a worker that makes every `step`-th batch, beginning with `first`.
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

/// A worker thread and its queue of finished batches.
struct Queue {
    receiver: Option<Receiver<Result<PlainBatch, DataError>>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Queue {
    fn drop(&mut self) {
        // Closing the queue first wakes a worker that is waiting for room in it.
        self.receiver = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The batches of an epoch, in order. An error ends the iteration.
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
                // A worker ends early only if the dataset panics.
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
