//! The flags that choose where a program runs.

use clap::Args;
use kiln_backend::{BackendName, DeviceChoice, Target, TargetError, ThreadError, keep_memory, use_threads};

use crate::{Exit, Failure, note};

/// More threads than any machine has: beyond it the system would be busy with starting them.
pub const MAX_THREADS: usize = 1024;

/// The most images that go through a network together: more need gigabytes between the layers, and are no faster.
pub const LARGEST_BATCH: usize = 4096;

/// `--backend`, `--device` and `--threads`.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub struct BackendArgs {
    /// Where to compute: ndarray or flex (CPU), wgpu, vulkan or metal (GPU, if compiled in) [default: the GPU if
    /// compiled in, else ndarray]
    #[arg(long, value_name = "NAME")]
    pub backend: Option<BackendName>,
    /// Which device: auto, or a number from `infer doctor`
    #[arg(long, default_value = "auto", value_name = "N")]
    pub device: DeviceChoice,
    /// CPU threads [default: all]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

impl BackendArgs {
    /// Sets up threads and memory, and finds the device.
    ///
    /// # Errors
    /// If this build lacks the backend, or there is no such device.
    pub fn target(&self) -> Result<Target, Failure> {
        if let Some(threads) = self.threads {
            if !(1..=MAX_THREADS).contains(&threads) {
                let what = format!("--threads: out of range, expected 1 to {MAX_THREADS}");
                return Err(Failure::new(Exit::Usage, what));
            }
            use_threads(threads)?;
        } else {
            match use_threads(0) {
                // A pool that is there already is as good.
                Ok(()) | Err(ThreadError::Running) => {}
                Err(error) => return Err(error.into()),
            }
        }
        keep_memory();
        let backend = self.backend.unwrap_or_else(BackendName::default_of_build);
        match Target::find(backend, self.device) {
            Err(TargetError::NoAdapter { .. }) if self.backend.is_none() && !backend.is_cpu() => {
                note(&format!("no {backend} adapter found: runs on the CPU"));
                Ok(Target::find(BackendName::NdArray, self.device)?)
            }
            found => Ok(found?),
        }
    }
}
