//! Folders of pictures, one folder a class, and tables of paths and classes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::files::Files;
use crate::named::{Splits, folder_name};
use crate::{DataError, ImageSet};

/// What a folder of training pictures and those beside it are called.
const TRAIN: [&str; 2] = ["train", "training"];
const VALID: [&str; 3] = ["val", "valid", "validation"];
const TEST: [&str; 1] = ["test"];

/// Endings of files that are taken for pictures, in any case.
const ENDINGS: [&str; 6] = ["png", "jpg", "jpeg", "bmp", "webp", "gif"];

/// Where nothing says which pictures are to test on: one of so many, chosen by this seed alone, so that all runs have the
/// same.
const TEST_SHARE: usize = 5;
const TEST_SEED: u64 = 0;

/// More classes than this are labels of something else.
const MOST_CLASSES: usize = 10_000;

/// Pictures that are found, each with its class's name.
#[derive(Default)]
struct Found {
    pictures: Vec<(PathBuf, String)>,
    /// What could not be looked at, with the reason.
    unreadable: BTreeMap<PathBuf, String>,
}

impl Splits {
    /// Pictures in a folder: in `train` and `val` (and `test`) in it, or, without these, in the folder itself, of whose
    /// pictures every fifth is to test on. The folders of a part are its classes, in the order of their names; pictures may
    /// lie deeper. Names that begin with a dot are passed over.
    pub(crate) fn from_class_folders(folder: &Path, skip_unreadable: bool) -> Result<Self, DataError> {
        let part = |names: &[&str]| {
            let mut parts: Vec<_> = folders(folder).filter(|path| is_called(path, names)).collect();
            parts.sort();
            parts.into_iter().next()
        };
        let train_folder = part(&TRAIN);
        if let (None, Some(found)) = (&train_folder, part(&[&VALID[..], &TEST].concat())) {
            return Err(DataError::NoTraining { found });
        }
        let find = |part: &Path| find(folder, part, skip_unreadable);
        let train = find(train_folder.as_deref().unwrap_or(folder))?;
        let [valid, test] = match train_folder {
            Some(_) => [part(&VALID), part(&TEST)].map(|path| path.map(|path| find(&path)).transpose()),
            None => [Ok(None), Ok(None)],
        };
        Parts { name: folder_name(folder), given: folder, folder, train, valid: valid?, test: test? }.splits()
    }

    /// Pictures that a table lists: its first line names the columns, `path` (from the table's folder on) and `label` (the
    /// class's name), and `split` (`train`, `val` or `test`) if it has that. Without it every fifth picture is to test on.
    pub(crate) fn from_table(path: &Path) -> Result<Self, DataError> {
        #[derive(serde::Deserialize)]
        struct Row {
            path: PathBuf,
            label: String,
            #[serde(default)]
            split: Option<String>,
        }
        let damaged = |reason: String| DataError::Table { path: path.to_owned(), reason };
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(|e| damaged(e.to_string()))?;
        let [mut train, mut valid, mut test] = [Found::default(), Found::default(), Found::default()];
        for (row, line) in reader.deserialize().zip(2..) {
            let Row { path, label, split } = row.map_err(|error: csv::Error| damaged(error.to_string()))?;
            if label.is_empty() || path.as_os_str().is_empty() {
                return Err(damaged(format!("line {line}: a path or label is missing")));
            }
            let part = match split.as_deref() {
                None | Some("") => &mut train,
                Some(name) if TRAIN.contains(&name) => &mut train,
                Some(name) if VALID.contains(&name) => &mut valid,
                Some(name) if TEST.contains(&name) => &mut test,
                Some(name) => return Err(damaged(format!("line {line}: split `{name}`, expected train, val or test"))),
            };
            part.pictures.push((path, label));
        }
        let given = |part: Found| (!part.pictures.is_empty()).then_some(part);
        let folder = path.parent().unwrap_or(Path::new(""));
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Parts { name, given: path, folder, train, valid: given(valid), test: given(test) }.splits()
    }
}

/// The folders in a folder.
fn folders(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir())
}

/// Whether the last part of a path is one of these names, in any case.
fn is_called(path: &Path, names: &[&str]) -> bool {
    path.file_name().is_some_and(|found| names.iter().any(|name| found.eq_ignore_ascii_case(name)))
}

/// The parts of a dataset whose classes have only names yet.
struct Parts<'a> {
    name: String,
    /// What the user named.
    given: &'a Path,
    /// What the paths of pictures start from.
    folder: &'a Path,
    train: Found,
    valid: Option<Found>,
    test: Option<Found>,
}

impl Parts<'_> {
    fn splits(self) -> Result<Splits, DataError> {
        let Self { name, given, folder, train, valid, test } = self;
        let classes: BTreeSet<_> = train.pictures.iter().map(|(_, class)| class.clone()).collect();
        let classes: Vec<_> = classes.into_iter().collect();
        if classes.len() < 2 {
            return Err(DataError::Classes { path: given.to_owned(), found: classes.first().cloned() });
        }
        if classes.len() > MOST_CLASSES {
            return Err(DataError::TooManyClasses { path: given.to_owned(), found: classes.len(), most: MOST_CLASSES });
        }
        let set = |part: Found| part.into_set(&name, folder, &classes);
        let train = set(train)?;
        let (valid, test) = (valid.map(set).transpose()?, test.map(set).transpose()?);
        let (train, valid, test) = match (valid, test) {
            (valid, Some(test)) => (train, valid, test),
            // As torchvision's scripts have it.
            (Some(valid), None) => (train, None, valid),
            (None, None) => {
                let count = (burn_dataset::Dataset::len(&train) / TEST_SHARE).max(1);
                let (train, test) = train.split(count, TEST_SEED)?;
                (train, None, test)
            }
        };
        Ok(Splits { name, train, valid, test, classes, preprocess: None })
    }
}

impl Found {
    fn into_set(self, name: &str, folder: &Path, classes: &[String]) -> Result<ImageSet, DataError> {
        let Self { pictures, unreadable } = self;
        let (mut paths, mut labels) = (Vec::with_capacity(pictures.len()), Vec::with_capacity(pictures.len()));
        for (path, class) in pictures {
            let Ok(label) = classes.binary_search(&class) else {
                return Err(DataError::UnknownClass { path: folder.join(path), class });
            };
            paths.push(path);
            labels.push(label as u32);
        }
        if paths.is_empty() {
            return Err(DataError::NoPictures { folder: folder.to_owned(), endings: ENDINGS.join(", ") });
        }
        Ok(ImageSet::in_files(name, Files::new(folder.to_owned(), paths, unreadable), labels))
    }
}

/// The pictures in the folders of `part`, which lies in `folder`, in the order of their paths. Other file systems that are
/// mounted below are not searched.
fn find(folder: &Path, part: &Path, skip_unreadable: bool) -> Result<Found, DataError> {
    let mut found = Found::default();
    let hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
    let walk =
        WalkDir::new(part).min_depth(1).follow_links(true).same_file_system(true).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(|entry| entry.depth() == 0 || !hidden(entry.file_name())) {
        let entry = match entry {
            Ok(entry) => entry,
            // A link that leads nowhere or to a folder above.
            Err(error) => {
                let path = error.path().unwrap_or(part).to_owned();
                if error.depth() == 1 && path.is_dir() && !skip_unreadable {
                    return Err(DataError::UnreadableClass { path, reason: error.to_string() });
                }
                found.unreadable.insert(path, error.to_string());
                continue;
            }
        };
        let ending = entry.path().extension().and_then(|ending| ending.to_str()).map(str::to_lowercase);
        let is_picture = ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()));
        if entry.depth() < 2 || !is_picture || !entry.file_type().is_file() {
            continue;
        }
        let within = entry.path().strip_prefix(part).unwrap_or(entry.path());
        let class = within.iter().next().unwrap_or_default().to_string_lossy().into_owned();
        let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        found.pictures.push((path.to_owned(), class));
    }
    if found.pictures.is_empty() {
        return Err(DataError::NoPictures { folder: part.to_owned(), endings: ENDINGS.join(", ") });
    }
    Ok(found)
}
