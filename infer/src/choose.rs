//! Which weights are used.

use std::io;
use std::path::{Path, PathBuf};

use kiln_cli::{Exit, Failure, Runs, fetch_pretrained};
use kiln_data::{Preprocess, open};
use kiln_model::Architecture;
use kiln_model::weights::{Fault, Foreign, Weights, WeightsError};

/// The name of the weights that are compiled in.
pub const BUILT_IN: &str = "built-in";

/// The weights that are compiled in.
///
/// # Errors
/// If this build was made with a damaged file.
pub fn built_in() -> Result<Weights, WeightsError> {
    Weights::from_bytes(kiln::DIGITS, Path::new(BUILT_IN))
}

/// What the user says about the weights.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// A weights file, a run's folder, a run's name under `output`, or `built-in`; `None` is the newest run's weights,
    /// else the built-in ones.
    pub model: Option<PathBuf>,
    /// Whether to take the weights that torchvision publishes for `arch`.
    pub pretrained: bool,
    /// Whether no socket may be opened to download them.
    pub offline: bool,
    /// The folder of the runs.
    pub output: PathBuf,
    /// The network of a file that does not name it itself.
    pub arch: Option<Architecture>,
    /// A file with that network's class names, one a line; `None` are the ten digits or ImageNet's classes.
    pub classes: Option<PathBuf>,
    /// How that network wants pictures; `None` for the architecture's usual way.
    pub preprocess: Option<Preprocess>,
    /// Whether to take that file's last weights where it has averaged ones too.
    pub no_ema: bool,
}

/// Reads the chosen weights; where it was not the user who named them, with a line that does.
///
/// # Errors
/// If they are missing or damaged, or `arch` is not needed or does not fit.
pub fn choose(choice: &Choice) -> Result<(Weights, Option<String>), Failure> {
    let runs = Runs::new(&choice.output);
    if let (true, Some(arch)) = (choice.pretrained, choice.arch) {
        return Ok((foreign(&fetch_pretrained(arch, choice.offline)?, arch, choice)?, None));
    }
    if let Some(model) = &choice.model {
        let path = find(model, &runs, &choice.output)?;
        return match (choice.arch, path) {
            (None, Some(path)) => Ok((Weights::read(&path)?, None)),
            (None, None) => Ok((built_in()?, None)),
            (Some(arch), Some(path)) => {
                let weights = foreign(&path, arch, choice)?;
                let line = format!("weights: {}, its averaged ones; --no-ema takes the last ones", path.display());
                let line = weights.is_averaged().then_some(line);
                Ok((weights, line))
            }
            (Some(_), None) => Err(WeightsError { path: BUILT_IN.into(), fault: Fault::Kiln }.into()),
        };
    }
    let (newest, without) = runs.latest_with_weights();
    let skipped = match &without[..] {
        [] => String::new(),
        [run] => format!("; {} has none yet", run.path().display()),
        [run, more @ ..] => format!("; {} and {} more runs have none yet", run.path().display(), more.len()),
    };
    let (weights, whose) = match newest {
        Some(run) if without.is_empty() => (Weights::read(&run.best())?, ", the newest run's"),
        Some(run) => (Weights::read(&run.best())?, ", those of the newest run that has some"),
        None => (built_in()?, ""),
    };
    let line = format!("weights: {}{whose} ({}){skipped}", weights.path().display(), origin(&weights));
    Ok((weights, Some(line)))
}

/// The file that `--model` means; `None` for the built-in weights.
fn find(model: &Path, runs: &Runs, output: &Path) -> Result<Option<PathBuf>, Failure> {
    // A file goes before a run of its name, but for the one that names the newest run.
    let run = runs.find(&model.to_string_lossy());
    if model.exists() && !model.is_dir() && (run.is_none() || !model.ends_with("latest")) {
        return Ok(Some(model.to_owned()));
    }
    match run {
        Some(run) if run.best().exists() => Ok(Some(run.best())),
        Some(run) => {
            let what = format!("{}: no best.safetensors in this folder", run.path().display());
            Err(Failure::new(Exit::Weights, what))
        }
        None if model == Path::new(BUILT_IN) => Ok(None),
        None => {
            let (model, output) = (model.display(), output.display());
            let what = format!("{model}: no such weights file or run's folder, and no run of this name in {output}");
            Err(Failure::new(Exit::Weights, what))
        }
    }
}

/// A file that was not written by Kiln.
fn foreign(path: &Path, architecture: Architecture, choice: &Choice) -> Result<Weights, Failure> {
    let classes = choice.classes.as_deref().map(class_names).transpose()?;
    let preprocess = choice.preprocess.clone().unwrap_or_else(|| architecture.preprocess());
    let foreign = Foreign { architecture, classes, preprocess, averages: !choice.no_ema };
    Ok(Weights::read_foreign(path, foreign)?)
}

fn class_names(file: &Path) -> Result<Vec<String>, Failure> {
    let failed = |what: String| Failure::new(Exit::Weights, format!("{}: {what}", file.display()));
    let text = open(file).and_then(io::read_to_string);
    let text = text.map_err(|error| failed(format!("class names cannot be read: {error}")))?;
    let names: Vec<_> = text.lines().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if names.is_empty() { Err(failed("no class names, expected one a line".to_owned())) } else { Ok(names) }
}

/// What weights are and where they come from, in a few words.
fn origin(weights: &Weights) -> String {
    let training = &weights.description().training;
    let accuracy = training.test_accuracy.map(|accuracy| format!(", {:.2} % on its test set", 100. * accuracy));
    format!("{} trained on {}{}", weights.architecture(), training.dataset, accuracy.unwrap_or_default())
}
