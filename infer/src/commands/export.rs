//! `infer export FILE`: weights in another file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use kiln_cli::{Exit, Failure, note, write_new_file};

use super::weights::WeightsFlags;

#[derive(Args)]
pub struct Export {
    /// The new file; one that is there already stays as it is
    #[arg(value_name = "FILE.safetensors")]
    file: PathBuf,
    #[command(flatten)]
    weights: WeightsFlags,
    /// Tensors alone, under torchvision's names, without what Kiln knows of them
    #[arg(long)]
    plain: bool,
}

impl Export {
    /// Writes the file.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let Self { file, weights, plain } = self;
        if file.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("safetensors")) {
            let what = format!("{}: the name of a weights file ends in .safetensors", file.display());
            return Err(Failure::new(Exit::Usage, what));
        }
        let (weights, line) = weights.read()?;
        line.iter().for_each(|line| note(line));
        write_new_file(&file, &weights.to_bytes(plain)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
