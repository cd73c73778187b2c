//! `train`: trains image classifiers on the CPU or the GPU.

mod signals;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};
use kiln_cli::{Exit, Failure, Generate, RunFolder, Runs, finish, note};
use train::engine::Ending;
use train::options::{self, NamedRecipe, Options};
use train::run;
use train::stop::StopRequest;

/// Trains an image classifier. Without options: the lecture's CNN on MNIST, as in the lecture.
#[derive(Parser)]
#[command(name = "train", version, after_help = AFTER_HELP, args_override_self = true)]
struct Flags {
    #[command(flatten)]
    options: Options,
    /// Name of the run's folder [default: <model>-<dataset>-<NNN>]
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    name: Option<String>,
    /// Continue a run, by path or name; auto: the newest one
    #[arg(long, value_name = "RUN|auto", conflicts_with = "config")]
    resume: Option<String>,
    /// Take the options from a file such as a run's config.toml; options given here override them
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Take options that go well together: lecture, mnist-strong, mnist-resnet8, fashion-resnet8, cifar10-resnet18 or
    /// finetune; options given here override them
    #[arg(long, value_name = "NAME", conflicts_with_all = ["config", "resume"])]
    recipe: Option<NamedRecipe>,
    /// Write a manual page, or completions for a shell, to standard output
    #[arg(long, value_enum, exclusive = true, value_name = "WHAT")]
    generate: Option<Generate>,
}

const AFTER_HELP: &str = "\
Ctrl-C (or q and y on the dashboard) finishes the batch, saves and exits 130; a second one quits at once.
Exit codes: 0 good, 1 the loss is not finite, 2 usage, 3 checkpoint, 4 dataset, 5 backend or device, 6 output, 130 interrupted.";

fn main() -> ExitCode {
    finish(train())
}

fn train() -> Result<ExitCode, Failure> {
    let stop = StopRequest::new();
    signals::handle(&stop)?;
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let (flags, typed) = parse(&[], &arguments)?;
    if let Some(generate) = flags.generate {
        return generate.print::<Flags>();
    }
    let ending = match (&flags.resume, &flags.config, flags.recipe) {
        (Some(resume), ..) => {
            let runs = Runs::new(&flags.options.machine.output);
            let found = if resume == "auto" { runs.latest() } else { runs.find(resume) };
            match found {
                Some(run) => continue_run(run, &arguments, &typed, &stop)?,
                None if resume == "auto" => {
                    let output = flags.options.machine.output.display();
                    note(&format!("{output}: no run to continue, starts a new one"));
                    start(flags, &typed, &stop)?
                }
                None => {
                    let output = flags.options.machine.output.display();
                    let what = format!("--resume {resume}: no such folder, neither here nor in {output}");
                    return Err(Failure::new(Exit::Usage, what));
                }
            }
        }
        (None, Some(file), _) => {
            // Alone first: what is wrong with the file is told with its name.
            let text = Options::read(file)?.to_toml();
            start(parse(&from_file(&text, &typed)?, &arguments)?.0, &typed, &stop)?
        }
        (None, None, Some(recipe)) => {
            let (flags, _) = parse(&from_file(recipe.text(), &typed)?, &arguments)?;
            let initial = flags.options.recipe.pretrained || flags.options.recipe.initial_checkpoint.is_some();
            if recipe.needs_weights() && !initial {
                let what = "begins at random; give it weights with --pretrained or --initial-checkpoint";
                note(&format!("warning: --recipe {recipe}: {what}"));
            }
            start(flags, &typed, &stop)?
        }
        (None, None, None) => start(flags, &typed, &stop)?,
    };
    Ok(match ending {
        Ending::Complete => ExitCode::SUCCESS,
        Ending::Interrupted => ExitCode::from(Exit::Interrupted as u8),
    })
}

fn from_file(text: &str, typed: &[String]) -> Result<Vec<String>, Failure> {
    options::flags(text, typed).map_err(|reason| Failure::new(Exit::Usage, reason))
}

/// The flags of a command line, behind those of a file of options; and the names of the options that were typed.
fn parse(file: &[String], arguments: &[OsString]) -> Result<(Flags, Vec<String>), Failure> {
    let program = OsString::from("train");
    let file = file.iter().map(OsString::from);
    let line = std::iter::once(program).chain(file).chain(arguments.iter().cloned());
    let matches = Flags::command().try_get_matches_from(line).map_err(Failure::from)?;
    let flags = Flags::from_arg_matches(&matches).map_err(Failure::from)?;
    Ok((flags, typed(&matches)))
}

fn typed(matches: &ArgMatches) -> Vec<String> {
    let ids = matches.ids().map(|id| id.as_str());
    let typed = ids.filter(|id| matches.value_source(id) == Some(ValueSource::CommandLine));
    typed.map(str::to_owned).collect()
}

fn start(flags: Flags, typed: &[String], stop: &StopRequest) -> Result<Ending, Failure> {
    let options = flags.options.resolved()?;
    options.warnings(typed).iter().for_each(|warning| note(&format!("warning: {warning}")));
    Ok(run::start(options, flags.name.as_deref(), stop)?)
}

fn continue_run(
    run: RunFolder,
    arguments: &[OsString],
    typed: &[String],
    stop: &StopRequest,
) -> Result<Ending, Failure> {
    let own = Options::read(&run.config())?.resolved()?;
    let (flags, _) = parse(&from_file(&own.to_toml(), typed)?, arguments)?;
    let options = flags.options.resolved()?;
    own.check_resumable_with(&options)?;
    Ok(run::resume(options, run, stop)?)
}
