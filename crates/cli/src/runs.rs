//! Runs on the disk: `<output>/<name>/` with fixed file names, and `<output>/latest`, the newest run's name.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::{Exit, Failure, write_file};

/// The file beside the runs that names the newest.
const LATEST: &str = "latest";

/// The folder of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run's name.
    pub fn name(&self) -> String {
        let full = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        full.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Makes this the newest run of its folder of runs.
    ///
    /// # Errors
    /// If `latest` cannot be written.
    pub fn set_latest(&self) -> Result<(), Failure> {
        let path = self.path.with_file_name(LATEST);
        write_file(&path, format!("{}\n", self.name()).as_bytes())
    }

    /// Every option, resolved.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// One row an epoch.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.csv")
    }

    /// How the run ended.
    pub fn result(&self) -> PathBuf {
        self.path.join("result.json")
    }

    /// The run on a page.
    pub fn report(&self) -> PathBuf {
        self.path.join("report.html")
    }

    /// Weights of the best epoch.
    pub fn best(&self) -> PathBuf {
        self.path.join("best.safetensors")
    }

    /// Weights of the last epoch.
    pub fn last(&self) -> PathBuf {
        self.path.join("last.safetensors")
    }

    /// What exact resume needs.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// What was printed.
    pub fn log(&self) -> PathBuf {
        self.path.join("train.log")
    }
}

/// The folder of a run that has just been made and is not yet kept: a program that ends at once removes it.
static UNKEPT: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Removes the folder of a run that has just been made, if there is one that is not yet kept. For a program that ends at once,
/// without dropping what it has.
pub fn remove_unkept_run() {
    let unkept = UNKEPT.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(folder) = unkept {
        let _ = fs::remove_dir_all(folder);
    }
}

/// The folder of a run that has just been made, which goes again unless something comes of the run.
#[derive(Debug)]
pub struct NewRun {
    folder: RunFolder,
    kept: bool,
}

impl NewRun {
    /// The folder.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Leaves it there.
    pub fn keep(mut self) -> RunFolder {
        self.kept = true;
        UNKEPT.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.folder.clone()
    }
}

impl Drop for NewRun {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_dir_all(&self.folder.path);
        }
    }
}

/// A folder of runs.
#[derive(Clone, Debug)]
pub struct Runs {
    output: PathBuf,
}

impl Runs {
    /// The runs under `output`, usually `runs`.
    pub fn new(output: impl Into<PathBuf>) -> Self {
        Self { output: output.into() }
    }

    fn folder(&self, name: &str) -> RunFolder {
        RunFolder { path: self.output.join(name) }
    }

    /// Makes a new run's folder: `name`, or the first free `<stem>-<NNN>`. An existing one is never touched.
    ///
    /// # Errors
    /// If the name is taken or not a plain file name, or the folder cannot be made.
    pub fn create(&self, name: Option<&str>, stem: &str) -> Result<NewRun, Failure> {
        let new = |folder: RunFolder| {
            *UNKEPT.lock().unwrap_or_else(PoisonError::into_inner) = Some(folder.path.clone());
            NewRun { folder, kept: false }
        };
        fs::create_dir_all(&self.output).map_err(|error| Failure::write(&self.output, &error))?;
        if let Some(name) = name {
            check_name(name)?;
            let run = self.folder(name);
            return match fs::create_dir(&run.path) {
                Ok(()) => Ok(new(run)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    let path = run.path.display();
                    let what =
                        format!("{path}: exists already; choose another --name, or continue it with --resume {name}");
                    Err(Failure::new(Exit::Usage, what))
                }
                Err(error) => Err(Failure::write(&run.path, &error)),
            };
        }
        let mut number = 1;
        loop {
            let run = self.folder(&format!("{stem}-{number:03}"));
            match fs::create_dir(&run.path) {
                Ok(()) => return Ok(new(run)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(Failure::write(&run.path, &error)),
            }
        }
    }

    /// The newest run, if there is one: the one that `latest` names, or else the one that was begun last.
    pub fn latest(&self) -> Option<RunFolder> {
        self.named_latest().or_else(|| self.begun_last())
    }

    fn named_latest(&self) -> Option<RunFolder> {
        let named = fs::read_to_string(self.output.join(LATEST)).unwrap_or_default();
        let named = check_name(named.trim()).ok().map(|()| self.folder(named.trim()));
        named.filter(|run| run.path.is_dir())
    }

    /// The newest run that has weights, and the newer ones that have none yet.
    pub fn latest_with_weights(&self) -> (Option<RunFolder>, Vec<RunFolder>) {
        let newest = self.latest();
        let others = self.newest_first().into_iter().filter(|run| Some(run) != newest.as_ref());
        let mut without = Vec::new();
        for run in newest.clone().into_iter().chain(others) {
            if run.best().exists() {
                return (Some(run), without);
            }
            without.push(run);
        }
        (None, without)
    }

    fn begun_last(&self) -> Option<RunFolder> {
        self.newest_first().into_iter().next()
    }

    /// All runs, the one that was begun last first.
    fn newest_first(&self) -> Vec<RunFolder> {
        let entries = fs::read_dir(&self.output).into_iter().flatten().flatten();
        let begun = |run: &RunFolder| fs::metadata(run.config()).and_then(|config| config.modified()).ok();
        let runs = entries.map(|entry| RunFolder { path: entry.path() });
        let mut runs: Vec<_> = runs.filter_map(|run| Some((begun(&run)?, run.name(), run))).collect();
        runs.sort_by(|(begun, name, _), (other_begun, other_name, _)| (other_begun, other_name).cmp(&(begun, name)));
        runs.into_iter().map(|(.., run)| run).collect()
    }

    /// A run by its path, or by its name under this folder. `latest` is the run that this file names.
    pub fn find(&self, run: &str) -> Option<RunFolder> {
        [PathBuf::from(run), self.output.join(run)]
            .into_iter()
            .find_map(|path| {
                if path.is_dir() {
                    return Some(path);
                }
                // A file called `latest` beside the run that it names.
                let folder = path.parent().filter(|_| path.file_name().is_some_and(|name| name == LATEST))?;
                Runs::new(folder).named_latest().map(|run| run.path)
            })
            // `.` has a name only as a whole path.
            .map(|path| if path.file_name().is_none() { path.canonicalize().unwrap_or(path) } else { path })
            .map(|path| RunFolder { path })
    }
}

fn check_name(name: &str) -> Result<(), Failure> {
    let plain = Path::new(name).components().count() == 1 && !name.contains(['/', '\\']) && !name.starts_with('.');
    if plain && name != LATEST && !name.contains(char::is_control) {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, format!("--name {name}: expected a plain name for a folder, other than `latest`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_up_and_never_reused() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::new(folder.path().join("runs"));
        assert_eq!(runs.latest(), None);
        let first = runs.create(None, "lecture-cnn-mnist").unwrap().keep();
        assert_eq!(first.name(), "lecture-cnn-mnist-001");
        assert_eq!(runs.create(None, "lecture-cnn-mnist").unwrap().keep().name(), "lecture-cnn-mnist-002");
        drop(runs.create(None, "lecture-cnn-mnist").unwrap());
        assert_eq!(runs.find("lecture-cnn-mnist-003"), None, "nothing came of it");
        let unkept = runs.create(None, "lecture-cnn-mnist").unwrap();
        remove_unkept_run();
        assert!(!unkept.folder().path().exists() && first.path().exists(), "only what is not kept goes");
        drop(unkept);
        let taken = runs.create(Some("lecture-cnn-mnist-001"), "x").unwrap_err();
        assert_eq!(taken.exit, Exit::Usage);
        first.set_latest().unwrap();
        assert_eq!(runs.latest(), Some(first.clone()));
        // A name that leads nowhere: the run that was begun last, not none.
        fs::write(folder.path().join("runs/latest"), "gone\n").unwrap();
        fs::write(first.config(), "").unwrap();
        assert_eq!(runs.latest(), Some(first.clone()));
        assert_eq!(runs.find("lecture-cnn-mnist-001"), Some(first.clone()));
        assert_eq!(runs.find(first.path().to_str().unwrap()), Some(first));
        assert_eq!(runs.find("nothing"), None);
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a/b", "..", ".hidden", "", "latest", "a\nb"] {
            assert_eq!(Runs::new(folder.path()).create(Some(name), "x").unwrap_err().exit, Exit::Usage, "{name}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_output_failure() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(Runs::new(file.join("runs")).create(None, "x").unwrap_err().exit, Exit::Output);
    }
}
