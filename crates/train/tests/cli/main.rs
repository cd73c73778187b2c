//! The program as its users run it: the real binary on the real images.

mod events;
mod failures;
mod finetune;
mod resume;
mod run;
mod run_folder;
