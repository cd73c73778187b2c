//! `infer bench`: how fast networks are here.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use infer::bench::{BenchOptions, Measurement, bench};
use infer::{Choice, choose};
use kiln::Classifier;
use kiln_cli::{ArchitectureParser, BackendArgs, Exit, Failure, note};
use kiln_model::Architecture;
use kiln_model::weights::Weights;
use serde_json::json;

use super::models::TableFormat;
use super::output::{standard_output, unwritten};
use super::values::{batch_size, seconds, side};

#[derive(Args)]
pub struct Bench {
    /// Networks with random weights, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAME,..", value_parser = ArchitectureParser, hide_possible_values = true)]
    arch: Vec<Architecture>,
    /// A weights file of Kiln's, a run's folder or name, or `built-in` [default without --arch: the newest run's, else built-in]
    #[arg(short, long, visible_alias = "weights", conflicts_with = "arch", value_name = "FILE|RUN")]
    model: Option<PathBuf>,
    /// Images that go through the network together; several sizes are separated by commas
    #[arg(short, long, value_delimiter = ',', default_value = "1", value_parser = batch_size, value_name = "N,..")]
    batch_size: Vec<usize>,
    /// Side of the images, in pixels [default: the network's usual one]
    #[arg(long, requires = "arch", value_parser = side, value_name = "N")]
    img_size: Option<usize>,
    /// How long each is measured
    #[arg(long, default_value = "3", value_parser = seconds, value_name = "SECONDS")]
    seconds: Duration,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = TableFormat::Text)]
    format: TableFormat,
    /// Folder of the runs
    #[arg(long, default_value = "runs", value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    backend: BackendArgs,
}

/// Random weights are drawn from it.
const SEED: u64 = 1;

impl Bench {
    /// Measures and prints.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let target = self.backend.target()?;
        let mut out = standard_output();
        let mut measurements = Vec::new();
        for weights in self.networks() {
            let classifier = Classifier::on(&target, weights?)?;
            for &batch in &self.batch_size {
                let options = BenchOptions { batch, duration: self.seconds };
                measurements.push(bench(&target, &classifier, options));
                if self.format == TableFormat::Text
                    && let Err(error) = row(&mut out, &measurements)
                {
                    return unwritten(&error);
                }
            }
        }
        let written = match self.format {
            TableFormat::Text => Ok(()),
            TableFormat::Json => writeln!(out, "{:#}", json!({ "schema": "kiln.bench/1", "results": measurements })),
        };
        written.and_then(|()| out.flush()).map_or_else(|error| unwritten(&error), |()| Ok(ExitCode::SUCCESS))
    }

    /// The networks, one at a time.
    fn networks(&self) -> Box<dyn Iterator<Item = Result<Weights, Failure>> + '_> {
        if self.arch.is_empty() {
            let choice = Choice { model: self.model.clone(), output: self.output.clone(), ..Choice::default() };
            let chosen = choose(&choice).map(|(weights, line)| {
                line.iter().for_each(|line| note(line));
                weights
            });
            return Box::new(std::iter::once(chosen));
        }
        Box::new(self.arch.iter().map(|&architecture| {
            let mut preprocess = architecture.preprocess();
            if let Some(side) = self.img_size {
                (preprocess.height, preprocess.width) = (side, side);
                if preprocess.resize.resize_to.is_some() {
                    preprocess.resize.resize_to = Some(side);
                }
            }
            if !architecture.takes([preprocess.channels, preprocess.height, preprocess.width]) {
                let what = format!("--img-size {}: {architecture} takes images ", preprocess.height);
                return Err(Failure::new(Exit::Usage, what + &architecture.takes_in_words()));
            }
            Ok(Weights::random(architecture, preprocess, SEED))
        }))
    }
}

/// The last measurement as a row, after a head if it is the first.
fn row(out: &mut impl Write, measurements: &[Measurement]) -> io::Result<()> {
    let Some(last) = measurements.last() else { return Ok(()) };
    if measurements.len() == 1 {
        writeln!(
            out,
            "{:<14} {:<8} {:>5} {:>7} {:>10} {:>9} {:>9} {:>9}",
            "network", "backend", "batch", "threads", "images/s", "p50 ms", "p90 ms", "p99 ms"
        )?;
    }
    let Measurement { arch, backend, batch, threads, images_per_second, p50_ms, p90_ms, p99_ms } = last;
    writeln!(
        out,
        "{arch:<14} {backend:<8} {batch:>5} {threads:>7} {images_per_second:>10.1} {p50_ms:>9.3} {p90_ms:>9.3} {p99_ms:>9.3}"
    )?;
    out.flush()
}
