//! Checkpoints: what exact resume needs, written so that a crash at any moment leaves a good one.
//!
//! ```text
//! checkpoints/00003-00000/    3 epochs are complete, and 0 batches of the next one
//!     model.safetensors  optimizer.safetensors  average.safetensors  progress.json  manifest.json
//! ```
//!
//! `model.safetensors` is a weights file as any other, `average.safetensors` too, where averages are kept. The optimizer's
//! tensors have PyTorch's names, `conv1.weight.momentum_buffer`. A checkpoint is written into a folder of another name, each
//! file flushed, the manifest with sizes and SHA-256 sums last; then the folder is renamed and read back, and only then older
//! ones go.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use kiln_cli::sync_folder;
use kiln_model::NamedTensor;
use kiln_model::weights::{Description, decode, encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::progress::Progress;
use crate::optim::optimizer::SavedOptimizer;

const MODEL: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
/// Only where averages are kept.
const AVERAGE: &str = "average.safetensors";
const PROGRESS: &str = "progress.json";
const MANIFEST: &str = "manifest.json";
/// Version of the layout; another one is not read.
const VERSION: u64 = 2;

/// A run's whole state.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The weights.
    pub model: Vec<NamedTensor>,
    /// The optimizer's state.
    pub optimizer: SavedOptimizer,
    /// The averaged weights, if they are kept.
    pub average: Option<Vec<NamedTensor>>,
    /// Everything else.
    pub progress: Progress,
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    version: u64,
    files: BTreeMap<String, FileSum>,
}

#[derive(Serialize, Deserialize, PartialEq)]
struct FileSum {
    size: u64,
    sha256: String,
}

impl FileSum {
    fn of(bytes: &[u8]) -> Self {
        let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { size: bytes.len() as u64, sha256 }
    }
}

/// What `optimizer.safetensors` says besides its tensors.
#[derive(Serialize, Deserialize)]
struct OptimizerEntry {
    steps: BTreeMap<String, usize>,
}

/// Why a checkpoint that is there cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", .path.display())]
pub struct CheckpointError {
    /// The checkpoint, or the folder of them all.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: CheckpointFault,
}

/// What is wrong with a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointFault {
    /// Its bytes are not those that were written.
    #[error("damaged checkpoint: {0}")]
    Damaged(String),
    /// It was written by another version.
    #[error("checkpoint of version {found}, but this build reads version {VERSION}")]
    Version {
        /// The checkpoint's version.
        found: u64,
    },
    /// It is as it was written, but this build cannot read it.
    #[error("checkpoint of another build: {0}")]
    Format(String),
    /// The system refuses.
    #[error("cannot be read: {0}")]
    Read(#[source] io::Error),
}

/// The newest checkpoint that can be used.
#[derive(Debug)]
pub struct NewestCheckpoint {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub checkpoint: Checkpoint,
    /// Newer ones that are damaged.
    pub passed_over: Vec<CheckpointError>,
}

/// The checkpoints of one run.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    keep: usize,
}

impl Checkpoints {
    /// The checkpoints in `folder`, of which the newest `keep` stay.
    pub fn new(folder: PathBuf, keep: usize) -> Self {
        Self { folder, keep }
    }

    /// Writes a checkpoint of weights of which `description` says what they are, and removes those that are no longer kept.
    ///
    /// # Errors
    /// What the system says, with the path; earlier checkpoints are then untouched.
    pub fn save(&self, checkpoint: &Checkpoint, description: &Description) -> Result<(), (PathBuf, io::Error)> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |error| (path, error)
        };
        fs::create_dir_all(&self.folder).map_err(at(&self.folder))?;
        let Progress { batch, .. } = checkpoint.progress;
        let path = self.folder.join(format!("{:05}-{batch:05}", checkpoint.progress.complete()));
        if path.is_dir() {
            // The state at one place of a run is always the same (but for the seconds it took): a whole one stays.
            if verified(&path).is_ok() {
                return Ok(());
            }
            fs::remove_dir_all(&path).map_err(at(&path))?;
        }
        let aside = self.folder.join("incomplete");
        let written = write_aside(&aside, checkpoint, description).and_then(|()| fs::rename(&aside, &path));
        if let Err(error) = written {
            let _ = fs::remove_dir_all(&aside);
            return Err((path, error));
        }
        sync_folder(&self.folder).map_err(at(&self.folder))?;
        verified(&path).map_err(|fault| (path.clone(), io::Error::other(fault.to_string())))?;
        // What claims to be further than the run is damaged, or the run would have begun there: it must not count as one
        // of those that are kept.
        let all = self.newest_first().map_err(at(&self.folder))?;
        let (further, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(|other| place(other) > place(&path));
        for damaged in further {
            let name = damaged.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let aside = self.folder.join(format!("damaged-{name}"));
            let _ = fs::remove_dir_all(&aside);
            fs::rename(&damaged, &aside).map_err(at(&damaged))?;
        }
        for old in kept.into_iter().skip(self.keep) {
            fs::remove_dir_all(&old).map_err(at(&old))?;
        }
        Ok(())
    }

    /// The newest checkpoint; `None` if none was ever written. Damaged ones are passed over for one before them.
    ///
    /// # Errors
    /// If there are some, but all are damaged, or the newest one that is not is of another version, or they cannot be read.
    pub fn newest(&self) -> Result<Option<NewestCheckpoint>, CheckpointError> {
        let unreadable = |error| CheckpointError { path: self.folder.clone(), fault: CheckpointFault::Read(error) };
        let mut passed_over = Vec::new();
        for path in self.newest_first().map_err(unreadable)? {
            match read(&path) {
                Ok(checkpoint) => return Ok(Some(NewestCheckpoint { path, checkpoint, passed_over })),
                Err(fault @ CheckpointFault::Damaged(_)) => passed_over.push(CheckpointError { path, fault }),
                Err(fault) => return Err(CheckpointError { path, fault }),
            }
        }
        match passed_over.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(None),
        }
    }

    fn newest_first(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
        let mut paths: Vec<_> = paths.into_iter().filter(|path| place(path).is_some()).collect();
        paths.sort_by_key(|path| std::cmp::Reverse(place(path)));
        Ok(paths)
    }
}

/// The place in the run that a checkpoint's folder is named after: complete epochs, then batches; `None` for other names.
fn place(folder: &Path) -> Option<(usize, usize)> {
    let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten();
    let (epochs, batches) = folder.file_name()?.to_str()?.split_once('-')?;
    Some((number(epochs)?, number(batches)?))
}

fn write_aside(folder: &Path, checkpoint: &Checkpoint, description: &Description) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir(folder)?;
    let Checkpoint { model, optimizer, average, progress } = checkpoint;
    let file = |tensors: &[NamedTensor], json: String| encode(tensors, Some(json)).map_err(io::Error::other);
    let steps = serde_json::to_string(&OptimizerEntry { steps: optimizer.steps.clone() })?;
    let mut files = vec![
        (MODEL, file(model, description.to_json())?),
        (OPTIMIZER, file(&optimizer.tensors, steps)?),
        (PROGRESS, serde_json::to_vec_pretty(progress)?),
    ];
    if let Some(average) = average {
        files.push((AVERAGE, file(average, description.to_json())?));
    }
    let sums = files.iter().map(|(name, bytes)| ((*name).to_owned(), FileSum::of(bytes))).collect();
    files.push((MANIFEST, serde_json::to_vec_pretty(&Manifest { version: VERSION, files: sums })?));
    for (name, bytes) in files {
        let mut file = fs::File::create_new(folder.join(name))?;
        file.write_all(&bytes)?;
        file.sync_all()?;
    }
    sync_folder(folder)
}

/// The files of a checkpoint, each as the manifest has it.
fn verified(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, CheckpointFault> {
    let bytes = |name: &str| {
        fs::read(folder.join(name)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => CheckpointFault::Damaged(format!("{name} is missing")),
            _ => CheckpointFault::Read(error),
        })
    };
    let damaged = |error: serde_json::Error| CheckpointFault::Damaged(format!("{MANIFEST}: {error}"));
    let manifest: serde_json::Value = serde_json::from_slice(&bytes(MANIFEST)?).map_err(damaged)?;
    // The version comes first: another one may have other fields.
    match manifest.get("version").and_then(serde_json::Value::as_u64) {
        Some(VERSION) => {}
        Some(found) => return Err(CheckpointFault::Version { found }),
        None => return Err(CheckpointFault::Damaged(format!("{MANIFEST} has no version"))),
    }
    let manifest: Manifest = serde_json::from_value(manifest).map_err(damaged)?;
    let file = |(name, sum): (String, FileSum)| {
        let bytes = bytes(&name)?;
        match FileSum::of(&bytes) == sum {
            true => Ok((name, bytes)),
            false => Err(CheckpointFault::Damaged(format!("{name} is not what the manifest says"))),
        }
    };
    manifest.files.into_iter().map(file).collect()
}

/// Reads a checkpoint and verifies it against its manifest.
fn read(folder: &Path) -> Result<Checkpoint, CheckpointFault> {
    let mut files = verified(folder)?;
    let mut take =
        |name: &str| files.remove(name).ok_or_else(|| CheckpointFault::Damaged(format!("no {name} in the manifest")));
    let format = |name: &str, error: String| CheckpointFault::Format(format!("{name}: {error}"));
    let tensors = |name: &str, bytes: &[u8]| decode(bytes).map_err(|error| format(name, error.to_string()));
    let (model, _) = tensors(MODEL, &take(MODEL)?)?;
    let (optimizer, entry) = tensors(OPTIMIZER, &take(OPTIMIZER)?)?;
    let OptimizerEntry { steps } = serde_json::from_str(&entry.unwrap_or_default())
        .map_err(|error| format(OPTIMIZER, format!("its `kiln` entry: {error}")))?;
    let progress = serde_json::from_slice(&take(PROGRESS)?).map_err(|error| format(PROGRESS, error.to_string()))?;
    let average = files.remove(AVERAGE).map(|bytes| tensors(AVERAGE, &bytes)).transpose()?;
    let average = average.map(|(tensors, _)| tensors);
    Ok(Checkpoint { model, optimizer: SavedOptimizer { tensors: optimizer, steps }, average, progress })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_data::Preprocess;
    use kiln_model::weights::{Config, FORMAT, Provenance};

    fn description() -> Description {
        Description {
            architecture: "lecture-cnn".to_owned(),
            classes: Vec::new(),
            config: Config { classes: 0 },
            format: FORMAT,
            preprocess: Preprocess::mnist(),
            temperature: None,
            training: Provenance::default(),
        }
    }

    fn tensor(name: &str, value: f32) -> NamedTensor {
        NamedTensor { name: name.to_owned(), shape: vec![2, 50], values: vec![value; 100] }
    }

    fn checkpoint(epochs: usize, batch: usize) -> Checkpoint {
        let mut progress = Progress::new(5, "test".to_owned(), BTreeMap::new());
        for epoch in 1..=epochs {
            progress.complete_epoch(crate::run_dir::progress::Row {
                epoch,
                train_loss: 1.,
                train_accuracy: 0.5,
                valid_loss: 1.,
                valid_accuracy: 0.5,
                valid_top5: None,
                lr: 0.01,
                seconds: 1.,
                images_per_second: 1.,
            });
        }
        progress.batch = batch;
        let optimizer = SavedOptimizer {
            tensors: vec![tensor("fc.weight.momentum_buffer", batch as f32)],
            steps: BTreeMap::from([("fc.weight".to_owned(), 7)]),
        };
        let average = (epochs > 1).then(|| vec![tensor("fc.weight", 9.)]);
        Checkpoint { model: vec![tensor("fc.weight", epochs as f32)], optimizer, average, progress }
    }

    fn saved(keep: usize, states: &[(usize, usize)]) -> (tempfile::TempDir, Checkpoints) {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(folder.path().join("checkpoints"), keep);
        states.iter().for_each(|&(epochs, batch)| save(&checkpoints, epochs, batch));
        (folder, checkpoints)
    }

    fn save(checkpoints: &Checkpoints, epochs: usize, batch: usize) {
        checkpoints.save(&checkpoint(epochs, batch), &description()).unwrap();
    }

    fn newest(checkpoints: &Checkpoints) -> Option<Checkpoint> {
        let found = checkpoints.newest().unwrap()?;
        assert!(found.passed_over.is_empty(), "{:?}", found.passed_over);
        Some(found.checkpoint)
    }

    fn newest_first(checkpoints: &Checkpoints) -> Vec<PathBuf> {
        checkpoints.newest_first().unwrap()
    }

    #[test]
    fn the_newest_comes_back_and_old_ones_go() {
        let (_folder, checkpoints) = saved(2, &[(1, 0), (1, 40), (2, 0), (2, 7)]);
        assert_eq!(newest(&checkpoints), Some(checkpoint(2, 7)));
        assert_eq!(newest_first(&checkpoints).len(), 2);
        save(&checkpoints, 2, 7); // again at the same place
        assert_eq!(newest(&checkpoints), Some(checkpoint(2, 7)));
    }

    #[test]
    fn a_damaged_one_is_passed_over_for_the_one_before() {
        for file in [MODEL, OPTIMIZER, AVERAGE, PROGRESS, MANIFEST] {
            let cut: fn(&mut Vec<u8>) = |bytes| bytes.truncate(bytes.len() / 2);
            let flip: fn(&mut Vec<u8>) = |bytes| bytes[9] ^= 1;
            for damage in [cut, flip] {
                let (_folder, checkpoints) = saved(2, &[(1, 0), (2, 0)]);
                let path = newest_first(&checkpoints)[0].join(file);
                let mut bytes = fs::read(&path).unwrap();
                damage(&mut bytes);
                fs::write(&path, bytes).unwrap();
                let found = checkpoints.newest().unwrap().unwrap();
                assert_eq!(found.checkpoint, checkpoint(1, 0), "{file}");
                let [fault] = &found.passed_over[..] else { panic!("{:?}", found.passed_over) };
                assert!(fault.to_string().contains("damaged checkpoint"), "{fault}");
            }
        }
    }

    /// None of these is "no checkpoint": a run must not begin again because of them.
    #[test]
    fn what_cannot_be_used_is_an_error_that_says_why() {
        let change = |file: &str, from: &str, to: &str| {
            let (folder, checkpoints) = saved(2, &[(1, 0), (2, 0)]);
            for path in newest_first(&checkpoints) {
                let text = fs::read_to_string(path.join(file)).unwrap();
                assert!(text.contains(from), "{text}");
                let text = text.replace(from, to);
                fs::write(path.join(file), &text).unwrap();
                if file != MANIFEST {
                    // As another build would have written it: the sums are right.
                    let manifest = fs::read(path.join(MANIFEST)).unwrap();
                    let mut manifest: Manifest = serde_json::from_slice(&manifest).unwrap();
                    manifest.files.insert(file.to_owned(), FileSum::of(text.as_bytes()));
                    fs::write(path.join(MANIFEST), serde_json::to_vec(&manifest).unwrap()).unwrap();
                }
            }
            let error = checkpoints.newest().unwrap_err().to_string();
            drop(folder);
            error
        };
        let version = change(MANIFEST, "\"version\": 2", "\"version\": 3");
        assert!(version.contains("version 3, but this build reads version 2"), "{version}");
        let field = change(PROGRESS, "\"iteration\"", "\"iterations\"");
        assert!(field.contains("another build: progress.json"), "{field}");
        let damaged = change(MANIFEST, "sha256\": \"", "sha256\": \"0");
        assert!(damaged.contains("00002-00000: damaged checkpoint"), "{damaged}");
        // A file in the place of the folder: the system refuses to list it.
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("checkpoints"), "").unwrap();
        let refused = Checkpoints::new(folder.path().join("checkpoints"), 1).newest().unwrap_err().to_string();
        assert!(refused.contains("checkpoints: cannot be read"), "{refused}");
    }

    #[test]
    fn a_damaged_one_ahead_does_not_push_out_the_one_just_written() {
        let (_folder, checkpoints) = saved(1, &[(3, 0)]);
        fs::write(newest_first(&checkpoints)[0].join(MODEL), "torn").unwrap();
        save(&checkpoints, 1, 71);
        assert_eq!(newest(&checkpoints), Some(checkpoint(1, 71)));
        assert!(checkpoints.folder.join("damaged-00003-00000").is_dir(), "it is not thrown away");
    }

    #[test]
    fn what_a_crash_left_unfinished_is_ignored_and_replaced() {
        let (_folder, checkpoints) = saved(2, &[(1, 0)]);
        fs::create_dir(checkpoints.folder.join("incomplete")).unwrap();
        fs::write(checkpoints.folder.join("incomplete").join(MODEL), "half").unwrap();
        assert_eq!(newest(&checkpoints), Some(checkpoint(1, 0)));
        save(&checkpoints, 2, 0);
        assert_eq!(newest(&checkpoints), Some(checkpoint(2, 0)));
    }

    #[test]
    fn a_failed_save_keeps_what_was_there() {
        let (_folder, checkpoints) = saved(1, &[(1, 0)]);
        // A file in the way of the folder aside: nothing can be written into it.
        fs::write(checkpoints.folder.join("incomplete"), "in the way").unwrap();
        assert!(checkpoints.save(&checkpoint(2, 0), &description()).is_err());
        assert_eq!(newest(&checkpoints), Some(checkpoint(1, 0)));
    }

    #[test]
    fn no_folder_is_no_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(newest(&Checkpoints::new(folder.path().join("none"), 1)), None);
    }
}
