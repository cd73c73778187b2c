//! `infer INPUT..`: classifies images.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ColorChoice};
use infer::report::{Format, counted, report};
use infer::{AnswerOptions, Counts, PredictError, PredictOptions, SaveInput, predict};
use kiln::Classifier;
use kiln_cli::{BackendArgs, Exit, Failure, note};
use kiln_data::picture::MAX_PIXELS;
use kiln_data::preprocess::ResizeMode;

use super::output::{standard_output, unwritten, wants_colour};
use super::values::{at_least_one, batch_size, share};
use super::weights::WeightsFlags;

#[derive(Args)]
pub struct Classify {
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
    /// Read all digits of an image, from left to right, as a number
    #[arg(long)]
    digits: bool,
    /// Mark an answer as rejected if its probability is below this, from 0 to 1
    #[arg(long, value_parser = share, value_name = "P")]
    reject_below: Option<f32>,
    /// Write what the network sees to a new PNG file; for several images to files in a folder
    #[arg(long, value_name = "FILE.png|DIR")]
    save_input: Option<PathBuf>,
    /// Take of folders only the images directly in them
    #[arg(long)]
    no_recursive: bool,
}

impl Classify {
    /// Classifies and reports.
    pub fn run(self, color: ColorChoice) -> Result<ExitCode, Failure> {
        if self.logits && self.format == Format::Csv {
            return Err(Failure::new(Exit::Usage, "--logits: csv has no column for them; use --format json or jsonl"));
        }
        let save_input = self.save_input.as_deref().map(|path| save_input(path, &self.inputs)).transpose()?;
        let Self { inputs, weights, topk, format, logits, backend, batch_size, max_pixels, no_recursive, .. } = self;
        let (weights, line) = weights.read()?;
        let target = backend.target()?;
        line.iter().for_each(|line| note(line));
        let name = weights.path().display().to_string();
        let classifier = Classifier::on(&target, weights)?;
        if self.digits && classifier.preprocess().resize.mode != ResizeMode::Digit {
            return Err(Failure::new(Exit::Usage, "--digits: this network does not look for digits in a picture"));
        }
        let mut report = report(format, &classifier, &name, standard_output(), wants_colour(color));
        // On a terminal the answers themselves tell how far it is.
        if !std::io::stdout().is_terminal() {
            report = counted(report);
        }
        let answer = AnswerOptions { topk, logits, reject_below: self.reject_below.map(f64::from) };
        let (digits, recursive) = (self.digits, !no_recursive);
        let options = PredictOptions { answer, batch_size, recursive, max_pixels, digits, save_input };
        let counts = match predict(&classifier, inputs, &options, &mut *report) {
            Ok(counts) => counts,
            Err(PredictError::Report(error)) => return unwritten(&error),
            Err(error) => return Err(Failure::new(Exit::Output, error.to_string())),
        };
        if let Counts { labelled: 1.., .. } = counts {
            note(&counts.accuracy());
        }
        Ok(if counts.failed > 0 { ExitCode::from(Exit::Input as u8) } else { ExitCode::SUCCESS })
    }
}

/// A file if it is called like one, which takes one image; else a folder.
fn save_input(path: &Path, inputs: &[OsString]) -> Result<SaveInput, Failure> {
    let is_png = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
    if !is_png || path.is_dir() {
        return Ok(SaveInput::Folder(path.to_owned()));
    }
    let what = |what: &str| Failure::new(Exit::Usage, format!("--save-input {}: {what}", path.display()));
    match inputs {
        _ if path.exists() => Err(what("it exists already; name a new file")),
        [input] if input == "-" || Path::new(input).is_file() || !names_several(input) => {
            Ok(SaveInput::File(path.to_owned()))
        }
        _ => Err(what("a file holds the input of one image; name a folder for several")),
    }
}

/// Whether an argument may name several images: a folder, a list or a pattern.
fn names_several(input: &OsString) -> bool {
    let text = input.to_string_lossy();
    Path::new(input).is_dir() || text.starts_with('@') || text.contains(['*', '?', '['])
}
