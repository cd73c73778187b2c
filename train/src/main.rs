//! `train`: trains image classifiers on the CPU or the GPU.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser};
use kiln_cli::{Exit, Failure, Runs, finish, note};
use train::config::{Config, Recipe};
use train::dashboard::{StopRequest, leave_at_once};
use train::run;
use train::strategy::Ending;

/// Trains an image classifier. Without options: the lecture's CNN on MNIST, as in the lecture.
#[derive(Parser)]
#[command(name = "train", version, after_help = AFTER_HELP, args_override_self = true)]
struct Flags {
    #[command(flatten)]
    config: Config,
    /// Name of the run's folder [default: <model>-<dataset>-<NNN>]
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    name: Option<String>,
    /// Continue a run, by path or name; auto: the newest one
    #[arg(long, value_name = "RUN|auto", conflicts_with = "options")]
    resume: Option<String>,
    /// Take the options from a file such as a run's config.toml; options given here override them
    #[arg(id = "options", long = "config", value_name = "FILE")]
    options: Option<PathBuf>,
    /// Take options that go well together: lecture, mnist-strong, mnist-resnet8, fashion-resnet8, cifar10-resnet18 or
    /// finetune; options given here override them
    #[arg(long, value_name = "NAME", conflicts_with_all = ["options", "resume"])]
    recipe: Option<Recipe>,
}

const AFTER_HELP: &str = "\
Ctrl-C (or q on the dashboard) finishes the batch, saves and exits 130; a second one quits at once.
Exit codes: 0 good, 1 the loss is not finite, 2 usage, 3 checkpoint, 4 dataset, 5 backend or device, 6 output, 130 interrupted.";

fn main() -> ExitCode {
    let matches = Flags::command().get_matches();
    let flags = Flags::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let given = matches.ids().map(|id| id.as_str().to_owned());
    let typed = |id: &String| matches.value_source(id) == Some(ValueSource::CommandLine);
    let own = ["name", "resume", "options", "recipe"];
    let given: Vec<_> = given.filter(|id| typed(id) && id != "Config" && !own.contains(&id.as_str())).collect();
    finish(train(flags, &given))
}

fn train(flags: Flags, given: &[String]) -> Result<ExitCode, Failure> {
    flags.config.validate()?;
    let stop = stop_on_signals()?;
    let Flags { config, name, resume, options, recipe } = flags;
    if let Some(resume) = resume {
        return continue_run(&resume, config, given, &stop).map(exit_code);
    }
    let base = match (options, recipe) {
        (Some(file), _) => Some(Config::read(&file)?),
        (None, recipe) => recipe.map(Recipe::config),
    };
    let config = base.map_or(config.clone(), |base| base.overridden(&config, given));
    run::start(config, name.as_deref(), &stop).map(exit_code)
}

/// Whether a run came to its end.
fn exit_code(ending: Ending) -> ExitCode {
    match ending {
        Ending::Complete => ExitCode::SUCCESS,
        Ending::Interrupted => ExitCode::from(Exit::Interrupted as u8),
    }
}

fn continue_run(resume: &str, flags: Config, given: &[String], stop: &StopRequest) -> Result<Ending, Failure> {
    let runs = Runs::new(&flags.output);
    let found = if resume == "auto" { runs.latest() } else { runs.find(resume) };
    match found {
        Some(run) => {
            let config = Config::read(&run.config())?.resumed(&flags, given)?;
            run::resume(config, run, stop)
        }
        None if resume == "auto" => {
            note(&format!("{}: no run to continue, starts a new one", flags.output.display()));
            run::start(flags, None, stop)
        }
        None => {
            let what = format!("--resume {resume}: no such folder, neither here nor in {}", flags.output.display());
            Err(Failure::new(Exit::Usage, what))
        }
    }
}

/// The first Ctrl-C asks for a stop, the second leaves at once.
fn stop_on_signals() -> Result<StopRequest, Failure> {
    let stop = StopRequest::default();
    let asked = stop.clone();
    let handler = move || {
        if asked.request() > 1 {
            leave_at_once();
        }
    };
    ctrlc::set_handler(handler)
        .map_err(|error| Failure::new(Exit::Usage, format!("Ctrl-C cannot be handled: {error}")))?;
    Ok(stop)
}
