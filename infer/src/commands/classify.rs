//! `infer INPUT..`: classifies images.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Args, ColorChoice};
use infer::report::{Format, counted, report};
use infer::{Counts, PredictOptions, predict};
use kiln::Classifier;
use kiln_cli::{BackendArgs, Exit, Failure, note};
use kiln_data::picture::MAX_PIXELS;

use super::output::{standard_output, unwritten, wants_colour};
use super::values::{at_least_one, batch_size};
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
        let Self { inputs, weights, topk, format, logits, backend, batch_size, max_pixels, no_recursive } = self;
        let (weights, line) = weights.read()?;
        let target = backend.target()?;
        line.iter().for_each(|line| note(line));
        let name = weights.path().display().to_string();
        let classifier = Classifier::on(&target, weights)?;
        let mut report = report(format, &classifier, &name, standard_output(), wants_colour(color));
        // On a terminal the answers themselves tell how far it is.
        if !std::io::stdout().is_terminal() {
            report = counted(report);
        }
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
}
