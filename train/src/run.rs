//! A run from its options to its result.

use std::fs::{File, OpenOptions, TryLockError};
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::Module;
use burn::optim::Optimizer;
use burn::record::Recorder;
use burn::tensor::backend::AutodiffBackend;
use burn_dataset::Dataset;
use burn_train::{Interrupter, Learner, SupervisedTraining, TrainingStrategy};
use kiln_backend::{Backend, Program, Target, Training};
use kiln_cli::{BackendArgs, Exit, Failure, RunFolder, Runs, note, pretrained, published, write_file};
use kiln_data::{BurnLoader, Cursor};
use kiln_model::weights::{Fault, InitialWeights, Weights, WeightsError};
use kiln_model::{Beginning, freeze};

use crate::average::Average;
use crate::checkpoint::{Checkpoint, Checkpoints};
use crate::config::Config;
use crate::console::Console;
use crate::dashboard::{RunInfo, StopRequest};
use crate::metrics::{Accuracy, Counted, Loss, NoFiles, Top5};
use crate::optimizer::{Rule, RunOptimizer};
use crate::outcome::{finish, summarise};
use crate::progress::Progress;
use crate::records::Records;
use crate::renderer::{Renderer, check_terminal};
use crate::resumable::{check_epochs, check_subject, reported_epochs, subject};
use crate::run_data::RunData;
use crate::silent::Silent;
use crate::strategy::{CheckpointRecorder, Ending, Plan, Session, Strategy};
use crate::task::Task;

/// Starts a new run in a folder of its own.
///
/// # Errors
/// If an option, the data, the device or the output is not as it should be, or training fails.
pub fn start(config: Config, name: Option<&str>, stop: &StopRequest) -> Result<Ending, Failure> {
    let mut config = config.resolved();
    config.validate()?;
    // What can be wrong is looked at before the folder is made.
    check_terminal(config.dashboard)?;
    if config.pretrained {
        published(config.model)?;
    }
    let data = RunData::load(&config)?;
    let target = target(&config)?;
    data.check(&config)?;
    let beginning = beginning(&config, &data)?;
    if config.model.has_auxiliary() {
        let theirs = beginning.as_ref().is_some_and(|(_, transform_input)| *transform_input);
        config.transform_input.get_or_insert(theirs);
        data.check(&config)?;
    }
    let beginning = beginning.map(|(beginning, _)| beginning);
    let run = Runs::new(&config.output).create(name, &format!("{}-{}", config.model, data.name))?;
    let log = lock_log(&run)?;
    write_file(&run.config(), config.to_toml().as_bytes())?;
    target.run(Run { config, data, target: target.clone(), run, log, beginning, checkpoint: None, stop: stop.clone() })
}

/// Continues a run where its newest checkpoint stands.
///
/// # Errors
/// As [`start`]; a run without a usable checkpoint begins again.
pub fn resume(config: Config, run: RunFolder, stop: &StopRequest) -> Result<Ending, Failure> {
    check_terminal(config.dashboard)?;
    // Before anything is read or written: the run may be training in another process.
    let log = lock_log(&run)?;
    let (mut checkpoint, faults) = Checkpoints::new(run.checkpoints(), config.checkpoint_hist).newest();
    faults.iter().for_each(|fault| note(&format!("warning: {fault}")));
    if let Some(checkpoint) = &mut checkpoint {
        // More epochs than before are a reason to go on; patience is counted as it stands.
        let Progress { stopped_early, epochs, .. } = &mut checkpoint.progress;
        *stopped_early &= config.epochs <= *epochs;
        *epochs = config.epochs;
        check_epochs(&config, &checkpoint.progress)?;
    }
    let progress = checkpoint.as_ref().map(|checkpoint| &checkpoint.progress);
    let over = progress.is_some_and(|progress| progress.stopped_early || progress.complete() >= config.epochs);
    let epochs = progress.map_or(0, Progress::complete);
    if over && reported_epochs(&run) == Some(epochs) {
        note(&format!("{}: complete after {epochs} epochs, nothing to do", run.path().display()));
        return Ok(Ending::Complete);
    }
    let data = RunData::load(&config)?;
    let target = target(&config)?;
    check_subject(checkpoint.as_ref(), &config, &data, &run)?;
    // A checkpoint has gone on from them.
    let beginning = if checkpoint.is_none() { beginning(&config, &data)? } else { None };
    let beginning = beginning.map(|(beginning, _)| beginning);
    let where_from = match checkpoint.as_ref().map(|checkpoint| &checkpoint.progress) {
        Some(Progress { epoch, batch, .. }) => format!("continues in epoch {epoch} after {batch} batches"),
        None => "no usable checkpoint, begins at epoch 1".to_owned(),
    };
    note(&format!("{}: {where_from}", run.path().display()));
    write_file(&run.config(), config.to_toml().as_bytes())?;
    target.run(Run { config, data, target: target.clone(), run, log, beginning, checkpoint, stop: stop.clone() })
}

fn target(config: &Config) -> Result<Target, Failure> {
    let device = config.device.parse().map_err(|error| Failure::new(Exit::Usage, format!("--device: {error}")))?;
    BackendArgs { backend: config.backend, device, threads: config.threads }.target()
}

/// The weights that training begins with, if they are somebody's, and whether they want images within ±1.
fn beginning(config: &Config, data: &RunData) -> Result<Option<(Beginning, bool)>, Failure> {
    let published = config.pretrained.then(|| pretrained(config.model, config.offline)).transpose()?;
    let Some(path) = published.or_else(|| config.initial_checkpoint.clone()) else { return Ok(None) };
    let InitialWeights { tensors, transform_input } = Weights::initial(&path, config.model)?;
    let beginning = Beginning::new(config.model, &data.sizes(config), tensors)
        .map_err(|error| WeightsError { path, fault: Fault::Parameters(error) })?;
    Ok(Some((beginning, transform_input)))
}

/// Opens the run's log, which also keeps other processes out of its folder.
fn lock_log(run: &RunFolder) -> Result<File, Failure> {
    let path = run.log();
    let log = OpenOptions::new().create(true).append(true).open(&path);
    let log = log.map_err(|error| Failure::write(&path, &error))?;
    match log.try_lock() {
        Err(TryLockError::WouldBlock) => {
            let what = format!("{}: another process is training this run", run.path().display());
            Err(Failure::new(Exit::Usage, what))
        }
        // A file system without locks must not keep anybody from training.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(log),
    }
}

/// A run ready to go, still without a backend.
struct Run {
    config: Config,
    data: RunData,
    target: Target,
    run: RunFolder,
    log: File,
    /// The weights that training begins with, if they are somebody's.
    beginning: Option<Beginning>,
    checkpoint: Option<Checkpoint>,
    stop: StopRequest,
}

impl Program for Run {
    type Output = Result<Ending, Failure>;

    fn run<B: Backend>(self, device: B::Device) -> Self::Output {
        self.on::<Training<B>>(&device)
    }
}

impl Run {
    fn on<B>(self, device: &B::Device) -> Result<Ending, Failure>
    where
        B: AutodiffBackend + Backend,
        B::InnerBackend: Backend,
    {
        let Self { config, data, target, run, log, beginning, checkpoint, stop } = self;
        let classes = data.classes.len();
        let sizes = data.sizes(&config);
        let loss = config.loss(&data)?;
        let mut network = config.model.seeded::<B>(&sizes, config.seed, device);
        let left_out = beginning.as_ref().map(|beginning| beginning.left_out().join(", ")).unwrap_or_default();
        if let Some(beginning) = beginning {
            network = beginning.apply(network);
        }
        if let Some(which) = config.freeze {
            network = freeze(network, config.model, which);
        }
        let mut task = Task { network, loss };
        let optimizer = RunOptimizer::new(Rule::new(&config));
        let mut average = config.model_ema.then(|| Average::new(&task.network, config.model_ema_decay));
        let mut progress = Progress::new(config.epochs, subject(&config, &data));
        if let Some(checkpoint) = checkpoint {
            (task, progress) = restore(checkpoint, task, &mut average, &optimizer, device, &run)?;
        }

        let train_loader = data.train_loader(&config);
        let valid_loader = data.test_loader(&data.valid, &config);
        let batches = train_loader.batches_per_epoch();
        let mut schedule = config.schedule(batches.div_ceil(config.grad_accum_steps));
        schedule.iteration = progress.iteration;

        let interrupter = Interrupter::new();
        let info = RunInfo {
            name: run.name(),
            model: config.model.name().to_owned(),
            dataset: data.name.clone(),
            backend: target.backend().to_string(),
            epochs: config.epochs,
            first_epoch: progress.epoch,
            iterations_per_epoch: batches,
            classes: data.classes.clone(),
        };
        let (renderer, screen) = Renderer::start(config.dashboard, info, &stop, &interrupter)?;
        let console = Console::new(screen, &run.log(), log);
        let mut records = Records::open(run.clone(), console, &config, &data, &progress)?;
        run.set_latest()?;
        if !left_out.is_empty() {
            records.console.line(&format!("these begin at random: {left_out}"))?;
        }
        records.console.line(&headline(&config, &data, &target, &run, task.network.parameter_count()))?;

        let plan = Plan {
            classes,
            seed: config.seed,
            schedule: schedule.clone(),
            batches,
            accumulated: config.grad_accum_steps,
            epochs: config.epochs,
            log_interval: config.log_interval,
            clip_grad: config.clip_grad,
            patience: config.patience,
        };
        let session = Arc::new(Mutex::new(Session { progress, records, ending: None, average, task: None }));
        let (train_cursor, valid_cursor) = (Cursor::default(), Cursor::default());
        let strategy = Strategy {
            device: device.clone(),
            plan,
            train_cursor: train_cursor.clone(),
            valid_cursor: valid_cursor.clone(),
            optimizer: optimizer.clone(),
            should_stop: Arc::new(move || stop.is_requested()),
            session: session.clone(),
        };
        let train_loader = Arc::new(BurnLoader::<B>::new(train_loader, train_cursor, device.clone()));
        let valid_loader = Arc::new(BurnLoader::<B::InnerBackend>::new(valid_loader, valid_cursor, device.clone()));
        let training = SupervisedTraining::new(run.path(), train_loader, valid_loader)
            .metrics((Counted::<Loss>::new(), Counted::<Accuracy>::new()))
            .with_interrupter(interrupter)
            .with_metric_logger(NoFiles)
            .with_application_logger(None)
            .num_epochs(config.epochs)
            .with_training_strategy(TrainingStrategy::Custom(Arc::new(strategy)));
        let training = if classes > 5 { training.metrics((Counted::<Top5>::new(),)) } else { training };
        let training = match renderer {
            Renderer::Silent => training.renderer(Silent),
            Renderer::Dashboard(dashboard) => training.renderer(dashboard),
            Renderer::Burn(dashboard) => training.renderer(dashboard),
        };
        // The dashboard closes when its renderer is dropped, before the summary is printed.
        drop(training.launch(Learner::new(task, optimizer, schedule)));

        let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
        let Session { progress, records, ending, task, .. } = &mut *session;
        records.console.leave_dashboard()?;
        let ending = ending.take().unwrap_or(Ok(Ending::Interrupted))?;
        if ending == Ending::Interrupted {
            let (done, batch) = (progress.complete(), progress.batch);
            let resume = format!("continue with --resume {}", run.path().display());
            records.console.line(&format!("interrupted after {done} epochs and {batch} batches, saved; {resume}"))?;
            return Ok(ending);
        }
        let outcome = finish::<B::InnerBackend>(&config, &data, &target, progress, records, task.take(), device)?;
        summarise(&outcome, records)?;
        Ok(ending)
    }
}

/// Puts a checkpoint's state back.
fn restore<B: AutodiffBackend>(
    checkpoint: Checkpoint,
    task: Task<B>,
    average: &mut Option<Average<B::InnerBackend>>,
    optimizer: &RunOptimizer<Task<B>, B>,
    device: &B::Device,
    run: &RunFolder,
) -> Result<(Task<B>, Progress), Failure> {
    let recorder = CheckpointRecorder::default();
    let failed = |error: burn::record::RecorderError| {
        let what = format!("{}: the checkpoint does not fit this build: {error}", run.checkpoints().display());
        Failure::new(Exit::Weights, what)
    };
    let record = Recorder::<B>::load(&recorder, checkpoint.model, device).map_err(failed)?;
    let task = task.load_record(record);
    let record = Recorder::<B>::load(&recorder, checkpoint.optimizer, device).map_err(failed)?;
    Optimizer::<Task<B>, B>::load_record(optimizer.clone(), record);
    if let (Some(average), Some(bytes)) = (average, checkpoint.average) {
        let record = Recorder::<B::InnerBackend>::load(&recorder, bytes, device).map_err(failed)?;
        average.network = average.network.clone().load_record(record);
    }
    Ok((task, checkpoint.progress))
}

fn headline(config: &Config, data: &RunData, target: &Target, run: &RunFolder, parameters: usize) -> String {
    let (train, valid, path) = (data.train.len(), data.valid.len(), run.path().display());
    format!(
        "{} ({parameters} parameters) on {}: {train} images to train, {valid} to validate; {} on {}; {path}",
        config.model,
        data.name,
        target.backend(),
        target.adapter()
    )
}
