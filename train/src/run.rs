//! A run from its options to its result.

use std::collections::BTreeSet;

use burn::tensor::backend::AutodiffBackend;
use burn_dataset::Dataset;
use kiln_backend::{Backend, Program, Target, Training};
use kiln_cli::{
    BackendArgs, NewRun, ProgressBar, RunFolder, Runs, fetch_pretrained, note, pretrained, progress_bar, write_file,
};
use kiln_data::ImageSet;
use kiln_model::weights::{Fault, GivenTensors, InitialWeights, Weights, WeightsError, freeze};
use kiln_model::{Metrics, Network, ParameterError, load_state_dict};

use crate::data::{RunData, check_read};
use crate::engine::{Ending, Engine};
use crate::error::Error;
use crate::event::{Event, Observers};
use crate::learner::Learner;
use crate::optim::ema::Average;
use crate::optim::optimizer::Optimizer;
use crate::options::Options;
use crate::options::recipe::Recipe;
use crate::run_dir::checkpoint::{Checkpoint, NewestCheckpoint};
use crate::run_dir::evaluation::{BestEvaluation, Evaluation};
use crate::run_dir::history::History;
use crate::run_dir::log::Log;
use crate::run_dir::outcome::Outcome;
use crate::run_dir::progress::Progress;
use crate::run_dir::report::RunReport;
use crate::run_dir::tensorboard::EventFile;
use crate::run_dir::{RunDir, newest_checkpoint};
use crate::stop::StopRequest;
use crate::ui::DashboardName;
use crate::ui::dashboard::RunInfo;
use crate::{step, ui};

/// Starts a new run in a folder of its own.
///
/// # Errors
/// If an option, the data, the device or the output is not as it should be, or training fails. A run that fails before its
/// first step leaves no folder.
pub fn start(mut options: Options, name: Option<&str>, stop: &StopRequest) -> Result<Ending, Error> {
    // What can be wrong is looked at before the folder is made.
    ui::check_terminal(options.machine.dashboard)?;
    if options.recipe.pretrained {
        pretrained(options.recipe.model)?;
    }
    let data = RunData::load(&options)?;
    let target = target(&mut options)?;
    data.loss(&options.recipe)?;
    let initial = initial_weights(&options, &data)?;
    let new = Runs::new(&options.machine.output).create(name, &format!("{}-{}", options.recipe.model, data.name))?;
    let log = Log::lock(new.folder())?;
    write_file(&new.folder().config(), options.to_toml().as_bytes())?;
    let run = new.folder().clone();
    let run = Run { options, data, target: target.clone(), run, new: Some(new), log, initial, from: None, stop };
    target.run(run)
}

/// Continues a run where its newest checkpoint stands.
///
/// # Errors
/// As [`start`]; if the run's checkpoints cannot be used. Nothing is then changed.
pub fn resume(mut options: Options, run: RunFolder, stop: &StopRequest) -> Result<Ending, Error> {
    ui::check_terminal(options.machine.dashboard)?;
    // Before anything is read or written: the run may be training in another process.
    let log = Log::lock(&run)?;
    let mut found = newest_checkpoint(&run, &options)?;
    if let Some(NewestCheckpoint { checkpoint, passed_over, .. }) = &mut found {
        passed_over.iter().for_each(|error| note(&format!("warning: {error}")));
        go_on_to(options.recipe.epochs, &mut checkpoint.progress, &options.recipe)?;
    }
    let progress = found.as_ref().map(|found| &found.checkpoint.progress);
    let over = progress.is_some_and(|progress| progress.stopped_early || progress.complete() >= options.recipe.epochs);
    let epochs = progress.map_or(0, Progress::complete);
    if over && Outcome::read(&run).is_some_and(|outcome| outcome.epochs == epochs) {
        note(&format!("{}: complete after {epochs} epochs, nothing to do", run.path().display()));
        return Ok(Ending::Complete);
    }
    let data = RunData::load(&options)?;
    let target = target(&mut options)?;
    if let Some(NewestCheckpoint { checkpoint, .. }) = &found {
        check_subject(&checkpoint.progress, &options.recipe, &data, &run)?;
    }
    // A checkpoint has gone on from them.
    let initial = if found.is_none() { initial_weights(&options, &data)? } else { None };
    let where_from = match found.as_ref().map(|found| &found.checkpoint.progress) {
        Some(Progress { epoch, batch, .. }) => format!("continues in epoch {epoch} after {batch} batches"),
        None => "no checkpoint yet, begins at epoch 1".to_owned(),
    };
    note(&format!("{}: {where_from}", run.path().display()));
    let run = Run { options, data, target: target.clone(), run, new: None, log, initial, from: found, stop };
    target.run(run)
}

/// A run's state with another number of epochs, which must not lie before where it is.
fn go_on_to(epochs: usize, progress: &mut Progress, recipe: &Recipe) -> Result<(), Error> {
    let (complete, batch) = (progress.complete(), progress.batch);
    if epochs < complete || (epochs == complete && batch > 0) {
        let reason = format!("the run has completed {complete} epochs and {batch} batches already");
        return Err(Error::option(format!("epochs {epochs}"), reason));
    }
    if epochs > progress.epochs && recipe.sched.depends_on_the_end() {
        let (sched, before) = (recipe.sched, progress.epochs);
        note(&format!(
            "warning: --epochs {epochs}: under --sched {sched} the learning rate jumps to where a run of {epochs} epochs has it, \
             not one of {before}"
        ));
    }
    // More epochs than before are a reason to go on; patience is counted as it stands.
    progress.stopped_early &= epochs <= progress.epochs;
    progress.epochs = epochs;
    Ok(())
}

/// A checkpoint fits only the network, data and options that it was made with.
fn check_subject(progress: &Progress, recipe: &Recipe, data: &RunData, run: &RunFolder) -> Result<(), Error> {
    let (then, now) = (&progress.subject, data.subject(recipe));
    if *then != now {
        let reason = format!("made with {then}; options and data now give {now}");
        return Err(Error::OtherRun { path: run.checkpoints(), reason });
    }
    if let Some(difference) = recipe.difference(&progress.recipe) {
        let (option, own, other) = (difference.option, difference.own, difference.other);
        let reason = format!("{option} is {own}, but the run's checkpoints were trained with {other}; put it back");
        return Err(Error::OtherRun { path: run.config(), reason });
    }
    Ok(())
}

/// Finds the device; the backend is from then on the one that was found. Where none was asked for by name and there is no GPU,
/// it is the CPU.
fn target(options: &mut Options) -> Result<Target, Error> {
    let Options { recipe, machine } = options;
    let arguments = BackendArgs { backend: recipe.backend, device: machine.device, threads: machine.threads };
    let target = arguments.target()?;
    recipe.backend = Some(target.backend());
    Ok(target)
}

/// The weights that training begins with, if any are given.
fn initial_weights(options: &Options, data: &RunData) -> Result<Option<InitialWeights>, Error> {
    let Recipe { model, pretrained, initial_checkpoint, no_ema, .. } = &options.recipe;
    let fetched = pretrained.then(|| fetch_pretrained(*model, options.machine.offline)).transpose()?;
    let Some(path) = fetched.or_else(|| initial_checkpoint.clone()) else { return Ok(None) };
    let GivenTensors { tensors, averaged } = Weights::tensors_for(&path, *model, !no_ema)?;
    if averaged {
        note(&format!("{}: begins with its averaged weights; --no-ema takes the last ones", path.display()));
    }
    let initial = InitialWeights::new(*model, &data.sizes(*model), tensors);
    Ok(Some(initial.map_err(|error| WeightsError { path, fault: Fault::Parameters(error) })?))
}

/// A run ready to go, still without a backend.
struct Run<'a> {
    options: Options,
    data: RunData,
    target: Target,
    run: RunFolder,
    /// Removes the folder again if nothing comes of the run; `None` of one that is continued.
    new: Option<NewRun>,
    log: Log,
    /// The weights that training begins with, if any are given.
    initial: Option<InitialWeights>,
    /// The checkpoint that it goes on from, if there is one.
    from: Option<NewestCheckpoint>,
    stop: &'a StopRequest,
}

impl Program for Run<'_> {
    type Output = Result<Ending, Error>;

    fn run<B: Backend>(self, device: B::Device) -> Self::Output {
        self.on::<Training<B>>(&device)
    }
}

impl Run<'_> {
    fn on<B>(self, device: &B::Device) -> Result<Ending, Error>
    where
        B: AutodiffBackend + Backend,
        B::InnerBackend: Backend,
    {
        let Self { options, data, target, run, new, mut log, initial, from, stop } = self;
        let Options { recipe, machine } = &options;
        let left_out = initial.as_ref().map(|initial| initial.left_out().join(", ")).unwrap_or_default();
        let mut network = recipe.model.seeded::<B>(&data.sizes(recipe.model), recipe.seed, device);
        if let Some(initial) = initial {
            network = initial.apply(network);
        }
        if let Some(which) = recipe.freeze {
            network = freeze(network, recipe.model, which)
                .map_err(|error| Error::option(format!("freeze {which}"), error.to_string()))?;
        }
        let optimizer = Optimizer::new(recipe.hyperparameters());
        let mut average = recipe.model_ema.then(|| Average::new(&network, recipe.model_ema_decay));
        let mut progress = Progress::new(recipe.epochs, data.subject(recipe), recipe.to_json());
        let resumed = from.is_some();
        if let Some(NewestCheckpoint { path, checkpoint, .. }) = from {
            let restored = restore(checkpoint, network, average, &optimizer, device);
            (network, average, progress) = restored.map_err(|source| Error::CheckpointTensors { path, source })?;
        }
        // Only now that nothing stands in the way.
        write_file(&run.config(), options.to_toml().as_bytes())?;
        let run_dir = RunDir::new(run.clone(), &options, &data);
        let (train, valid) = (data.train_loader(&options), data.test_loader(&data.valid, &options));
        let iterations = train.batches_per_epoch();
        let mut schedule = recipe.schedule(iterations.div_ceil(recipe.grad_accum_steps));
        schedule.iteration = progress.iteration;

        let valid_name = data.valid_name();
        let info = RunInfo {
            name: run.name(),
            model: recipe.model.name().to_owned(),
            dataset: data.name.clone(),
            backend: target.backend().to_string(),
            epochs: recipe.epochs,
            first_epoch: progress.epoch,
            iterations_per_epoch: iterations,
            classes: data.classes.clone(),
        };
        let headline = headline(recipe, &data, &target, &run, network.parameter_count());
        log.valid_name = valid_name;
        kiln_cli::sweep(run.path());
        let history = History::open(run.metrics(), &progress.rows)?;
        let events =
            EventFile::create(run.path(), progress.iteration + 1).map_err(|error| Error::write(run.path(), error))?;
        let screen = ui::start(machine.dashboard, info, &data.valid, valid_name, stop)?;
        let evaluations = BestEvaluation::default();
        let mut observers =
            Observers(vec![screen, Box::new(log), Box::new(history), Box::new(events), Box::new(evaluations.clone())]);
        run.set_latest()?;
        if !left_out.is_empty() {
            observers.tell(Event::Note(&format!("these begin at random: {left_out}")))?;
        }
        observers.tell(Event::Note(&headline))?;

        let loss = data.loss(recipe)?;
        let learner = Learner::new(network, loss, optimizer, schedule, device);
        let (log_interval, device) = (machine.log_interval, device.clone());
        let (recipe, data, run_dir) = (recipe, &data, &run_dir);
        let mut engine = Engine {
            recipe,
            log_interval,
            data,
            train,
            valid,
            learner,
            average,
            device,
            progress,
            run_dir,
            observers,
            stop,
            unreadable: BTreeSet::new(),
        };
        if resumed {
            run_dir.complete_weights(&engine.result(), &engine.progress)?;
        }
        stop.training_begins();
        let ending = engine.run();
        // From its first step on a run is kept, however it ends.
        if let Some(new) = new.filter(|_| ending.is_ok() || engine.progress.iteration > 0) {
            new.keep();
        }
        let ending = ending?;
        engine.observers.training_ended()?;
        if ending == Ending::Interrupted {
            let (done, batch) = (engine.progress.complete(), engine.progress.batch);
            let resume = format!("continue with --resume {}", run.path().display());
            let line = format!("interrupted after {done} epochs and {batch} batches, saved; {resume}");
            engine.observers.tell(Event::Note(&line))?;
            write_report(&options, &engine, None, evaluations.take());
            return Ok(ending);
        }
        let (outcome, evaluation) = finish(&options, &target, &mut engine, evaluations.take())?;
        write_report(&options, &engine, Some(&outcome), Some(evaluation));
        engine.observers.tell(Event::Note(&outcome.summary(&run, valid_name)))?;
        Ok(ending)
    }
}

/// What a checkpoint puts back: the network, its average, and how far the run has come.
type Restored<B> = (Network<B>, Option<Average<<B as AutodiffBackend>::InnerBackend>>, Progress);

/// Puts a checkpoint's state back; everything has to fit.
fn restore<B: AutodiffBackend>(
    checkpoint: Checkpoint,
    network: Network<B>,
    average: Option<Average<B::InnerBackend>>,
    optimizer: &Optimizer<B>,
    device: &B::Device,
) -> Result<Restored<B>, ParameterError> {
    let network = load_state_dict(network, checkpoint.model)?;
    optimizer.load(checkpoint.optimizer, &network, device)?;
    let average = match (average, checkpoint.average) {
        (Some(average), Some(tensors)) => {
            Some(Average { network: load_state_dict(average.network, tensors)?, decay: average.decay })
        }
        (average, _) => average,
    };
    Ok((network, average, checkpoint.progress))
}

fn headline(recipe: &Recipe, data: &RunData, target: &Target, run: &RunFolder, parameters: usize) -> String {
    let (train, valid, path) = (data.train.len(), data.valid.len(), run.path().display());
    format!(
        "{} ({parameters} parameters) on {}: {train} images to train, {valid} to validate; {} on {}; {path}",
        recipe.model,
        data.name,
        target.backend(),
        target.adapter()
    )
}

/// Writes the run's page.
fn write_report<B>(options: &Options, engine: &Engine<'_, B>, outcome: Option<&Outcome>, evaluation: Option<Evaluation>)
where
    B: AutodiffBackend + Backend,
    B::InnerBackend: Backend,
{
    let Engine { data, progress, run_dir, .. } = engine;
    let (run, evaluation) = (&run_dir.folder, evaluation.as_ref());
    RunReport { run, options, data, progress, outcome, evaluation }.write();
}

/// Tests the last and the best weights where that was not done after each epoch, and writes how the run ended. What the
/// evaluation of the best epoch found is looked up again if `found` is not it, as in a run that was resumed after it.
fn finish<B>(
    options: &Options,
    target: &Target,
    engine: &mut Engine<'_, B>,
    found: Option<Evaluation>,
) -> Result<(Outcome, Evaluation), Error>
where
    B: AutodiffBackend + Backend,
    B::InnerBackend: Backend,
{
    let Engine { recipe, data, progress, run_dir, device, .. } = &*engine;
    let (Some(row), Some(best)) = (progress.rows.last(), progress.best) else {
        unreachable!("a complete run has an epoch");
    };
    let last = engine.result();
    let of_best: Network<B::InnerBackend> = Weights::read(&run_dir.folder.best())?.into_network(device)?;
    let (test_accuracy, test_loss, best_test_accuracy) = if data.validates_on_test {
        (row.valid_accuracy, row.valid_loss, progress.rows[best.epoch - 1].valid_accuracy)
    } else {
        let on_last = test(&last, &data.test, data, options, device)?;
        (on_last.accuracy(), on_last.loss(), test(&of_best, &data.test, data, options, device)?.accuracy())
    };
    // Now that the test set has been seen, and the number of epochs is final, both files say so.
    run_dir.write_tested(&run_dir.folder.last(), &last, row.epoch, test_accuracy)?;
    run_dir.write_tested(&run_dir.folder.best(), &of_best, best.epoch, best_test_accuracy)?;
    let mean_rate = progress.rows.iter().map(|row| 1. / row.images_per_second).sum::<f64>();
    let outcome = Outcome {
        epochs: progress.complete(),
        best_epoch: best.epoch,
        test_accuracy,
        test_loss,
        best_valid_accuracy: best.accuracy,
        best_test_accuracy,
        seconds: progress.rows.iter().map(|row| row.seconds).sum(),
        images_per_second: progress.complete() as f64 / mean_rate,
        seed: recipe.seed,
        model: recipe.model.name().to_owned(),
        parameters: last.parameter_count(),
        dataset: data.name.clone(),
        unreadable: data.unreadable().len(),
        backend: target.backend().to_string(),
        device: target.adapter().to_string(),
    };
    run_dir.write_outcome(&outcome)?;
    let evaluation = match found.filter(|found| found.epoch == best.epoch) {
        Some(evaluation) => evaluation,
        None => Evaluation::of(&of_best, best.epoch, data, options, device)?,
    };
    Ok((outcome, evaluation))
}

/// Classifies a set of images.
fn test<B: Backend>(
    network: &Network<B>,
    images: &ImageSet,
    data: &RunData,
    options: &Options,
    device: &B::Device,
) -> Result<Metrics, Error> {
    let mut metrics = Metrics::default();
    let bar = (options.machine.dashboard != DashboardName::Off)
        .then(|| progress_bar(images.len(), "images").with_message("testing"));
    for batch in data.test_loader(images, options).epoch(1, 0) {
        let batch = batch?;
        bar.iter().for_each(|bar| bar.inc(options.recipe.batch_size as u64));
        if !batch.labels.is_empty() {
            metrics.add(&step::evaluate(network, batch, device).metrics);
        }
    }
    bar.iter().for_each(ProgressBar::finish_and_clear);
    check_read(images, &metrics)?;
    Ok(metrics)
}
