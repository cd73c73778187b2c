//! What is refused.

use std::time::Duration;

use clap::Args;
use kiln_cli::{Exit, Failure, LARGEST_BATCH};
use serve::Limits;

/// A body is counted in 32 bits.
const LARGEST_BODY: u64 = 2048;

/// What is refused, and how requests are gathered.
#[derive(Args)]
pub struct LimitFlags {
    /// Images that go through a network together
    #[arg(long, default_value_t = 32, value_parser = whole(1, LARGEST_BATCH as u64), value_name = "N")]
    max_batch: u64,
    /// How long a batch waits for images that are on their way, in milliseconds
    #[arg(long, default_value_t = 2, value_parser = whole(0, 1000), value_name = "MS")]
    max_wait_ms: u64,
    /// Images that are answered or wait at a time; further requests get 429
    #[arg(long, default_value_t = 256, value_parser = whole(1, 1 << 20), value_name = "N")]
    max_queue: u64,
    /// The longest body of a request
    #[arg(long, default_value_t = 32, value_parser = whole(1, LARGEST_BODY), value_name = "MB")]
    max_body_mb: u64,
    /// All bodies together; further requests get 429
    #[arg(long, default_value_t = 256, value_parser = whole(1, 1 << 20), value_name = "MB")]
    max_memory_mb: u64,
    /// Refuse images of more pixels than this
    #[arg(long, default_value_t = Limits::default().pixels, value_parser = whole(1, u64::MAX), value_name = "N")]
    max_pixels: u64,
    /// The most images of a request
    #[arg(long, default_value_t = 64, value_parser = whole(1, LARGEST_BATCH as u64), value_name = "N")]
    max_images: u64,
    /// The most connections
    #[arg(long, default_value_t = 1000, value_parser = whole(1, 1 << 20), value_name = "N")]
    max_connections: u64,
    /// The longest time for a request, and for finishing at the end, in seconds
    #[arg(long, default_value_t = 30, value_parser = whole(1, 3600), value_name = "S")]
    timeout: u64,
}

fn whole(least: u64, most: u64) -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(least..=most)
}

impl LimitFlags {
    /// As the library wants them.
    pub fn limits(&self) -> Result<Limits, Failure> {
        let size = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        if self.max_memory_mb < self.max_body_mb {
            let what = format!("--max-memory-mb: less than a body may have, {} MB", self.max_body_mb);
            return Err(Failure::new(Exit::Usage, what));
        }
        Ok(Limits {
            body: size(self.max_body_mb << 20),
            memory: size(self.max_memory_mb << 20),
            pixels: self.max_pixels,
            // More could never be admitted.
            images: size(self.max_images.min(self.max_queue)),
            queue: size(self.max_queue),
            connections: size(self.max_connections),
            timeout: Duration::from_secs(self.timeout),
            batch: size(self.max_batch),
            wait: Duration::from_millis(self.max_wait_ms),
            ..Limits::default()
        })
    }
}
