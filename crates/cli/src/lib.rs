//! What Kiln's binaries share: flags for backend and device, exit codes, the layout of a run's folder, safe writing.

mod architecture;
mod backend;
mod durable;
mod failure;
mod fit;
mod generate;
mod pretrained;
mod progress;
mod runs;

pub use architecture::ArchitectureParser;
pub use backend::{BackendArgs, LARGEST_BATCH, MAX_THREADS};
pub use durable::{sweep, sync_folder, write_durably, write_file, write_new_file};
pub use failure::{Exit, Failure, finish, note, one_line};
pub use fit::{FitName, Interpolation};
pub use generate::Generate;
pub use pretrained::{fetch_pretrained, pretrained};
pub use progress::{ProgressBar, progress_bar, progress_count};
pub use runs::{NewRun, RunFolder, Runs, remove_unkept_run};
