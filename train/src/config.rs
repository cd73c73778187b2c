//! Every option of a training run: flags on the command line, `config.toml` in the run's folder.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, FromArgMatches};
use kiln_backend::BackendName;
use kiln_cli::{Exit, Failure, FitName, MAX_THREADS};
use kiln_data::preprocess::MAX_SIDE;
use kiln_model::{Architecture, Freeze};
use serde::{Deserialize, Serialize};

use crate::loss::Loss;
use crate::run_data::RunData;
use crate::schedule::{Schedule, Shape};

mod augment;
mod recipe;

pub use augment::AugmentOptions;
pub use recipe::Recipe;

/// The rule that turns gradients into steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerName {
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Adam.
    Adam,
    /// Adam with decoupled weight decay.
    Adamw,
}

/// What is shown while training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum DashboardName {
    /// tui on a terminal, else plain.
    Auto,
    /// The live dashboard.
    Tui,
    /// Burn's own dashboard as it is: it keeps a core busy, ignores Ctrl-C, and stops the program on an arrow key pressed before the first metric.
    Burn,
    /// The lecture's lines.
    Plain,
    /// Nothing.
    Off,
}

/// The options of a run. Defaults are the lecture's recipe.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Network: one that `infer models` lists
    #[arg(long, default_value = "lecture-cnn", value_name = "NAME")]
    #[serde(with = "as_text")]
    pub model: Architecture,
    /// Weights to begin with: a file of Kiln's, .safetensors, .pth or .pt. The last layer begins at random if the number of
    /// classes differs
    #[arg(long, value_name = "FILE")]
    pub initial_checkpoint: Option<PathBuf>,
    /// Begin with the weights that torchvision publishes for the network, trained on ImageNet; downloaded once into the user's
    /// cache folder
    #[arg(long, conflicts_with = "initial_checkpoint")]
    pub pretrained: bool,
    /// googlenet and inception_v3: whether the network brings images that are normalised as ImageNet's within ±1 [default: as the
    /// weights to begin with want it; torchvision's do]
    #[arg(long, value_name = "true|false")]
    pub transform_input: Option<bool>,
    /// Layers to leave as they are: backbone (all but the last one), or the first N of those with weights
    #[arg(long, value_name = "N|backbone")]
    #[serde(default, with = "as_optional_text", skip_serializing_if = "Option::is_none")]
    pub freeze: Option<Freeze>,
    /// mnist, fashion-mnist, kmnist, cifar10, cifar100, or the path of a folder of pictures (train/CLASS/.., val/CLASS/.., or
    /// CLASS/..), of a CSV file with columns path and label, or of a folder with IDX files
    #[arg(long, default_value = "mnist", value_name = "NAME|PATH")]
    pub dataset: String,
    /// Folder where the dataset is looked for first, and downloaded to
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Open no socket
    #[arg(long)]
    pub offline: bool,
    /// Training images to validate on, as a number or a fraction; 0 validates on the test set
    #[arg(long, default_value_t = 0., value_name = "N|F")]
    pub valid_split: f64,
    /// Side of the network's input, in pixels [default: the dataset's, or the network's usual one]
    #[arg(long, value_name = "N")]
    pub img_size: Option<usize>,
    /// Channels of the network's input: 1 (grey) or 3 (RGB) [default: the dataset's, or the network's usual ones]
    #[arg(long, value_name = "N")]
    pub in_chans: Option<usize>,
    /// How pictures of another size are fitted: crop (the centre, after the shorter side was fitted), pad (bars beside), squash
    /// [default: crop for photographs]
    #[arg(long, value_name = "NAME", hide_possible_values = true)]
    pub resize_mode: Option<FitName>,
    /// Train on the first N images only
    #[arg(long, value_name = "N")]
    pub limit_train: Option<usize>,
    /// Test on the first N images only
    #[arg(long, value_name = "N")]
    pub limit_test: Option<usize>,
    /// Threads that prepare batches; 0 prepares them on the training thread
    #[arg(short = 'j', long, default_value_t = 1, value_name = "N")]
    pub workers: usize,
    /// Number of epochs: times to go through the training set
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub epochs: usize,
    /// Images in a batch
    #[arg(short, long, default_value_t = 64, value_name = "N")]
    pub batch_size: usize,
    /// Optimizer
    #[arg(long, default_value = "sgd", value_name = "NAME")]
    pub opt: OptimizerName,
    /// Learning rate [default: 0.01 for sgd, 0.001 for adam and adamw]
    #[arg(long, value_name = "F")]
    pub lr: Option<f64>,
    /// Momentum of sgd
    #[arg(long, default_value_t = 0.5, value_name = "F")]
    pub momentum: f64,
    /// Batches whose gradients make one step: their mean over all images
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub grad_accum_steps: usize,
    /// Weight decay of weights that are matrices or kernels [default: 0.01 for adamw, else 0]
    #[arg(long, alias = "wd", value_name = "F")]
    pub weight_decay: Option<f64>,
    /// Weight decay of biases and of normalisations' weights; give it the same value for PyTorch's way
    #[arg(long, default_value_t = 0., value_name = "F")]
    pub bias_weight_decay: f64,
    /// Learning-rate schedule
    #[arg(long, default_value = "constant", value_name = "NAME")]
    pub sched: Shape,
    /// Epochs of linear warm-up; for onecycle, of the way up [default: 0; for onecycle 0.3 of all]
    #[arg(long, value_name = "F")]
    pub warmup_epochs: Option<f64>,
    /// Learning rate at the start of the warm-up [default: 0.00001; for onecycle lr / 25]
    #[arg(long, value_name = "F")]
    pub warmup_lr: Option<f64>,
    /// Learning rate at the end of cosine and onecycle [default: 0; for onecycle lr / 250,000]
    #[arg(long, value_name = "F")]
    pub min_lr: Option<f64>,
    /// With --sched step: epochs between two steps
    #[arg(long, default_value_t = 30, value_name = "N")]
    pub decay_epochs: usize,
    /// With --sched step: factor at each step
    #[arg(long, default_value_t = 0.1, value_name = "F")]
    pub decay_rate: f64,
    /// Share of the target that is spread over all classes
    #[arg(long, alias = "smoothing", default_value_t = 0., value_name = "F")]
    pub label_smoothing: f64,
    /// How much images of each class count: balanced (as much for every class), or as many numbers as there are classes,
    /// separated by commas
    #[arg(long, value_name = "balanced|F,F,..")]
    #[serde(default, with = "as_optional_text", skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// Clip the norm of all gradients together to this
    #[arg(long, value_name = "F")]
    pub clip_grad: Option<f64>,
    /// Keep a moving average of the weights (EMA), and evaluate and write that
    #[arg(long)]
    pub model_ema: bool,
    /// How much of the average stays at each iteration; less at the first ones
    #[arg(long, default_value_t = 0.9998, value_name = "F")]
    pub model_ema_decay: f64,
    /// Stop after N epochs without a better one
    #[arg(long, value_name = "N")]
    pub patience: Option<usize>,
    /// Decides weights and order of images
    #[arg(long, default_value_t = 42, value_name = "N")]
    pub seed: u64,
    /// Where to compute: ndarray or flex (CPU), wgpu, vulkan or metal (GPU, if compiled in) [default: the GPU if
    /// compiled in, else ndarray]
    #[arg(long, value_name = "NAME")]
    #[serde(default, with = "as_optional_text", skip_serializing_if = "Option::is_none")]
    pub backend: Option<BackendName>,
    /// Which device: auto, or a number from `infer doctor`
    #[arg(long, default_value = "auto", value_name = "N")]
    pub device: String,
    /// CPU threads [default: all]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Folder of all runs
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub output: PathBuf,
    /// Checkpoints to keep
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub checkpoint_hist: usize,
    /// Iterations between the lines that report the loss
    #[arg(long, default_value_t = 300, value_name = "N")]
    pub log_interval: usize,
    /// What to show: auto (tui on a terminal, else plain), tui, burn (Burn's own dashboard as it is: it keeps a core busy,
    /// ignores Ctrl-C and stops the program on an arrow key pressed before the first metric), plain, off
    #[arg(long, default_value = "auto", value_name = "NAME", hide_possible_values = true)]
    pub dashboard: DashboardName,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a comment here would head the help")]
    pub augment: AugmentOptions,
}

/// How much images of each class count in the loss.
#[derive(Clone, Debug, PartialEq)]
pub enum ClassWeights {
    /// So much that every class counts as much in all.
    Balanced,
    /// By class.
    Given(Vec<f64>),
}

impl fmt::Display for ClassWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Balanced => f.write_str("balanced"),
            Self::Given(weights) => {
                let weights: Vec<_> = weights.iter().map(f64::to_string).collect();
                f.write_str(&weights.join(","))
            }
        }
    }
}

impl FromStr for ClassWeights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "balanced" {
            return Ok(Self::Balanced);
        }
        let number = |part: &str| part.trim().parse().ok().filter(|weight: &f64| (1e-6..=1e6).contains(weight));
        let weights = text.split(',').map(number).collect::<Option<_>>();
        weights
            .map(Self::Given)
            .ok_or_else(|| "expected `balanced` or numbers of 0.000001 to 1000000, separated by commas".to_owned())
    }
}

/// More of anything is a slip of the finger, and would overflow where numbers are multiplied.
const LARGEST: usize = 1_000_000;

/// Options that a resumed run may change; all others decide its result.
const FREE_ON_RESUME: [&str; 7] = ["epochs", "threads", "workers", "device", "dashboard", "log_interval", "output"];

impl Config {
    /// Fills in the defaults that depend on other options and on the build.
    pub fn resolved(mut self) -> Self {
        let lr = *self.lr.get_or_insert(match self.opt {
            OptimizerName::Sgd => 0.01,
            OptimizerName::Adam | OptimizerName::Adamw => 0.001,
        });
        self.weight_decay.get_or_insert(if self.opt == OptimizerName::Adamw { 0.01 } else { 0. });
        let cycle = self.sched == Shape::Onecycle;
        self.warmup_epochs.get_or_insert(if cycle { 0.3 * self.epochs as f64 } else { 0. });
        self.warmup_lr.get_or_insert(if cycle { lr / 25. } else { 1e-5 });
        self.min_lr.get_or_insert(if cycle { lr / 250_000. } else { 0. });
        self.backend.get_or_insert_with(BackendName::default_of_build);
        self
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn validate(&self) -> Result<(), Failure> {
        let positive = |value: f64| value.is_finite() && value > 0.;
        let not_negative = |value: f64| value.is_finite() && value >= 0.;
        let is_or_none = |value: Option<f64>, check: fn(f64) -> bool| value.is_none_or(check);
        let split = self.valid_split;
        let checks = [
            ("valid-split", "a whole number, or a fraction below 1", {
                not_negative(split) && (split < 1. || split.fract() == 0.)
            }),
            ("img-size", "1 to 4096", self.img_size.is_none_or(|side| (1..=MAX_SIDE).contains(&side))),
            ("in-chans", "1 or 3", self.in_chans.is_none_or(|channels| [1, 3].contains(&channels))),
            ("limit-train", "at least 1", self.limit_train != Some(0)),
            ("limit-test", "at least 1", self.limit_test != Some(0)),
            ("epochs", "1 to 1000000", (1..=LARGEST).contains(&self.epochs)),
            ("batch-size", "1 to 1000000", (1..=LARGEST).contains(&self.batch_size)),
            ("workers", "at most 256", self.workers <= 256),
            ("threads", "1 to 1024", self.threads.is_none_or(|threads| (1..=MAX_THREADS).contains(&threads))),
            ("lr", "a number above 0", self.lr.is_none_or(positive)),
            ("momentum", "0 up to but not 1", (0. ..1.).contains(&self.momentum)),
            ("grad-accum-steps", "1 to 1024", (1..=1024).contains(&self.grad_accum_steps)),
            ("model-ema-decay", "0 up to but not 1", (0. ..1.).contains(&self.model_ema_decay)),
            ("bias-weight-decay", "a number from 0", not_negative(self.bias_weight_decay)),
            ("weight-decay", "a number from 0", is_or_none(self.weight_decay, |v| v.is_finite() && v >= 0.)),
            ("warmup-epochs", "a number from 0", is_or_none(self.warmup_epochs, |v| v.is_finite() && v >= 0.)),
            ("warmup-lr", "a number from 0", is_or_none(self.warmup_lr, |v| v.is_finite() && v >= 0.)),
            ("min-lr", "a number from 0", is_or_none(self.min_lr, |v| v.is_finite() && v >= 0.)),
            ("decay-epochs", "1 to 1000000", (1..=LARGEST).contains(&self.decay_epochs)),
            ("decay-rate", "above 0 up to 1", positive(self.decay_rate) && self.decay_rate <= 1.),
            ("label-smoothing", "0 up to but not 1", (0. ..1.).contains(&self.label_smoothing)),
            ("clip-grad", "a number above 0", self.clip_grad.is_none_or(positive)),
            ("patience", "at least 1", self.patience != Some(0)),
            ("checkpoint-hist", "at least 1", self.checkpoint_hist > 0),
            ("log-interval", "at least 1", self.log_interval > 0),
            // config.toml holds them.
            ("output", "a path in UTF-8", self.output.to_str().is_some()),
            ("initial-checkpoint", "a path in UTF-8", {
                self.initial_checkpoint.as_ref().is_none_or(|path| path.to_str().is_some())
            }),
            ("transform-input", "a network that has it, and three channels", {
                self.transform_input != Some(true) || (self.model.has_auxiliary() && self.in_chans != Some(1))
            }),
            ("pretrained", "not both this and --initial-checkpoint", {
                !self.pretrained || self.initial_checkpoint.is_none()
            }),
            ("data-dir", "a path in UTF-8", self.data_dir.as_ref().is_none_or(|path| path.to_str().is_some())),
            ("device", "auto or a number", self.device.parse::<kiln_backend::DeviceChoice>().is_ok()),
        ];
        match checks.into_iter().chain(self.augment.checks()).find(|(_, _, good)| !good) {
            Some((option, expected, _)) => {
                Err(Failure::new(Exit::Usage, format!("--{option}: out of range, expected {expected}")))
            }
            None => Ok(()),
        }
    }

    /// The schedule over epochs of `epoch_iterations` iterations; the options are resolved.
    pub fn schedule(&self, epoch_iterations: usize) -> Schedule {
        let lr = self.lr.unwrap_or(0.01);
        Schedule {
            shape: self.sched,
            lr,
            total: self.epochs * epoch_iterations,
            warmup: self.warmup_epochs.unwrap_or(0.) * epoch_iterations as f64,
            warmup_lr: self.warmup_lr.unwrap_or(0.),
            min_lr: self.min_lr.unwrap_or(0.),
            decay: self.decay_epochs * epoch_iterations,
            decay_rate: self.decay_rate,
            iteration: 0,
        }
    }

    /// The loss over a run's images.
    ///
    /// # Errors
    /// If there are not as many class weights as classes.
    pub(crate) fn loss(&self, data: &RunData) -> Result<Loss, Failure> {
        let classes = data.classes.len();
        let class_weights = match &self.class_weights {
            None => Vec::new(),
            Some(ClassWeights::Balanced) => data.balanced_weights(),
            Some(ClassWeights::Given(weights)) if weights.len() == classes => weights.clone(),
            Some(ClassWeights::Given(weights)) => {
                let what =
                    format!("--class-weights: {} numbers, but {} has {classes} classes", weights.len(), data.name);
                return Err(Failure::new(Exit::Usage, what));
            }
        };
        Ok(Loss { label_smoothing: self.label_smoothing, class_weights })
    }

    /// How many of `len` training images are for validation.
    pub fn validation_count(&self, len: usize) -> usize {
        match self.valid_split {
            split if split < 1. => (split * len as f64).round() as usize,
            split => split as usize,
        }
    }

    /// As TOML, one line an option.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_else(|error| unreachable!("flat options are always TOML: {error}"))
    }

    /// What no option at all means, before it is resolved.
    fn defaults() -> Self {
        let command = Self::augment_args(clap::Command::new("train"));
        let parsed = Self::from_arg_matches(&command.get_matches_from(["train"]));
        parsed.unwrap_or_else(|error| unreachable!("every option has a default: {error}"))
    }

    /// Options from TOML such as a run's `config.toml`; those that are not there have their defaults.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        let given: toml::Table = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            format!("line {line}: {}", error.message())
        })?;
        let mut options = table(&Self::defaults());
        overlay(&mut options, given);
        let config: Self = options.try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
        Ok(config)
    }

    /// Reads options from a file such as a run's `config.toml`.
    ///
    /// # Errors
    /// If the file cannot be read or is not such a file.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |reason: String| Failure::new(Exit::Usage, format!("{}: {reason}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
        let config = Self::from_toml(&text).map_err(failed)?;
        config.validate()?;
        Ok(config)
    }

    /// This configuration with the options `given` (by their names here) taken from `flags`.
    pub fn overridden(self, flags: &Self, given: &[String]) -> Self {
        let mut merged = table(&self);
        let flags = table(flags);
        for option in given {
            let section = match table(&self.augment).contains_key(option) {
                true => merged.get_mut("augment").and_then(toml::Value::as_table_mut),
                false => Some(&mut merged),
            };
            let Some(section) = section else { continue };
            // One takes the other's place.
            match option.as_str() {
                "initial_checkpoint" => section.insert("pretrained".to_owned(), false.into()),
                "pretrained" => section.remove("initial_checkpoint"),
                _ => None,
            };
            match value(&flags, option) {
                Some(value) => section.insert(option.clone(), value.clone()),
                None => section.remove(option),
            };
        }
        merged.try_into().unwrap_or_else(|error| unreachable!("both sides are options: {error}"))
    }

    /// The options of a resumed run: this run's own, with those of `given` that may change.
    ///
    /// # Errors
    /// If an option would change that decides the result.
    pub fn resumed(self, flags: &Self, given: &[String]) -> Result<Self, Failure> {
        let wanted = self.clone().overridden(flags, given);
        let (own, new) = (table(&self), table(&wanted));
        let differs = |option: &&String| value(&own, option) != value(&new, option);
        let fixed = given.iter().filter(differs).find(|option| !FREE_ON_RESUME.contains(&option.as_str()));
        match fixed {
            Some(option) => {
                let text = |table| value(table, option).map_or("unset".to_owned(), ToString::to_string);
                let (flag, own, new) = (option.replace('_', "-"), text(&own), text(&new));
                let what = format!("--{flag} {new}: the run was started with {own}, which a resumed run cannot change");
                Err(Failure::new(Exit::Usage, what))
            }
            None => Ok(wanted),
        }
    }
}

fn table(options: &impl Serialize) -> toml::Table {
    toml::Table::try_from(options).unwrap_or_else(|error| unreachable!("options are always TOML: {error}"))
}

/// An option's value, whatever section it is in.
fn value<'a>(options: &'a toml::Table, option: &str) -> Option<&'a toml::Value> {
    let sections = options.values().filter_map(toml::Value::as_table);
    options.get(option).or_else(|| sections.into_iter().find_map(|section| section.get(option)))
}

/// Puts values over those of `options`, section by section.
fn overlay(options: &mut toml::Table, values: toml::Table) {
    for (name, value) in values {
        match (options.get_mut(&name), value) {
            (Some(toml::Value::Table(section)), toml::Value::Table(values)) => overlay(section, values),
            (_, value) => {
                options.insert(name, value);
            }
        }
    }
}

/// A value as the text that it is parsed from.
mod as_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, T: FromStr<Err = String>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Like [`as_text`], for options that may be unset.
mod as_optional_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, T: FromStr<Err = String>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        config: Config,
    }

    fn parse(flags: &[&str]) -> Config {
        Flags::parse_from([&["train"], flags].concat()).config
    }

    #[test]
    fn no_option_is_the_lectures_recipe() {
        let config = parse(&[]).resolved();
        assert_eq!((config.epochs, config.batch_size, config.lr, config.momentum), (10, 64, Some(0.01), 0.5));
        assert_eq!((config.opt, config.sched, config.seed), (OptimizerName::Sgd, Shape::Constant, 42));
        config.validate().unwrap();
    }

    #[test]
    fn a_configuration_reads_back_as_it_was_written() {
        for flags in [&[][..], &["--opt", "adamw", "--sched", "onecycle", "--valid-split", "0.1", "--patience", "3"]] {
            let config = parse(flags).resolved();
            assert_eq!(toml::from_str::<Config>(&config.to_toml()).unwrap(), config);
        }
    }

    #[test]
    fn values_out_of_range_name_their_option() {
        let cases = [
            "--valid-split 1.5",
            "--valid-split -1",
            "--epochs 0",
            "--batch-size 0",
            "--lr 0",
            "--lr nan",
            "--momentum 1",
            "--label-smoothing 1",
            "--clip-grad 0",
            "--patience 0",
            "--checkpoint-hist 0",
            "--log-interval 0",
            "--decay-rate 0",
            "--decay-epochs 0",
            "--epochs 18446744073709551615",
            "--device gpu",
            "--limit-train 0",
            "--threads 0",
            "--weight-decay inf",
        ];
        for case in cases {
            let (option, value) = case.split_once(' ').unwrap();
            let failure = parse(&[&format!("{option}={value}")]).validate().unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.message.starts_with(&format!("{option}: out of range")), "{case}: {failure}");
        }
    }

    #[test]
    fn a_resumed_run_may_change_only_what_leaves_its_result_alone() {
        let own = parse(&["--lr", "0.02"]).resolved();
        let given = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let same = own.clone().resumed(&parse(&["--lr", "0.02", "--epochs", "12"]), &given(&["lr", "epochs"])).unwrap();
        assert_eq!((same.lr, same.epochs), (Some(0.02), 12));
        let failure = own.clone().resumed(&parse(&["--lr", "0.03"]), &given(&["lr"])).unwrap_err();
        assert_eq!(failure.message, "--lr 0.03: the run was started with 0.02, which a resumed run cannot change");
        // Not given on the command line: the run's own value stays, whatever the default is.
        assert_eq!(own.clone().resumed(&parse(&[]), &[]).unwrap(), own);
    }

    #[test]
    fn one_cycle_has_pytorchs_defaults() {
        let schedule = parse(&["--sched", "onecycle", "--lr", "0.1", "--epochs", "10"]).resolved().schedule(10);
        assert_eq!((schedule.warmup, schedule.total), (30., 100));
        assert!((schedule.at(0) - 0.004).abs() < 1e-12 && (schedule.at(99) - 4e-7).abs() < 1e-12);
    }

    #[test]
    fn a_validation_split_is_a_number_or_a_fraction() {
        let count = |split: &str| parse(&["--valid-split", split]).validation_count(60_000);
        assert_eq!([count("0"), count("0.1"), count("5000")], [0, 6000, 5000]);
    }
}
