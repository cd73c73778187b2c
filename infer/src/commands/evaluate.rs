//! `infer evaluate`: how good weights are on a dataset.

mod outputs;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ColorChoice, ValueEnum};
use infer::evaluate::{
    Calibration, Comparison, DatasetChoice, EvaluateError, EvaluateOptions, Evaluated, EvaluationSet, Fit, Results,
    Split, Summary, Temperature, evaluate, text,
};
use kiln::{Classifier, Target};
use kiln_cli::{BackendArgs, Exit, Failure, note, progress_bar, write_new_file};
use kiln_data::LoadOptions;
use kiln_model::weights::Weights;

use self::outputs::OutputFlags;
use super::output::{standard_output, unwritten, wants_colour};
use super::values::{at_least_one, batch_size};
use super::weights::WeightsFlags;

#[derive(Args)]
pub struct Evaluate {
    #[command(flatten)]
    weights: WeightsFlags,
    /// Compare two weights on the same images, by files, runs' folders or runs' names
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["weights", "calibrate"])]
    compare: Vec<PathBuf>,
    #[command(flatten)]
    images: ImageFlags,
    #[command(flatten)]
    backend: BackendArgs,
    /// Images that go through the network together
    #[arg(short, long, default_value_t = 64, value_parser = batch_size, value_name = "N")]
    batch_size: usize,
    /// Threads that prepare batches [default: one; for pictures in files as many as the machine has]
    #[arg(short = 'j', long, value_parser = at_least_one, value_name = "N")]
    workers: Option<usize>,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
    /// Misclassified images to show, those with the highest loss first
    #[arg(long, default_value_t = 25, value_name = "N")]
    worst: usize,
    /// Find the temperature at which probabilities fit held-out images best
    #[arg(long)]
    calibrate: bool,
    /// The part of the dataset by which it is found; never the test images, by which it is judged
    #[arg(long, requires = "calibrate", default_value = "valid", value_parser = calibrate_split(), value_name = "NAME")]
    calibrate_split: Split,
    #[command(flatten)]
    outputs: OutputFlags,
}

/// Which images.
#[derive(Args)]
#[group(skip)]
struct ImageFlags {
    /// mnist, fashion-mnist, kmnist, cifar10, cifar100, or the path of a folder of pictures (train/CLASS/.., val/CLASS/.., or
    /// CLASS/..), of a CSV file with columns path and label, or of a folder with IDX files [default: the one that the weights
    /// were trained on]
    #[arg(long, value_name = "NAME|PATH")]
    dataset: Option<String>,
    /// Folder where the dataset is looked for first, and downloaded to
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The part of it; valid are also images that were held out when the weights were trained
    #[arg(long, value_enum, default_value_t = Split::Test)]
    split: Split,
    /// Evaluate on the first N images only
    #[arg(long, value_parser = at_least_one, value_name = "N")]
    limit: Option<usize>,
}

/// What is tested on the test images must not know them.
fn calibrate_split() -> impl TypedValueParser<Value = Split> {
    let splits = [Split::Valid, Split::Train];
    let named = PossibleValuesParser::new(splits.iter().filter_map(Split::to_possible_value));
    named.try_map(|name| Split::from_str(&name, false))
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Form {
    /// Tables for people.
    Text,
    /// One object.
    Json,
}

/// What is known of weights whose network is on a device.
struct Placed {
    name: String,
    classifier: Classifier,
    /// The network's classes of the dataset's.
    classes: Vec<usize>,
}

impl Evaluate {
    /// Evaluates and reports.
    pub fn run(self, color: ColorChoice) -> Result<ExitCode, Failure> {
        self.outputs.check()?;
        let all = self.read_weights()?;
        let target = self.backend.target()?;
        let set = self.load(&all, self.images.split)?;
        let held_out = self.calibrate.then(|| self.load(&all, self.calibrate_split)).transpose()?;
        let classes = all.iter().map(|weights| set.classes_in(weights).map_err(failure));
        let classes = classes.collect::<Result<Vec<_>, _>>()?;
        let mut configuration = self.configuration(&set, &target);
        configuration.extend(all.iter().flat_map(provenance));

        let mut results = Results::new(&set.dataset, set.split.name());
        let (mut evaluations, mut new_weights) = (Vec::new(), None);
        for (weights, classes) in all.into_iter().zip(classes) {
            let kept = self.outputs.save.is_some().then(|| weights.clone());
            let name = weights.path().display().to_string();
            let placed = Placed { name, classifier: Classifier::on(&target, weights)?, classes };
            let found = held_out.as_ref().map(|held_out| self.calibrate(&placed, held_out)).transpose()?;
            let temperatures: Vec<_> =
                std::iter::once(placed.classifier.temperature()).chain(found.map(|found| found.temperature)).collect();
            let mut evaluated = self.evaluate(&placed, &set, &temperatures)?.into_iter();
            let (Some(before), after) = (evaluated.next(), evaluated.next()) else { unreachable!("one a temperature") };
            let calibration = found.zip(after).map(|(found, after)| Calibration {
                found,
                before: Fit::of(&before),
                after: Fit::of(&after),
                saved: self.outputs.save.as_ref().map(|path| path.display().to_string()),
            });
            new_weights = kept.zip(found).map(|(weights, found)| weights.with_temperature(found.temperature));
            results.calibration = calibration;
            results.models.push(Summary::new(&placed.name, &placed.classifier, &set, &before, self.worst));
            evaluations.push(before);
        }
        if let [a, b] = &evaluations[..] {
            results.comparison = Some(Comparison::new(a, b));
        }
        let unreadable = set.unreadable();
        results.unreadable = unreadable.len();
        tell_unreadable(&unreadable);
        if let (Some(path), Some(weights)) = (&self.outputs.save, new_weights) {
            write_new_file(path, &weights.to_bytes(false)?)?;
        }
        self.print(&results, color)?;
        self.outputs.write(&results, &set, &evaluations[0], configuration)?;
        Ok(if unreadable.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(Exit::Input as u8) })
    }

    /// The weights, one or two.
    fn read_weights(&self) -> Result<Vec<Weights>, Failure> {
        if !self.compare.is_empty() {
            return self.compare.iter().map(|model| self.weights.read_other(model.clone())).collect();
        }
        let (weights, line) = self.weights.clone().read()?;
        line.iter().for_each(|line| note(line));
        Ok(vec![weights])
    }

    /// A part of the dataset that the user named, or that all of the weights were trained on.
    fn load(&self, all: &[Weights], split: Split) -> Result<EvaluationSet, Failure> {
        let ImageFlags { dataset, data_dir, limit, .. } = &self.images;
        let trained_on = |weights: &Weights| weights.description().training.dataset.clone();
        if let (None, [a, b]) = (dataset, all)
            && trained_on(a) != trained_on(b)
        {
            let (a, b) = (trained_on(a), trained_on(b));
            let what =
                format!("--compare: A was trained on `{a}`, B on `{b}`; say with --dataset what both are evaluated on");
            return Err(Failure::new(Exit::Usage, what));
        }
        let held_out = |weights: &Weights| {
            let training = &weights.description().training;
            (training.recipe.get("valid_split").cloned(), training.seed)
        };
        if let ([a, b], Split::Valid | Split::Train) = (all, split)
            && held_out(a) != held_out(b)
        {
            let what = "--compare: A and B did not hold out the same images; compare on --split test";
            return Err(Failure::new(Exit::Usage, what));
        }
        let (data_dir, offline) = (data_dir.clone(), self.weights.offline());
        let load = LoadOptions { data_dir, offline, skip_unreadable: true };
        // The temperature is found on all of the held-out images.
        let limit = limit.filter(|_| split == self.images.split);
        DatasetChoice { dataset: dataset.clone(), split, limit, load }.load(&all[0]).map_err(failure)
    }

    fn options(&self, set: &EvaluationSet) -> EvaluateOptions {
        let threads = || std::thread::available_parallelism().map_or(1, usize::from);
        let usual = || if set.is_in_memory() { 1 } else { threads() };
        EvaluateOptions { batch_size: self.batch_size, workers: self.workers.unwrap_or_else(usual) }
    }

    fn calibrate(&self, placed: &Placed, held_out: &EvaluationSet) -> Result<Temperature, Failure> {
        if self.calibrate_split == Split::Train {
            note("warning: --calibrate-split train: the network has learnt from these images, and is too sure of them");
        }
        if self.calibrate_split == self.images.split {
            note("warning: the temperature is found on the same images that it is judged by");
        }
        let bar = progress_bar(held_out.len(), "images").with_message("finding a temperature");
        let (options, progress) = (self.options(held_out), |done| bar.set_position(done as u64));
        let found = Temperature::find(&placed.classifier, held_out, &placed.classes, options, &progress);
        bar.finish_and_clear();
        found.map_err(failure)
    }

    fn evaluate(&self, placed: &Placed, set: &EvaluationSet, temperatures: &[f64]) -> Result<Vec<Evaluated>, Failure> {
        let bar = progress_bar(set.len(), "images").with_message("evaluating");
        let (options, progress) = (self.options(set), |done| bar.set_position(done as u64));
        let evaluated = evaluate(&placed.classifier, set, &placed.classes, options, temperatures, &progress);
        bar.finish_and_clear();
        evaluated.map_err(failure)
    }

    /// Names and values of what was asked for.
    fn configuration(&self, set: &EvaluationSet, target: &Target) -> Vec<(String, String)> {
        let pair = |name: &str, value: String| (name.to_owned(), value);
        vec![
            pair("dataset", set.dataset.clone()),
            pair("split", set.split.name().to_owned()),
            pair("images", set.len().to_string()),
            pair("backend", format!("{} on {}", target.backend(), target.adapter())),
            pair("batch size", self.batch_size.to_string()),
            pair("Kiln", env!("CARGO_PKG_VERSION").to_owned()),
        ]
    }

    fn print(&self, results: &Results, color: ColorChoice) -> Result<(), Failure> {
        let printed = match self.format {
            Form::Text => text(results, wants_colour(color)),
            Form::Json => results.to_json(),
        };
        let mut out = standard_output();
        let written = out.write_all(printed.as_bytes()).and_then(|()| out.flush());
        written.or_else(|error| unwritten(&error).map(|_| ()))
    }
}

/// How weights came about, as names and values.
fn provenance(weights: &Weights) -> Vec<(String, String)> {
    let training = &weights.description().training;
    let pair = |name: &str, value: String| (name.to_owned(), value);
    let mut pairs = vec![
        pair("weights", weights.path().display().to_string()),
        pair("network", weights.architecture().name().to_owned()),
    ];
    if !training.dataset.is_empty() {
        let (dataset, epoch, seed) = (&training.dataset, training.epoch, training.seed);
        pairs.push(pair("trained on", format!("{dataset}, epoch {epoch}, seed {seed}")));
    }
    if !training.recipe.is_empty() {
        let options: Vec<_> = training.recipe.iter().map(|(option, value)| format!("{option}={value}")).collect();
        pairs.push(pair("recipe", options.join(", ")));
    }
    pairs
}

/// A line for each picture that was left out, up to a screenful.
fn tell_unreadable(files: &[(PathBuf, String)]) {
    const NAMED: usize = 20;
    for (path, reason) in files.iter().take(NAMED) {
        let line = format!("left out: {}: {reason}", path.display());
        note(&line.replace(char::is_control, "?"));
    }
    if files.len() > NAMED {
        note(&format!("left out: {} more that cannot be read", files.len() - NAMED));
    }
}

/// With its exit code, and what to do.
fn failure(error: EvaluateError) -> Failure {
    let (exit, advice) = match &error {
        EvaluateError::NoDataset { .. } => (Exit::Usage, "; name one with --dataset"),
        EvaluateError::Unnamed { .. } => (Exit::Usage, "; name its folder or file with --dataset"),
        EvaluateError::NoValid { .. } => (Exit::Usage, "; choose another part with --split or --calibrate-split"),
        EvaluateError::HeldOut { .. } => (Exit::Data, "; name the same dataset with --dataset or --data-dir"),
        EvaluateError::Classes { .. } => (Exit::Weights, ""),
        _ => (Exit::Data, ""),
    };
    match error {
        EvaluateError::Data(error) => error.into(),
        error => Failure::new(exit, format!("{error}{advice}")),
    }
}
