//! The program as its users run it: the real binary on the real images.

mod datasets;
mod events;
mod failures;
mod finetune;
mod recipe;
mod resume;
mod run;
mod run_folder;
