//! Checkpoints: what exact resume needs, written so that a crash at any moment leaves a good one.
//!
//! ```text
//! checkpoints/00003-00000/    3 epochs are complete, and 0 batches of the next one
//!     model.mpk  optimizer.mpk  average.mpk  progress.json  manifest.json
//! ```
//!
//! A checkpoint is written into a folder of another name, each file flushed, the manifest with sizes and SHA-256 sums
//! last; then the folder is renamed and read back, and only then older ones go.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use kiln_cli::sync_folder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::progress::Progress;

const MODEL: &str = "model.mpk";
const OPTIMIZER: &str = "optimizer.mpk";
/// Only where averages are kept.
const AVERAGE: &str = "average.mpk";
const PROGRESS: &str = "progress.json";
const MANIFEST: &str = "manifest.json";
/// Version of the layout; another one is not read.
const VERSION: u32 = 1;

/// A run's whole state.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The weights with their identities, as Burn records them.
    pub model: Vec<u8>,
    /// The optimizer's state, as Burn records it.
    pub optimizer: Vec<u8>,
    /// The averaged weights, if they are kept, as Burn records them.
    pub average: Option<Vec<u8>>,
    /// Everything else.
    pub progress: Progress,
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    version: u32,
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

    /// Writes a checkpoint, and removes those that are no longer kept.
    ///
    /// # Errors
    /// What the system says, with the path; earlier checkpoints are then untouched.
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<(), (PathBuf, io::Error)> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |error| (path, error)
        };
        fs::create_dir_all(&self.folder).map_err(at(&self.folder))?;
        let Progress { batch, .. } = checkpoint.progress;
        let path = self.folder.join(format!("{:05}-{batch:05}", checkpoint.progress.complete()));
        if path.is_dir() {
            // The state at one place of a run is always the same (but for the seconds it took): a whole one stays.
            if read(&path).is_ok() {
                return Ok(());
            }
            fs::remove_dir_all(&path).map_err(at(&path))?;
        }
        let aside = self.folder.join("incomplete");
        let written = write_aside(&aside, checkpoint).and_then(|()| fs::rename(&aside, &path));
        if let Err(error) = written {
            let _ = fs::remove_dir_all(&aside);
            return Err((path, error));
        }
        sync_folder(&self.folder).map_err(at(&self.folder))?;
        read(&path).map_err(|reason| (path.clone(), io::Error::other(reason)))?;
        // What claims to be further than the run is damaged, or the run would have begun there: it must not count as one
        // of those that are kept.
        let (further, kept): (Vec<_>, Vec<_>) =
            self.newest_first().into_iter().partition(|other| place(other) > place(&path));
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

    /// The newest checkpoint that is whole, and what was wrong with newer ones.
    pub fn newest(&self) -> (Option<Checkpoint>, Vec<String>) {
        let mut faults = Vec::new();
        for path in self.newest_first() {
            match read(&path) {
                Ok(checkpoint) => return (Some(checkpoint), faults),
                Err(reason) => faults.push(format!("{}: damaged checkpoint: {reason}", path.display())),
            }
        }
        (None, faults)
    }

    fn newest_first(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut paths: Vec<_> = entries.filter(|path| place(path).is_some()).collect();
        paths.sort_by_key(|path| std::cmp::Reverse(place(path)));
        paths
    }
}

/// The place in the run that a checkpoint's folder is named after: complete epochs, then batches; `None` for other names.
fn place(folder: &Path) -> Option<(usize, usize)> {
    let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten();
    let (epochs, batches) = folder.file_name()?.to_str()?.split_once('-')?;
    Some((number(epochs)?, number(batches)?))
}

fn write_aside(folder: &Path, checkpoint: &Checkpoint) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir(folder)?;
    let progress = serde_json::to_vec_pretty(&checkpoint.progress)?;
    let mut files = vec![(MODEL, &checkpoint.model), (OPTIMIZER, &checkpoint.optimizer), (PROGRESS, &progress)];
    files.extend(checkpoint.average.as_ref().map(|average| (AVERAGE, average)));
    let sums = files.iter().map(|(name, bytes)| ((*name).to_owned(), FileSum::of(bytes))).collect();
    let manifest = serde_json::to_vec_pretty(&Manifest { version: VERSION, files: sums })?;
    for (name, bytes) in files.into_iter().chain([(MANIFEST, &manifest)]) {
        let mut file = fs::File::create_new(folder.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()?;
    }
    sync_folder(folder)
}

/// Reads a checkpoint and verifies it against its manifest.
fn read(folder: &Path) -> Result<Checkpoint, String> {
    let bytes = |name: &str| fs::read(folder.join(name)).map_err(|error| format!("{name}: {error}"));
    let manifest: Manifest =
        serde_json::from_slice(&bytes(MANIFEST)?).map_err(|error| format!("{MANIFEST}: {error}"))?;
    if manifest.version != VERSION {
        return Err(format!("version {}, but this build reads version {VERSION}", manifest.version));
    }
    let verified = |name: &str| {
        let bytes = bytes(name)?;
        match manifest.files.get(name) {
            Some(sum) if *sum == FileSum::of(&bytes) => Ok(bytes),
            _ => Err(format!("{name} is not what the manifest says")),
        }
    };
    let progress = serde_json::from_slice(&verified(PROGRESS)?).map_err(|error| format!("{PROGRESS}: {error}"))?;
    let average = manifest.files.contains_key(AVERAGE).then(|| verified(AVERAGE)).transpose()?;
    Ok(Checkpoint { model: verified(MODEL)?, optimizer: verified(OPTIMIZER)?, average, progress })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(epochs: usize, batch: usize) -> Checkpoint {
        let mut progress = Progress::new(5, "test".to_owned());
        for epoch in 1..=epochs {
            progress.complete_epoch(crate::progress::Row {
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
        let average = (epochs > 1).then(|| vec![9; 300]);
        Checkpoint { model: vec![epochs as u8; 1000], optimizer: vec![batch as u8; 500], average, progress }
    }

    fn saved(keep: usize, states: &[(usize, usize)]) -> (tempfile::TempDir, Checkpoints) {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(folder.path().join("checkpoints"), keep);
        states.iter().for_each(|&(epochs, batch)| checkpoints.save(&checkpoint(epochs, batch)).unwrap());
        (folder, checkpoints)
    }

    #[test]
    fn the_newest_comes_back_and_old_ones_go() {
        let (_folder, checkpoints) = saved(2, &[(1, 0), (1, 40), (2, 0), (2, 7)]);
        assert_eq!(checkpoints.newest(), (Some(checkpoint(2, 7)), vec![]));
        assert_eq!(checkpoints.newest_first().len(), 2);
        checkpoints.save(&checkpoint(2, 7)).unwrap(); // again at the same place
        assert_eq!(checkpoints.newest().0, Some(checkpoint(2, 7)));
    }

    #[test]
    fn a_damaged_one_is_passed_over_for_the_one_before() {
        for file in [MODEL, OPTIMIZER, AVERAGE, PROGRESS, MANIFEST] {
            let cut: fn(&mut Vec<u8>) = |bytes| bytes.truncate(bytes.len() / 2);
            let flip: fn(&mut Vec<u8>) = |bytes| bytes[9] ^= 1;
            for damage in [cut, flip] {
                let (_folder, checkpoints) = saved(2, &[(1, 0), (2, 0)]);
                let path = checkpoints.newest_first()[0].join(file);
                let mut bytes = fs::read(&path).unwrap();
                damage(&mut bytes);
                fs::write(&path, bytes).unwrap();
                let (found, faults) = checkpoints.newest();
                assert_eq!(found, Some(checkpoint(1, 0)), "{file}");
                assert!(faults.len() == 1 && faults[0].contains("damaged checkpoint"), "{faults:?}");
            }
        }
    }

    #[test]
    fn a_damaged_one_ahead_does_not_push_out_the_one_just_written() {
        let (_folder, checkpoints) = saved(1, &[(3, 0)]);
        fs::write(checkpoints.newest_first()[0].join(MODEL), "torn").unwrap();
        checkpoints.save(&checkpoint(1, 71)).unwrap();
        assert_eq!(checkpoints.newest(), (Some(checkpoint(1, 71)), vec![]));
        assert!(checkpoints.folder.join("damaged-00003-00000").is_dir(), "it is not thrown away");
    }

    #[test]
    fn what_a_crash_left_unfinished_is_ignored_and_replaced() {
        let (_folder, checkpoints) = saved(2, &[(1, 0)]);
        fs::create_dir(checkpoints.folder.join("incomplete")).unwrap();
        fs::write(checkpoints.folder.join("incomplete").join(MODEL), "half").unwrap();
        assert_eq!(checkpoints.newest(), (Some(checkpoint(1, 0)), vec![]));
        checkpoints.save(&checkpoint(2, 0)).unwrap();
        assert_eq!(checkpoints.newest(), (Some(checkpoint(2, 0)), vec![]));
    }

    #[test]
    fn a_failed_save_keeps_what_was_there() {
        let (_folder, checkpoints) = saved(1, &[(1, 0)]);
        // A file in the way of the folder aside: nothing can be written into it.
        fs::write(checkpoints.folder.join("incomplete"), "in the way").unwrap();
        assert!(checkpoints.save(&checkpoint(2, 0)).is_err());
        assert_eq!(checkpoints.newest(), (Some(checkpoint(1, 0)), vec![]));
    }

    #[test]
    fn no_folder_is_no_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Checkpoints::new(folder.path().join("none"), 1).newest(), (None, vec![]));
    }
}
