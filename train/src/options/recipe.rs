//! The options that decide a run's result. Whoever adds one adds it here, and uses it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use kiln_backend::BackendName;
use kiln_cli::{ArchitectureParser, FitName};
use kiln_data::preprocess::MAX_SIDE;
use kiln_model::Architecture;
use kiln_model::weights::Freeze;
use serde::Serialize;
use serde_json::Value;

use super::augment::AugmentOptions;
use super::values::{
    ClassWeights, LARGEST, above_zero, as_optional_text, as_text, below_one, count_or_share, not_negative, number,
    out_of_range, share, whole,
};
use crate::optim::optimizer::{Hyperparameters, OptimizerName};
use crate::optim::schedule::{Schedule, ScheduleName};

fn channels(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|channels| [1, 3].contains(channels)).ok_or_else(|| out_of_range("1 or 3"))
}

/// All that decides a run's result. Defaults are the lecture's.
#[derive(Args, Clone, Debug, PartialEq, Serialize)]
#[group(skip)]
pub struct Recipe {
    /// Network: one that `infer models` lists
    #[arg(long, default_value = "lecture-cnn", value_name = "NAME", value_parser = ArchitectureParser, hide_possible_values = true)]
    #[serde(serialize_with = "as_text")]
    pub model: Architecture,
    /// Weights to begin with: a file of Kiln's, .safetensors, .pth or .pt. The last layer begins at random if the number of
    /// classes differs
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_checkpoint: Option<PathBuf>,
    /// Begin with the weights that torchvision publishes for the network, trained on ImageNet; downloaded once into the user's
    /// cache folder
    #[arg(long, conflicts_with = "initial_checkpoint")]
    pub pretrained: bool,
    /// Begin with the last weights of a training script's checkpoint, where it has averaged ones (EMA) too
    #[arg(long, requires = "initial_checkpoint")]
    pub no_ema: bool,
    /// Layers to leave as they are: backbone (all but the last one), or the first N of those with weights
    #[arg(long, value_name = "N|backbone")]
    #[serde(serialize_with = "as_optional_text", skip_serializing_if = "Option::is_none")]
    pub freeze: Option<Freeze>,
    /// mnist, fashion-mnist, kmnist, cifar10, cifar100, or the path of a folder of pictures (train/CLASS/.., val/CLASS/.., or
    /// CLASS/..), of a CSV file with columns path and label, or of a folder with IDX files
    #[arg(long, default_value = "mnist", value_name = "NAME|PATH")]
    pub dataset: String,
    /// Leave out classes of which no picture can be read, instead of stopping
    #[arg(long)]
    pub skip_unreadable: bool,
    /// Training images to validate on, as a number or a fraction; 0 validates on the test set
    #[arg(long, default_value_t = 0., value_parser = number("a whole number, or a fraction below 1", count_or_share), value_name = "N|F")]
    pub valid_split: f64,
    /// Side of the network's input, in pixels [default: the dataset's, or the network's usual one]
    #[arg(long, value_parser = whole(1..=MAX_SIDE), value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub img_size: Option<usize>,
    /// Channels of the network's input: 1 (grey) or 3 (RGB) [default: the dataset's, or the network's usual ones]
    #[arg(long, value_parser = channels, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_chans: Option<usize>,
    /// How pictures of another size are fitted: crop (the centre, after the shorter side was fitted), pad (bars beside), squash
    /// [default: crop for photographs]
    #[arg(long, value_name = "NAME", hide_possible_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize_mode: Option<FitName>,
    /// What is subtracted from pixels of 0 to 1: one number, or one a channel [default: the dataset's, or the network's usual
    /// ones]
    #[arg(long, num_args = 1..=3, value_parser = number("a number of 0 to 1", share), value_name = "F")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mean: Vec<f64>,
    /// What the difference is divided by: one number, or one a channel [default: as --mean]
    #[arg(long, num_args = 1..=3, value_parser = number("a number above 0", above_zero), value_name = "F")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub std: Vec<f64>,
    /// Train on the first N images only
    #[arg(long, value_parser = whole(1..=usize::MAX), value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_train: Option<usize>,
    /// Test on the first N images only
    #[arg(long, value_parser = whole(1..=usize::MAX), value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_test: Option<usize>,
    /// Number of epochs: times to go through the training set
    #[arg(long, default_value_t = 10, value_parser = whole(1..=LARGEST), value_name = "N")]
    pub epochs: usize,
    /// Images in a batch
    #[arg(short, long, default_value_t = 64, value_parser = whole(1..=LARGEST), value_name = "N")]
    pub batch_size: usize,
    /// Optimizer
    #[arg(long, default_value = "sgd", value_name = "NAME")]
    pub opt: OptimizerName,
    /// Learning rate [default: 0.01 for sgd, 0.001 for adam and adamw]
    #[arg(long, value_parser = number("a number above 0", above_zero), value_name = "F")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// Momentum of sgd
    #[arg(long, default_value_t = 0.5, value_parser = number("0 up to but not 1", below_one), value_name = "F")]
    pub momentum: f64,
    /// Batches whose gradients make one step: their mean over all images
    #[arg(long, default_value_t = 1, value_parser = whole(1..=1024), value_name = "N")]
    pub grad_accum_steps: usize,
    /// Weight decay of weights that are matrices or kernels [default: 0.01 for adamw, else 0]
    #[arg(long, alias = "wd", value_parser = number("a number from 0", not_negative), value_name = "F")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Weight decay of biases and of normalisations' weights; give it the same value for PyTorch's way
    #[arg(long, default_value_t = 0., value_parser = number("a number from 0", not_negative), value_name = "F")]
    pub bias_weight_decay: f64,
    /// Learning-rate schedule
    #[arg(long, default_value = "constant", value_name = "NAME")]
    pub sched: ScheduleName,
    /// Epochs of linear warm-up; for onecycle, of the way up [default: 0; for onecycle 0.3 of all]
    #[arg(long, value_parser = number("a number from 0", not_negative), value_name = "F")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_epochs: Option<f64>,
    /// Learning rate at the start of the warm-up [default: 0.00001; for onecycle lr / 25]
    #[arg(long, value_parser = number("a number from 0", not_negative), value_name = "F")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_lr: Option<f64>,
    /// Learning rate at the end of cosine and onecycle [default: 0; for onecycle lr / 250,000]
    #[arg(long, value_parser = number("a number from 0", not_negative), value_name = "F")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_lr: Option<f64>,
    /// With --sched step: epochs between two steps
    #[arg(long, default_value_t = 30, value_parser = whole(1..=LARGEST), value_name = "N")]
    pub decay_epochs: usize,
    /// With --sched step: factor at each step
    #[arg(long, default_value_t = 0.1, value_parser = number("above 0 up to 1", |v| v > 0. && v <= 1.), value_name = "F")]
    pub decay_rate: f64,
    /// Share of the target that is spread over all classes
    #[arg(long, alias = "smoothing", default_value_t = 0., value_parser = number("0 up to but not 1", below_one), value_name = "F")]
    pub label_smoothing: f64,
    /// How much images of each class count: balanced (as much for every class), or as many numbers as there are classes,
    /// separated by commas
    #[arg(long, value_name = "balanced|F,F,..")]
    #[serde(serialize_with = "as_optional_text", skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// Clip the norm of all gradients together to this
    #[arg(long, value_parser = number("a number above 0", above_zero), value_name = "F")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_grad: Option<f64>,
    /// Keep a moving average of the weights (EMA), and evaluate and write that
    #[arg(long)]
    pub model_ema: bool,
    /// How much of the average stays at each iteration; less at the first ones
    #[arg(long, default_value_t = 0.9998, value_parser = number("0 up to but not 1", below_one), value_name = "F")]
    pub model_ema_decay: f64,
    /// Stop after N epochs without a better one
    #[arg(long, value_parser = whole(1..=usize::MAX), value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<usize>,
    /// Decides weights and order of images
    #[arg(long, default_value_t = 42, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64), value_name = "N")]
    pub seed: u64,
    /// Where to compute: ndarray or flex (CPU), wgpu, vulkan or metal (GPU, if compiled in) [default: the GPU if
    /// compiled in, else ndarray]
    #[arg(long, value_name = "NAME")]
    #[serde(serialize_with = "as_optional_text", skip_serializing_if = "Option::is_none")]
    pub backend: Option<BackendName>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a comment here would head the help")]
    pub augment: AugmentOptions,
}

impl Recipe {
    /// Fills in the defaults that depend on other options and on the build.
    #[must_use]
    pub fn resolved(mut self) -> Self {
        let lr = *self.lr.get_or_insert(match self.opt {
            OptimizerName::Sgd => 0.01,
            OptimizerName::Adam | OptimizerName::Adamw => 0.001,
        });
        self.weight_decay.get_or_insert(if self.opt == OptimizerName::Adamw { 0.01 } else { 0. });
        let cycle = self.sched == ScheduleName::Onecycle;
        self.warmup_epochs.get_or_insert(if cycle { 0.3 * self.epochs as f64 } else { 0. });
        self.warmup_lr.get_or_insert(if cycle { lr / 25. } else { 1e-5 });
        self.min_lr.get_or_insert(if cycle { lr / 250_000. } else { 0. });
        self
    }

    /// The option that does not go with the others, and what is expected of it; the options are resolved.
    pub(super) fn contradiction(&self) -> Option<(&'static str, String)> {
        let (lr, min_lr) = (self.lr.unwrap_or(0.), self.min_lr.unwrap_or(0.));
        if self.sched.has_minimum() && min_lr > lr {
            return Some(("min-lr", format!("at most the learning rate, {lr}")));
        }
        self.augment.wrong_order().map(|(option, expected)| (option, expected.to_owned()))
    }

    /// The options among those `typed` that do nothing, with the reason.
    pub(super) fn without_effect(&self, typed: &[String]) -> Vec<(&'static str, String)> {
        let (sched, opt) = (format!("--sched {}", self.sched), format!("--opt {}", self.opt));
        let cases = [
            ("momentum", self.opt != OptimizerName::Sgd, opt),
            ("min_lr", !self.sched.has_minimum(), sched.clone()),
            ("decay_epochs", self.sched != ScheduleName::Step, sched.clone()),
            ("decay_rate", self.sched != ScheduleName::Step, sched),
            ("model_ema_decay", !self.model_ema, "no --model-ema".to_owned()),
            ("warmup_lr", self.warmup_epochs == Some(0.), "no --warmup-epochs".to_owned()),
            ("ratio", self.augment.scale.is_empty(), "no --scale".to_owned()),
            ("elastic_sigma", self.augment.elastic_alpha == 0., "no --elastic-alpha".to_owned()),
            ("mixup_prob", !self.augment.mixes(), "neither --mixup nor --cutmix".to_owned()),
            ("mixup_switch_prob", !self.augment.mixes(), "neither --mixup nor --cutmix".to_owned()),
        ];
        let is_typed = |option: &str| typed.iter().any(|typed| typed == option);
        let idle = cases.into_iter().filter(|(option, idle, _)| *idle && is_typed(option));
        idle.map(|(option, _, reason)| (option, reason)).collect()
    }

    /// The options by their names, as JSON, with whole paths.
    pub fn to_json(&self) -> BTreeMap<String, Value> {
        let json = serde_json::to_value(self.with_whole_paths());
        let json = json.unwrap_or_else(|error| unreachable!("options are always JSON: {error}"));
        json.as_object().cloned().unwrap_or_default().into_iter().collect()
    }

    /// The same with whole paths, which mean the same in every folder.
    #[must_use]
    pub(super) fn with_whole_paths(&self) -> Self {
        let whole = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let mut recipe = self.clone();
        recipe.initial_checkpoint = recipe.initial_checkpoint.as_ref().map(whole);
        if !kiln_data::is_named(&recipe.dataset) {
            recipe.dataset = whole(&recipe.dataset.into()).to_string_lossy().into_owned();
        }
        recipe
    }

    /// What weights files say of how they were trained, besides network, dataset and seed, which they name themselves.
    pub fn description(&self) -> BTreeMap<String, Value> {
        let mut options = self.to_json();
        for told_elsewhere in ["model", "dataset", "seed"] {
            options.remove(told_elsewhere);
        }
        // No paths: the same training gives the same bytes.
        let name = self.initial_checkpoint.as_ref().and_then(|path| path.file_name());
        if let Some(name) = name {
            options.insert("initial_checkpoint".to_owned(), name.to_string_lossy().into());
        }
        options
    }

    /// The optimizer's constants; the options are resolved.
    pub fn hyperparameters(&self) -> Hyperparameters {
        Hyperparameters {
            name: self.opt,
            momentum: self.momentum,
            weight_decay: self.weight_decay.unwrap_or(0.),
            bias_weight_decay: self.bias_weight_decay,
        }
    }

    /// The schedule over epochs of `epoch_iterations` iterations; the options are resolved.
    pub fn schedule(&self, epoch_iterations: usize) -> Schedule {
        Schedule {
            name: self.sched,
            lr: self.lr.unwrap_or(0.01),
            total: self.epochs * epoch_iterations,
            warmup: self.warmup_epochs.unwrap_or(0.) * epoch_iterations as f64,
            warmup_lr: self.warmup_lr.unwrap_or(0.),
            min_lr: self.min_lr.unwrap_or(0.),
            decay: self.decay_epochs * epoch_iterations,
            decay_rate: self.decay_rate,
            iteration: 0,
        }
    }

    /// How many of `len` training images are for validation.
    pub fn validation_count(&self, len: usize) -> usize {
        kiln_data::validation_count(self.valid_split, len)
    }
}
