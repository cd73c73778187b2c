//! Which models, by which names.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::Args;
use infer::{BUILT_IN, Choice};
use kiln_cli::{ArchitectureParser, Exit, Failure};
use kiln_model::Architecture;
use serve::ModelSource;

/// The name of the model that nobody named.
const DEFAULT: &str = "default";

/// Which models.
#[derive(Args)]
#[group(skip)]
pub struct ModelFlags {
    /// A model: a weights file (.safetensors, .pth, .pt), a run's folder, a run's name under --output, or `built-in`; with NAME=
    /// before it, requests call it so. Several may be given; the first one answers requests that name none [default: the newest
    /// run's, else built-in]
    #[arg(short, long = "model", group = "weights", value_name = "[NAME=]FILE|RUN")]
    models: Vec<OsString>,
    /// The network of a model that was not written by Kiln and does not name it; goes with one model
    #[arg(long, requires = "weights", value_name = "NAME", value_parser = ArchitectureParser, hide_possible_values = true)]
    arch: Option<Architecture>,
    /// The weights that torchvision publishes for --arch, trained on ImageNet; downloaded once into the user's cache folder
    #[arg(long, group = "weights", requires = "arch")]
    pretrained: bool,
    /// Open no socket to download
    #[arg(long, requires = "pretrained")]
    offline: bool,
    /// A file with that network's class names, one a line [default: the ten digits, or ImageNet's 1,000 classes]
    #[arg(long, requires = "arch", value_name = "FILE")]
    classes: Option<PathBuf>,
    /// Folder of the runs
    #[arg(long, default_value = "runs", value_name = "DIR")]
    output: PathBuf,
}

impl ModelFlags {
    /// The models with their names.
    pub fn sources(&self) -> Result<Vec<ModelSource>, Failure> {
        let Self { models, arch, pretrained, offline, classes, output } = self;
        if arch.is_some() && models.len() > 1 {
            let what = "--arch: goes with one model; `infer export` writes a file that needs no --arch";
            return Err(Failure::new(Exit::Usage, what));
        }
        let choice = |model: Option<PathBuf>| Choice {
            model,
            pretrained: *pretrained,
            offline: *offline,
            output: output.clone(),
            arch: *arch,
            classes: classes.clone(),
            ..Choice::default()
        };
        if models.is_empty() {
            let name = arch.map_or(DEFAULT, Architecture::name);
            return Ok(vec![ModelSource { name: name.to_owned(), choice: choice(None) }]);
        }
        let mut sources: Vec<ModelSource> = Vec::new();
        for model in models {
            let (name, path) = named(model);
            if sources.iter().any(|source| source.name == name) {
                let what = format!("--model: two models called `{name}`; name one with NAME=FILE");
                return Err(Failure::new(Exit::Usage, what));
            }
            sources.push(ModelSource { name, choice: choice(Some(path)) });
        }
        Ok(sources)
    }
}

/// The name, and what it stands for. Without a name it is that of the run, or of the file.
fn named(model: &OsStr) -> (String, PathBuf) {
    let plain = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
    // A path that is no text has no name before it.
    match model.to_str().and_then(|text| text.split_once('=')) {
        Some((name, path)) if plain(name) && !Path::new(model).exists() => (name.to_owned(), path.into()),
        _ => (own_name(Path::new(model)), model.into()),
    }
}

fn own_name(path: &Path) -> String {
    let end = if path.is_file() { path.file_stem() } else { path.file_name() };
    end.map_or_else(|| BUILT_IN.to_owned(), |end| end.to_string_lossy().into_owned())
}
