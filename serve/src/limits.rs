//! What the server refuses, so that nobody can make it wait, grow or swap.

use std::future::Future;
use std::time::{Duration, Instant};

use kiln_data::picture::MAX_PIXELS;
use tokio::time::timeout_at;

use crate::problem::Problem;

/// What the server refuses, and how requests are gathered into batches.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest body of a request, in bytes.
    pub body: usize,
    /// All bodies together that are in memory at a time, in bytes.
    pub memory: usize,
    /// The most pixels of an image.
    pub pixels: u64,
    /// The most images of a request.
    pub images: usize,
    /// The most images that are being answered at a time, those that wait among them; further requests get 429.
    pub queue: usize,
    /// The most connections; further ones are not accepted until one is closed.
    pub connections: usize,
    /// The longest time from a request's first byte to its answer; a connection may be idle as long.
    pub timeout: Duration,
    /// The most images that go through a network together.
    pub batch: usize,
    /// How long a batch waits for images that are on their way. One that no other follows never waits.
    pub wait: Duration,
    /// Images that are decoded at a time.
    pub decoders: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 32 << 20,
            memory: 256 << 20,
            pixels: MAX_PIXELS / 2,
            images: 64,
            queue: 256,
            // Many systems give a program 1,024 files.
            connections: 1000,
            timeout: Duration::from_secs(30),
            batch: 32,
            wait: Duration::from_millis(2),
            decoders: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// When a request's time is over.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    allowed: Duration,
}

impl Deadline {
    /// Of a request that begins now.
    pub fn of(limits: &Limits) -> Self {
        Self { at: Instant::now() + limits.timeout, allowed: limits.timeout }
    }

    /// What a body becomes, if it arrives in time.
    ///
    /// # Errors
    /// If it does not.
    pub async fn for_body<T>(self, body: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        timeout_at(self.at.into(), body).await.unwrap_or(Err(Problem::SlowBody(self.allowed)))
    }

    /// What an answer becomes, if it is found in time.
    ///
    /// # Errors
    /// If it is not.
    pub async fn for_answer<T>(self, answer: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        timeout_at(self.at.into(), answer).await.unwrap_or(Err(Problem::Timeout(self.allowed)))
    }

    /// Nothing, as long as somebody waits.
    ///
    /// # Errors
    /// If the time is over.
    pub fn check(self) -> Result<(), Problem> {
        if Instant::now() < self.at { Ok(()) } else { Err(Problem::Timeout(self.allowed)) }
    }
}
