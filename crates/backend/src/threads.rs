//! How many CPU threads the operations may use.

use std::error::Error;

/// Why there is no pool of threads as wanted.
#[derive(Debug, thiserror::Error)]
pub enum ThreadError {
    /// There is one already.
    #[error("the CPU threads are running already")]
    Running,
    /// The system refuses.
    #[error("cannot use {threads} CPU threads: {reason}")]
    Refused {
        /// How many were asked for.
        threads: usize,
        /// The system's words.
        reason: String,
    },
}

/// Gives the CPU backends `threads` threads, the caller's among them: its operations then start without waking another.
/// 0 is one for each processor. Call it once, before the first operation.
///
/// While the caller's thread waits for something else, it does no work that other threads hand to the pool: a thread that
/// the caller waits for must not use the pool.
///
/// Matrix products of the ndarray backend have a pool of their own, sized by `MATMUL_NUM_THREADS`, which
/// [`crate::Target`] leaves alone; results do not depend on either.
///
/// # Errors
/// If the pool is already running, or the system refuses the threads.
pub fn use_threads(threads: usize) -> Result<(), ThreadError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).use_current_thread();
    // Only the system's refusal has a cause.
    pool.build_global().map_err(|error| match error.source() {
        None => ThreadError::Running,
        Some(_) => ThreadError::Refused { threads, reason: error.to_string() },
    })
}
