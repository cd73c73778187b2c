//! `infer export FILE`: weights in another file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use kiln_cli::{Exit, Failure, note, write_new_file};

use super::weights::WeightsFlags;

#[derive(Args)]
pub struct Export {
    /// The new file, .safetensors or .onnx; one that is there already stays as it is
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    weights: WeightsFlags,
    /// Tensors alone, under torchvision's names, without what Kiln knows of them (.safetensors)
    #[arg(long)]
    plain: bool,
    /// Take pixels of 0 to 255 and normalise them in the graph, instead of normalised images (.onnx)
    #[arg(long)]
    with_preprocess: bool,
}

/// A form of file.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Safetensors,
    Onnx,
}

impl Form {
    fn of(file: &Path) -> Option<Self> {
        let extension = file.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "safetensors" => Some(Self::Safetensors),
            "onnx" => Some(Self::Onnx),
            _ => None,
        }
    }
}

impl Export {
    /// Writes the file.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let Self { file, weights, plain, with_preprocess } = self;
        let usage = |what: &str| Failure::new(Exit::Usage, format!("{}: {what}", file.display()));
        let form = Form::of(&file).ok_or_else(|| usage("the name of the new file ends in .safetensors or .onnx"))?;
        if plain && form == Form::Onnx {
            return Err(usage("--plain goes with .safetensors alone"));
        }
        if with_preprocess && form == Form::Safetensors {
            return Err(usage("--with-preprocess goes with .onnx alone"));
        }
        let (weights, line) = weights.read()?;
        line.iter().for_each(|line| note(line));
        let bytes = match form {
            Form::Safetensors => weights.to_bytes(plain)?,
            Form::Onnx => kiln_onnx::to_bytes(weights, kiln_onnx::Options { with_preprocess })?,
        };
        write_new_file(&file, &bytes)?;
        Ok(ExitCode::SUCCESS)
    }
}
