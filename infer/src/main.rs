//! `infer`: classifies images.

use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use infer::report::{Format, report};
use infer::{Choice, Counts, PredictOptions, choose, doctor, models, predict};
use kiln::Classifier;
use kiln_cli::{BackendArgs, Exit, Failure, FitName, Interpolation, finish, note, write_new_file};
use kiln_data::Preprocess;
use kiln_data::picture::MAX_PIXELS;
use kiln_data::preprocess::MAX_SIDE;
use kiln_model::Architecture;
use kiln_model::weights::Weights;

/// Classifies images.
#[derive(Parser)]
#[command(name = "infer", version, after_help = AFTER_HELP, args_override_self = true)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
struct Flags {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    predict: PredictFlags,
}

#[derive(Args)]
struct PredictFlags {
    /// Image file (PNG, JPEG, BMP, WebP, GIF), folder of images, pattern such as '*.png', @FILE (a list, one path a
    /// line; @- reads it from standard input), or - (one image on standard input)
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<OsString>,
    #[command(flatten)]
    weights: WeightsFlags,
    /// How many classes to name, best first
    #[arg(long, default_value_t = 3, value_parser = at_least_one, value_name = "N")]
    topk: usize,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Give the logits too (not with csv)
    #[arg(long)]
    logits: bool,
    #[command(flatten)]
    backend: BackendArgs,
    /// Images that go through the network together
    #[arg(short, long, default_value_t = 64, value_parser = batch_size, value_name = "N")]
    batch_size: usize,
    /// Refuse images of more pixels than this
    #[arg(long, default_value_t = MAX_PIXELS, value_parser = clap::value_parser!(u64).range(1..), value_name = "N")]
    max_pixels: u64,
    /// Take of folders only the images directly in them
    #[arg(long)]
    no_recursive: bool,
}

/// Which weights.
#[derive(Args)]
#[group(skip)]
struct WeightsFlags {
    /// Weights: a file (.safetensors, .pth, .pt), a run's folder, a run's name under --output, or `built-in` [default: the
    /// newest run's, else built-in]
    #[arg(short, long, visible_alias = "weights", group = "weights", value_name = "FILE|RUN")]
    model: Option<PathBuf>,
    /// The network of weights that were not written by Kiln and do not name it
    #[arg(long, requires = "weights", value_name = "NAME")]
    arch: Option<Architecture>,
    /// The weights that torchvision publishes for --arch, trained on ImageNet; downloaded once into the user's cache folder
    #[arg(long, group = "weights", requires = "arch")]
    pretrained: bool,
    /// Open no socket
    #[arg(long, requires = "pretrained")]
    offline: bool,
    /// A file with that network's class names, one a line [default: the ten digits, or ImageNet's 1,000 classes]
    #[arg(long, requires = "arch", value_name = "FILE")]
    classes: Option<PathBuf>,
    /// Its last weights, where it has averaged ones (EMA) too
    #[arg(long, requires = "arch")]
    no_ema: bool,
    #[command(flatten)]
    pictures: PictureFlags,
    /// Folder of the runs
    #[arg(long, default_value = "runs", value_name = "DIR")]
    output: PathBuf,
}

/// How weights that were not written by Kiln want pictures, by timm's names.
#[derive(Args)]
#[group(skip)]
struct PictureFlags {
    /// What is subtracted from its pixels of 0 to 1: one number, or one a channel [default: the network's usual ones]
    #[arg(long, requires = "arch", num_args = 1..=3, value_parser = share, value_name = "F")]
    mean: Vec<f32>,
    /// What the difference is divided by: one number, or one a channel [default: the network's usual ones]
    #[arg(long, requires = "arch", num_args = 1..=3, value_parser = above_zero, value_name = "F")]
    std: Vec<f32>,
    /// Side of its input, in pixels [default: the network's usual one]
    #[arg(long, requires = "arch", value_parser = side, value_name = "N")]
    img_size: Option<usize>,
    /// Share of the shorter side that the centre crop keeps [default: the network's usual one]
    #[arg(long, requires = "arch", value_parser = crop_share, value_name = "F")]
    crop_pct: Option<f32>,
    /// How pixels are weighed when a picture is resized: bilinear, bicubic (timm's usual one), nearest [default: bilinear]
    #[arg(long, requires = "arch", value_name = "NAME", hide_possible_values = true)]
    interpolation: Option<Interpolation>,
    /// How pictures are fitted: crop (the centre, after the shorter side was fitted; torchvision's way), pad (bars beside),
    /// squash
    #[arg(long, requires = "arch", value_name = "NAME", hide_possible_values = true)]
    resize_mode: Option<FitName>,
}

impl PictureFlags {
    /// The architecture's usual way, with what was asked for.
    fn preprocess(self, architecture: Architecture) -> Result<Preprocess, Failure> {
        let Self { mean, std, img_size, crop_pct, interpolation, resize_mode } = self;
        let mut preprocess = architecture.preprocess();
        let channels = preprocess.channels;
        for (flag, given, own) in [("--mean", mean, &mut preprocess.mean), ("--std", std, &mut preprocess.std)] {
            match given.len() {
                0 => {}
                1 => *own = given.repeat(channels),
                count if count == channels => *own = given,
                count => {
                    let what = format!("{flag}: {count} numbers, but {architecture} takes {channels} channels");
                    return Err(Failure::new(Exit::Usage, what));
                }
            }
        }
        let usual_share = preprocess.resize.resize_to.map_or(1., |shorter| preprocess.height as f32 / shorter as f32);
        if let Some(side) = img_size {
            (preprocess.height, preprocess.width) = (side, side);
            if !architecture.takes([channels, side, side]) {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("--img-size {side}: not a size that {architecture} takes"),
                ));
            }
        }
        if img_size.is_some() || crop_pct.is_some() {
            let shorter = (preprocess.height as f32 / crop_pct.unwrap_or(usual_share)).floor() as usize;
            preprocess.resize.resize_to = Some(shorter.min(MAX_SIDE));
        }
        if let Some(interpolation) = interpolation {
            preprocess.resize.filter = interpolation.into();
        }
        if let Some(mode) = resize_mode {
            preprocess.set_resize_mode(mode.into());
        }
        Ok(preprocess)
    }
}

impl WeightsFlags {
    /// Reads them; where it was not the user who named them, with a line that does.
    fn read(self) -> Result<(Weights, Option<String>), Failure> {
        let Self { model, arch, pretrained, offline, classes, no_ema, pictures, output } = self;
        let preprocess = arch.map(|arch| pictures.preprocess(arch)).transpose()?;
        choose(&Choice { model, pretrained, offline, output, arch, classes, preprocess, no_ema })
    }
}

#[derive(Subcommand)]
enum Command {
    /// List the architectures, or one's layers
    Models {
        /// Show the layers of this one
        name: Option<Architecture>,
        /// Form of the output
        #[arg(long, value_enum, default_value_t = TableFormat::Text)]
        format: TableFormat,
    },
    /// Write weights to another file: one of Kiln's, or a plain one for PyTorch
    Export {
        /// The new file; one that is there already stays as it is
        #[arg(value_name = "FILE.safetensors")]
        file: PathBuf,
        #[command(flatten)]
        weights: WeightsFlags,
        /// Tensors alone, under torchvision's names, without what Kiln knows of them
        #[arg(long)]
        plain: bool,
    },
    /// List backends and devices, and compare what they compute with the CPU
    Doctor,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum TableFormat {
    /// A table for people.
    Text,
    /// One object.
    Json,
}

const AFTER_HELP: &str = "\
A file called `models`, `export` or `doctor` is ./models, ./export or ./doctor.
Exit codes: 0 good, 1 an input could not be classified, 2 usage, 3 weights, 5 backend or device, 6 output.";

/// More than this needs gigabytes between the layers and is no faster.
const LARGEST_BATCH: usize = 4096;

/// A number within bounds, or what was expected.
fn number(text: &str, expected: &str, good: impl Fn(f32) -> bool) -> Result<f32, String> {
    text.parse().ok().filter(|&value| good(value)).ok_or_else(|| format!("expected {expected}"))
}

fn share(text: &str) -> Result<f32, String> {
    number(text, "a number of 0 to 1", |value| (0. ..=1.).contains(&value))
}

fn crop_share(text: &str) -> Result<f32, String> {
    number(text, "a number of 0.1 to 1", |value| (0.1..=1.).contains(&value))
}

fn above_zero(text: &str) -> Result<f32, String> {
    number(text, "a number above 0", |value| value > 0. && value.is_finite())
}

fn side(text: &str) -> Result<usize, String> {
    let side = at_least_one(text).ok().filter(|&side| side <= MAX_SIDE);
    side.ok_or_else(|| format!("expected a whole number from 1 to {MAX_SIDE}"))
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or_else(|| "expected a whole number from 1 up".to_owned())
}

fn batch_size(text: &str) -> Result<usize, String> {
    let size = at_least_one(text).ok().filter(|&size| size <= LARGEST_BATCH);
    size.ok_or_else(|| format!("expected a whole number from 1 to {LARGEST_BATCH}"))
}

fn main() -> ExitCode {
    finish(infer())
}

fn infer() -> Result<ExitCode, Failure> {
    let Flags { command, predict } = Flags::try_parse()?;
    match command {
        None => classify(predict),
        Some(Command::Models { name, format }) => list(name, format),
        Some(Command::Export { file, weights, plain }) => export(&file, weights, plain),
        Some(Command::Doctor) => examine(),
    }
}

fn classify(flags: PredictFlags) -> Result<ExitCode, Failure> {
    if flags.logits && flags.format == Format::Csv {
        return Err(Failure::new(Exit::Usage, "--logits: csv has no column for them; use --format json or jsonl"));
    }
    let PredictFlags { inputs, weights, topk, format, logits, backend, batch_size, max_pixels, no_recursive } = flags;
    let (weights, line) = weights.read()?;
    let target = backend.target()?;
    line.iter().for_each(|line| note(line));
    let name = weights.path().display().to_string();
    let classifier = Classifier::on(&target, weights)?;
    let mut report = report(format, &classifier, &name, standard_output(), wants_colour());
    let options = PredictOptions { topk, logits, batch_size, recursive: !no_recursive, max_pixels };
    let counts = match predict(&classifier, inputs, &options, &mut *report) {
        Ok(counts) => counts,
        Err(error) => return unwritten(&error),
    };
    if let Counts { labelled: 1.., .. } = counts {
        note(&counts.accuracy());
    }
    Ok(if counts.failed > 0 { ExitCode::from(Exit::Input as u8) } else { ExitCode::SUCCESS })
}

fn list(name: Option<Architecture>, format: TableFormat) -> Result<ExitCode, Failure> {
    let text = match (format, name) {
        (TableFormat::Json, name) => models::to_json(name),
        (TableFormat::Text, Some(name)) => models::layers(name),
        (TableFormat::Text, None) => models::table(),
    };
    let mut out = standard_output();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_or_else(|error| unwritten(&error), |()| Ok(ExitCode::SUCCESS))
}

fn export(file: &Path, weights: WeightsFlags, plain: bool) -> Result<ExitCode, Failure> {
    if file.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("safetensors")) {
        return Err(Failure::new(
            Exit::Usage,
            format!("{}: the name of a weights file ends in .safetensors", file.display()),
        ));
    }
    let (weights, line) = weights.read()?;
    line.iter().for_each(|line| note(line));
    write_new_file(file, &weights.to_bytes(plain)?)?;
    Ok(ExitCode::SUCCESS)
}

fn examine() -> Result<ExitCode, Failure> {
    match doctor::examine(&mut standard_output()) {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::from(Exit::Input as u8)),
        Err(error) => unwritten(&error),
    }
}

fn standard_output() -> impl Write {
    BufWriter::new(io::stdout().lock())
}

/// <https://no-color.org>
fn wants_colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !refused && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// A reader that has seen enough (`infer .. | head`) is no failure.
fn unwritten(error: &io::Error) -> Result<ExitCode, Failure> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::new(Exit::Output, format!("standard output: cannot be written: {error}")))
}
