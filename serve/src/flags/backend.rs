//! Where the networks run.

use clap::Args;
use kiln::Target;
use kiln_cli::{BackendArgs, Exit, Failure, MAX_THREADS};

/// `--backend`, `--device` and `--threads`.
#[derive(Args)]
pub struct BackendFlags {
    #[command(flatten)]
    args: BackendArgs,
}

impl BackendFlags {
    /// Starts the CPU's threads. In the other programs the main thread is one of them; here it waits for signals, and each
    /// model's thread waits for the pool.
    pub fn use_threads(&self) -> Result<(), Failure> {
        let threads = self.args.threads.unwrap_or(0);
        if self.args.threads.is_some_and(|threads| !(1..=MAX_THREADS).contains(&threads)) {
            let what = format!("--threads: out of range, expected 1 to {MAX_THREADS}");
            return Err(Failure::new(Exit::Usage, what));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        pool.map_err(|error| Failure::new(Exit::Usage, format!("cannot use {threads} CPU threads: {error}")))
    }

    /// The device; call [`use_threads`](Self::use_threads) before.
    pub fn target(&self) -> Result<Target, Failure> {
        BackendArgs { threads: None, ..self.args.clone() }.target()
    }
}
