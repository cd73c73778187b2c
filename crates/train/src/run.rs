//! A run from its options to its result.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::IsTerminal;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{AutodiffModule, Module};
use burn::optim::Optimizer;
use burn::record::Recorder;
use burn::tensor::backend::AutodiffBackend;
use burn_dataset::Dataset;
use burn_train::renderer::tui::TuiMetricsRendererWrapper;
use burn_train::{InferenceStep, Interrupter, Learner, SupervisedTraining, TrainingStrategy};
use kiln_backend::{Backend, Program, Target, Training};
use kiln_cli::{BackendArgs, Exit, Failure, RunFolder, Runs, note, write_durably};
use kiln_data::{Batch, BurnLoader, Cursor, ImageSet, Loader, LoaderConfig, Source, Splits};
use kiln_model::weights::Weights;
use kiln_model::{Network, Tally};

use crate::checkpoint::{Checkpoint, Checkpoints};
use crate::config::{Config, DashboardName};
use crate::console::{Console, Screen};
use crate::dashboard::{Dashboard, RunInfo, StopRequest};
use crate::metrics::{Accuracy, Counted, Loss, NoFiles, Top5};
use crate::optimizer::{Rule, RunOptimizer};
use crate::progress::Progress;
use crate::records::{Outcome, Records, RunData};
use crate::silent::Silent;
use crate::strategy::{CheckpointRecorder, Ending, Plan, Session, Strategy};
use crate::task::Task;

/// Starts a new run in a folder of its own.
///
/// # Errors
/// If an option, the data, the device or the output is not as it should be, or training fails.
pub fn start(config: Config, name: Option<&str>, stop: &StopRequest) -> Result<Ending, Failure> {
    let config = config.resolved();
    config.validate()?;
    // What can be wrong is looked at before the folder is made.
    check_terminal(config.dashboard)?;
    let data = load(&config)?;
    let target = target(&config)?;
    let run = Runs::new(&config.output).create(name, &format!("{}-{}", config.model, data.name))?;
    let log = lock_log(&run)?;
    write(&run.config(), config.to_toml().as_bytes())?;
    target.run(Run { config, data, target: target.clone(), run, log, checkpoint: None, stop: stop.clone() })
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
    let data = load(&config)?;
    let target = target(&config)?;
    check_subject(checkpoint.as_ref(), &config, &data, &run)?;
    let where_from = match checkpoint.as_ref().map(|checkpoint| &checkpoint.progress) {
        Some(Progress { epoch, batch, .. }) => format!("continues in epoch {epoch} after {batch} batches"),
        None => "no usable checkpoint, begins at epoch 1".to_owned(),
    };
    note(&format!("{}: {where_from}", run.path().display()));
    write(&run.config(), config.to_toml().as_bytes())?;
    target.run(Run { config, data, target: target.clone(), run, log, checkpoint, stop: stop.clone() })
}

/// The number of epochs that `result.json` reports; one from before the run was continued is not this run's.
fn reported_epochs(run: &RunFolder) -> Option<usize> {
    let outcome: Outcome = serde_json::from_slice(&std::fs::read(run.result()).ok()?).ok()?;
    Some(outcome.epochs)
}

/// A run cannot end before where it is.
fn check_epochs(config: &Config, progress: &Progress) -> Result<(), Failure> {
    let (wanted, complete, batch) = (config.epochs, progress.complete(), progress.batch);
    if wanted > complete || (wanted == complete && batch == 0) {
        return Ok(());
    }
    let what = format!("--epochs {wanted}: the run has completed {complete} epochs and {batch} batches already");
    Err(Failure::new(Exit::Usage, what))
}

/// A checkpoint fits only the network, data and batches that it was made with.
fn check_subject(
    checkpoint: Option<&Checkpoint>,
    config: &Config,
    data: &RunData,
    run: &RunFolder,
) -> Result<(), Failure> {
    let now = subject(config, data);
    match checkpoint.map(|checkpoint| &checkpoint.progress.subject) {
        Some(then) if *then != now => {
            let folder = run.checkpoints();
            let what = format!("{}: made with {then}; options and data now give {now}", folder.display());
            Err(Failure::new(Exit::Weights, what))
        }
        _ => Ok(()),
    }
}

/// What a run is about, in words, with a checksum of the images and their classes.
fn subject(config: &Config, data: &RunData) -> String {
    let mut sum = 0;
    for set in [&data.train, &data.valid] {
        for (index, label) in set.labels().enumerate() {
            sum = crc32c::crc32c_append(sum, set.pixels(index).unwrap_or_default());
            sum = crc32c::crc32c_append(sum, &(label as u64).to_le_bytes());
        }
    }
    format!(
        "{}, {} classes, {} + {} images (checksum {sum:08x}), batches of {}, seed {}",
        config.model,
        data.classes.len(),
        data.train.len(),
        data.valid.len(),
        config.batch_size,
        config.seed
    )
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_durably(path, bytes).map_err(|error| Failure::write(path, &error))
}

fn target(config: &Config) -> Result<Target, Failure> {
    let device = config.device.parse().map_err(|error| Failure::new(Exit::Usage, format!("--device: {error}")))?;
    BackendArgs { backend: config.backend, device, threads: config.threads }.target()
}

/// Loads the dataset and splits it as the options say.
fn load(config: &Config) -> Result<RunData, Failure> {
    let source = Source { data_dir: config.data_dir.clone(), offline: config.offline };
    let Splits { name, train, test, classes, preprocess } = Splits::load(&config.dataset, &source)?;
    let expected = config.model.input();
    if train.shape() != expected {
        let what = format!("--model {}: takes images of {expected:?}, {name} has {:?}", config.model, train.shape());
        return Err(Failure::new(Exit::Usage, what));
    }
    let (train, valid) = if config.valid_split == 0. {
        (train, None)
    } else {
        train.split(config.validation_count(train.len()), config.seed).map(|(train, valid)| (train, Some(valid)))?
    };
    let first = |set: ImageSet, limit: Option<usize>| limit.map_or(set.clone(), |limit| set.first(limit));
    let test = first(test, config.limit_test);
    let valid = valid.unwrap_or_else(|| test.clone());
    Ok(RunData { name, train: first(train, config.limit_train), valid, test, classes, preprocess })
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
        let Self { config, data, target, run, log, checkpoint, stop } = self;
        let classes = data.classes.len();
        let network = config.model.seeded::<B>(classes, config.seed, device);
        let mut task = Task { network, label_smoothing: config.label_smoothing };
        let optimizer = RunOptimizer::new(Rule::new(&config));
        let mut progress = Progress::new(config.epochs, subject(&config, &data));
        if let Some(checkpoint) = checkpoint {
            (task, progress) = restore(checkpoint, task, &optimizer, device, &run)?;
        }

        let train_loader = loader(&data, &data.train, &config, Some(config.seed));
        let valid_loader = loader(&data, &data.valid, &config, None);
        let batches = train_loader.batches_per_epoch();
        let mut schedule = config.schedule(batches);
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
        records.console.line(&headline(&config, &data, &target, &run, task.num_params()))?;

        let plan = Plan {
            classes,
            schedule: schedule.clone(),
            batches,
            epochs: config.epochs,
            log_interval: config.log_interval,
            clip_grad: config.clip_grad,
            patience: config.patience,
        };
        let session = Arc::new(Mutex::new(Session { progress, records, ending: None, task: None }));
        let (train_cursor, valid_cursor) = (Cursor::default(), Cursor::default());
        let strategy = Strategy {
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
        let Session { progress, records, ending, task } = &mut *session;
        records.console.leave_dashboard()?;
        let ending = ending.take().unwrap_or(Ok(Ending::Interrupted))?;
        if ending == Ending::Interrupted {
            let (done, batch) = (progress.complete(), progress.batch);
            let resume = format!("continue with --resume {}", run.path().display());
            records.console.line(&format!("interrupted after {done} epochs and {batch} batches, saved; {resume}"))?;
            return Ok(ending);
        }
        let last = task.take().map(|task| task.valid());
        let outcome = finish::<B::InnerBackend>(&config, &data, &target, progress, records, last, device)?;
        summarise(&outcome, records)?;
        Ok(ending)
    }
}

/// Puts a checkpoint's state back.
fn restore<B: AutodiffBackend>(
    checkpoint: Checkpoint,
    task: Task<B>,
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
    Ok((task, checkpoint.progress))
}

fn loader(data: &RunData, set: &ImageSet, config: &Config, shuffle: Option<u64>) -> Loader {
    let options = LoaderConfig { batch_size: config.batch_size, shuffle, workers: config.workers };
    Loader::new(&data.name, Arc::new(set.clone()), &data.preprocess, options)
}

fn on_terminal() -> bool {
    std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
}

fn no_terminal(reason: &str) -> Failure {
    Failure::new(Exit::Usage, format!("--dashboard: needs a terminal ({reason}); use --dashboard plain"))
}

/// A dashboard that is asked for by name needs a terminal.
fn check_terminal(name: DashboardName) -> Result<(), Failure> {
    match name {
        DashboardName::Tui | DashboardName::Burn if !on_terminal() => {
            Err(no_terminal("standard input or output is none"))
        }
        _ => Ok(()),
    }
}

/// Who draws the metrics.
enum Renderer {
    Silent,
    Dashboard(Dashboard),
    Burn(TuiMetricsRendererWrapper),
}

impl Renderer {
    /// Starts the one that the option asks for, and says who shows the lines.
    fn start(
        name: DashboardName,
        info: RunInfo,
        stop: &StopRequest,
        interrupter: &Interrupter,
    ) -> Result<(Self, Screen), Failure> {
        match name {
            DashboardName::Plain => Ok((Self::Silent, Screen::Plain)),
            DashboardName::Auto if !on_terminal() => Ok((Self::Silent, Screen::Plain)),
            DashboardName::Off => Ok((Self::Silent, Screen::Off)),
            DashboardName::Burn => {
                Ok((Self::Burn(TuiMetricsRendererWrapper::new(interrupter.clone(), None)), Screen::BurnDashboard))
            }
            DashboardName::Auto | DashboardName::Tui => {
                let dashboard =
                    Dashboard::start(info, stop.clone()).map_err(|error| no_terminal(&error.to_string()))?;
                let feed = dashboard.feed();
                Ok((Self::Dashboard(dashboard), Screen::Dashboard(feed)))
            }
        }
    }
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

/// Tests the last and the best weights where that was not done after each epoch, and writes `result.json`.
fn finish<B: Backend>(
    config: &Config,
    data: &RunData,
    target: &Target,
    progress: &Progress,
    records: &mut Records,
    last: Option<Task<B>>,
    device: &B::Device,
) -> Result<Outcome, Failure> {
    let (Some(row), Some(best), Some(last)) = (progress.rows.last(), progress.best, last) else {
        unreachable!("a complete run has an epoch");
    };
    let network: Network<B> = Weights::read(&records.run.best())?.network(device)?;
    let of_best = Task { network, label_smoothing: 0. };
    let (test_accuracy, test_loss, best_test_accuracy) = if config.valid_split == 0. {
        (row.valid_accuracy, row.valid_loss, progress.rows[best.epoch - 1].valid_accuracy)
    } else {
        let on_last = test(&last, data, config, device)?;
        (on_last.accuracy(), on_last.loss(), test(&of_best, data, config, device)?.accuracy())
    };
    // Now that the test set has been seen, and the number of epochs is final, both files say so.
    write(&records.run.last(), &records.encode(&last.network, row.epoch, Some(test_accuracy))?)?;
    write(&records.run.best(), &records.encode(&of_best.network, best.epoch, Some(best_test_accuracy))?)?;
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
        seed: config.seed,
        model: config.model.name().to_owned(),
        parameters: last.num_params(),
        dataset: data.name.clone(),
        backend: target.backend().to_string(),
        device: target.adapter().to_string(),
    };
    let json = serde_json::to_string_pretty(&outcome).unwrap_or_default();
    write(&records.run.result(), format!("{json}\n").as_bytes())?;
    Ok(outcome)
}

/// Classifies the test set.
fn test<B: Backend>(task: &Task<B>, data: &RunData, config: &Config, device: &B::Device) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    for batch in loader(data, &data.test, config, None).epoch(1, 0) {
        tally.add(&task.step(Batch::new(batch?, device)).tally);
    }
    Ok(tally)
}

fn summarise(outcome: &Outcome, records: &mut Records) -> Result<(), Failure> {
    let Outcome { epochs, best_epoch, test_accuracy, best_test_accuracy, seconds, images_per_second, .. } = outcome;
    records.console.line(&format!(
        "{epochs} epochs in {seconds:.1} s, {images_per_second:.0} images/s; test accuracy {:.2} %, best {:.2} % (epoch \
         {best_epoch}); weights in {}",
        100. * test_accuracy,
        100. * best_test_accuracy,
        records.run.best().display()
    ))
}
