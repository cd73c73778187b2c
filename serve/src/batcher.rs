//! Dynamic batching: the thread that sends what has gathered through the network at once.
//!
//! Requests announce their images before they decode them. A batch is closed when it is full, when nobody else has announced
//! an image, or when those who have are not done within a few milliseconds: a lone request never waits, and under load the
//! batches fill by themselves while the one before is computed.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use infer::Prepared;
use kiln_cli::{Exit, Failure};
use kiln_data::picture::DecodeError;
use tokio::sync::oneshot;
use tracing::error;

use crate::models::Loaded;
use crate::pace::Pace;
use crate::problem::Problem;

/// An image with what the network says about it, or why it is none.
pub type Outcome = Result<(Prepared, Row), DecodeError>;

/// What the network says about an image.
#[derive(Debug)]
pub struct Row {
    /// A number a class.
    pub logits: Vec<f32>,
    /// Its share of the batch's way through the network.
    pub forward: Duration,
    /// How long it waited for the batch to start.
    pub waited: Duration,
    /// How many images went together.
    pub batch: usize,
}

/// An image that will come to the batcher, or not if this is dropped.
pub struct Announced(Arc<AtomicUsize>);

impl Drop for Announced {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An image on its way through the network.
struct Job {
    model: Arc<Loaded>,
    image: Prepared,
    since: Instant,
    reply: oneshot::Sender<Outcome>,
    announced: Announced,
}

/// A model's thread, from outside. It ends when all copies of this are dropped, after the images that it has.
#[derive(Clone)]
pub struct Batcher {
    jobs: Sender<Job>,
    announced: Arc<AtomicUsize>,
    /// Of an image.
    pace: Arc<Pace>,
}

impl Batcher {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn start(name: &str, size: usize, wait: Duration) -> Result<Self, Failure> {
        // The number of images is bounded where requests are admitted.
        let (jobs, queue) = unbounded();
        let announced = Arc::new(AtomicUsize::new(0));
        let pace = Arc::new(Pace::default());
        let (announced_there, pace_there) = (Arc::clone(&announced), Arc::clone(&pace));
        let gatherer = Gatherer { queue, announced: announced_there, pace: pace_there, size, wait, next: None };
        let thread = thread::Builder::new().name(format!("batcher {name}")).spawn(|| gatherer.run());
        thread.map_err(|error| Failure::new(Exit::Device, format!("cannot start a thread: {error}")))?;
        Ok(Self { jobs, announced, pace })
    }

    /// Too many images wait: there is room when about all that are announced have been computed.
    pub fn busy(&self) -> Problem {
        self.pace.busy(self.announced.load(Ordering::Relaxed))
    }

    /// Says that an image will come.
    pub fn announce(&self) -> Announced {
        self.announced.fetch_add(1, Ordering::Relaxed);
        Announced(Arc::clone(&self.announced))
    }

    /// Hands over an announced image that was prepared for a model. Who waits hears nothing if the network fails.
    pub fn submit(&self, announced: Announced, model: Arc<Loaded>, image: Prepared, reply: oneshot::Sender<Outcome>) {
        let job = Job { model, image, since: Instant::now(), reply, announced };
        // Without the thread there is nobody to reply, which is what the receiver then says.
        let _ = self.jobs.send(job);
    }
}

/// The thread's state.
struct Gatherer {
    queue: Receiver<Job>,
    announced: Arc<AtomicUsize>,
    pace: Arc<Pace>,
    size: usize,
    wait: Duration,
    /// The first of the next batch: one for newer weights than those before it.
    next: Option<Job>,
}

impl Gatherer {
    fn run(mut self) {
        while let Some(first) = self.next.take().or_else(|| self.queue.recv().ok()) {
            let batch = self.gather(first);
            let count = batch.len();
            let computed = panic::catch_unwind(AssertUnwindSafe(|| compute(batch, &self.pace)));
            if computed.is_err() {
                error!(images = count, "the network failed on a batch");
            }
        }
    }

    /// The first image, and those that follow it in time for the same weights.
    fn gather(&mut self, first: Job) -> Vec<Waiting> {
        let closes = Instant::now() + self.wait;
        let model = Arc::clone(&first.model);
        let mut batch = vec![Waiting::new(first)];
        while batch.len() < self.size {
            let job = match self.queue.try_recv() {
                Ok(job) => job,
                Err(_) if self.announced.load(Ordering::Relaxed) == 0 => break,
                Err(_) => match self.queue.recv_deadline(closes) {
                    Ok(job) => job,
                    Err(_) => break,
                },
            };
            if !Arc::ptr_eq(&job.model, &model) {
                self.next = Some(job);
                break;
            }
            batch.push(Waiting::new(job));
        }
        batch
    }
}

/// An image in a batch: it is not announced any more.
struct Waiting {
    model: Arc<Loaded>,
    image: Prepared,
    since: Instant,
    reply: oneshot::Sender<Outcome>,
}

impl Waiting {
    fn new(Job { model, image, since, reply, announced }: Job) -> Self {
        drop(announced);
        Self { model, image, since, reply }
    }
}

/// Sends a batch through the network and answers. Nothing is computed for those who have gone.
fn compute(batch: Vec<Waiting>, pace: &Pace) {
    let batch: Vec<_> = batch.into_iter().filter(|waiting| !waiting.reply.is_closed()).collect();
    let Some(first) = batch.first() else { return };
    let model = Arc::clone(&first.model);
    let pixels: Vec<u8> = batch.iter().flat_map(|waiting| waiting.image.fitted.pixels.iter().copied()).collect();
    let start = Instant::now();
    // Inside the pool, where an operation need not wake a thread to begin.
    let logits = rayon::scope(|_| model.classifier.logits_of_pixels(&pixels));
    let logits = logits.unwrap_or_else(|error| unreachable!("whole images: {error}"));
    let count = batch.len();
    let forward = start.elapsed() / count as u32;
    pace.set(forward);
    let rows = logits.chunks_exact(model.classifier.classes().len());
    for (Waiting { image, since, reply, .. }, row) in batch.into_iter().zip(rows) {
        let row = Row { logits: row.to_vec(), forward, waited: start - since, batch: count };
        // Who has gone meanwhile gets nothing.
        let _ = reply.send(Ok((image, row)));
    }
}
