//! The datasets that have a name, and where their files are looked for.

use std::path::{Path, PathBuf};

use crate::cifar::{CIFAR, Cifar};
use crate::preprocess::{Filter, Polarity, Resize, ResizeMode};
use crate::{DataError, ImageSet, Preprocess, idx};

/// A dataset ready for training and testing.
#[derive(Clone, Debug)]
pub struct Splits {
    /// The name under which runs and weights mention it.
    pub name: String,
    /// Images to learn from.
    pub train: ImageSet,
    /// Images to choose the best epoch by, where the dataset says which.
    pub valid: Option<ImageSet>,
    /// Images to test on.
    pub test: ImageSet,
    /// Names of the classes, by index.
    pub classes: Vec<String>,
    /// How an image becomes a network's input, where all images are alike; otherwise the network decides.
    pub preprocess: Option<Preprocess>,
}

/// Where a dataset may come from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The first folder to look in, if given; downloads go to a folder in it named like the dataset.
    pub data_dir: Option<PathBuf>,
    /// Opens no socket.
    pub offline: bool,
    /// Leaves out classes whose folder cannot be read, instead of failing.
    pub skip_unreadable: bool,
}

/// Whether this is the name of a dataset, and not a path.
pub fn is_named(dataset: &str) -> bool {
    NAMED.iter().any(|(name, _)| *name == dataset) || CIFAR.iter().any(|cifar| cifar.name == dataset)
}

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
/// <https://github.com/zalandoresearch/fashion-mnist#labels>
const CLOTHES: [&str; 10] =
    ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];
/// <http://codh.rois.ac.jp/kmnist/index.html.en>
const KANA: [&str; 10] = ["お", "き", "す", "つ", "な", "は", "ま", "や", "れ", "を"];

/// Name and classes.
const NAMED: [(&str, [&str; 10]); 3] = [("mnist", DIGITS), ("fashion-mnist", CLOTHES), ("kmnist", KANA)];

impl Splits {
    /// Loads a dataset by name (`mnist`, `fashion-mnist`, `kmnist`, `cifar10`, `cifar100`), or by the path of a folder of
    /// pictures with a folder for each class, of a CSV file that lists pictures, or of a folder of IDX files.
    ///
    /// A name is looked for in `data_dir/<name>` and `data_dir` if given, then in `assets/<name>` from the current folder
    /// upward, then in the user's cache folder. Found nowhere, it is downloaded to `data_dir/<name>` or else the cache folder,
    /// unless `offline`.
    ///
    /// # Errors
    /// If it is not there, or a file is damaged.
    pub fn load(dataset: &str, source: &Source) -> Result<Self, DataError> {
        if let Some((name, classes)) = NAMED.iter().find(|(name, _)| *name == dataset) {
            return Self::from_idx_folder(&locate(name, source, is_idx)?, (*name).to_owned(), Some(classes));
        }
        if let Some(cifar) = CIFAR.iter().find(|cifar| cifar.name == dataset) {
            let folder = locate(cifar.name, source, |folder| cifar_folder(cifar, folder).is_some())?;
            return cifar.read(&cifar_folder(cifar, &folder).unwrap_or(folder));
        }
        let path = Path::new(dataset);
        if path.is_file() {
            return Self::from_table(path);
        }
        if !path.is_dir() {
            return Err(DataError::Unknown { name: dataset.to_owned() });
        }
        if let Some((cifar, folder)) = CIFAR.iter().find_map(|cifar| Some((cifar, cifar_folder(cifar, path)?))) {
            return cifar.read(&folder);
        }
        if TRAIN.iter().chain(&TEST).any(|file| idx::find(path, file).is_ok()) {
            return Self::from_idx_folder(path, folder_name(path), None);
        }
        Self::from_class_folders(path, source.skip_unreadable)
    }

    fn from_idx_folder(folder: &Path, name: String, class_names: Option<&[&str]>) -> Result<Self, DataError> {
        let read = |images: &str, labels: &str| {
            let (images, labels) = (idx::find(folder, images)?, idx::find(folder, labels)?);
            Ok((ImageSet::from_idx(&name, &images, &labels)?, images, labels))
        };
        let (train, _, train_labels) = read(TRAIN[0], TRAIN[1])?;
        let (test, test_images, test_labels) = read(TEST[0], TEST[1])?;
        if let (Some(found), Some(expected)) = (test.shape(), train.shape())
            && found != expected
        {
            return Err(DataError::SizeMismatch { path: test_images, found, expected });
        }
        let classes: Vec<String> = match class_names {
            Some(names) => names.iter().map(|&class| class.to_owned()).collect(),
            None => (0..=train.largest_label()).map(|label| label.to_string()).collect(),
        };
        for (set, path) in [(&train, train_labels), (&test, test_labels)] {
            if let Some((place, label)) = set.label_beyond(classes.len()) {
                return Err(DataError::Label { path, offset: 8 + place as u64, label, classes: classes.len() });
            }
        }
        let preprocess = Some(preprocess(&name, &train));
        Ok(Self { name, train, valid: None, test, classes, preprocess })
    }
}

/// The lecture's figures for MNIST; every other dataset's mean and deviation are computed from its training images.
fn preprocess(name: &str, train: &ImageSet) -> Preprocess {
    let [channels, height, width] = train.shape().unwrap_or_default();
    let (mean, std) = train.mean_and_std();
    let (mode, polarity) = match name {
        "mnist" => return Preprocess::mnist(),
        "kmnist" => (ResizeMode::Pad, Polarity::Auto),
        _ => (ResizeMode::Pad, Polarity::InkIsLight),
    };
    let resize = Resize { filter: Filter::Bilinear, mode, resize_to: None };
    Preprocess { channels, height, mean, polarity, resize, std, width }
}

const TRAIN: [&str; 2] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"];
const TEST: [&str; 2] = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// The last part of a path, as a dataset's name in runs and weights.
pub(crate) fn folder_name(folder: &Path) -> String {
    let full = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    full.file_name().map_or_else(|| "folder".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Finds a named dataset's folder, or fetches it into the last place where it was looked for.
fn locate(name: &str, source: &Source, is_complete: impl Fn(&Path) -> bool) -> Result<PathBuf, DataError> {
    let here = std::env::current_dir().unwrap_or_default();
    let assets = || here.ancestors().map(|folder| folder.join("assets").join(name));
    let cached = crate::cache_dir().map(|cache| cache.join(name));
    // A folder of datasets, or of this one's files.
    let named = source.data_dir.iter().flat_map(|folder| [folder.join(name), folder.clone()]);
    let places = named.chain(assets()).chain(cached.clone());
    if let Some(found) = places.into_iter().find(|folder| is_complete(folder)) {
        return Ok(found);
    }
    let nearest = assets().next();
    let looked = source.data_dir.clone().into_iter().chain(nearest).chain(cached.clone()).collect();
    match source.data_dir.as_ref().map(|folder| folder.join(name)).or(cached) {
        Some(folder) if !source.offline && cfg!(feature = "download") => fetch(name, folder),
        _ => Err(DataError::Missing { dataset: name.to_owned(), looked }),
    }
}

/// The folder of CIFAR's files, which may be the one that the archive unpacks to.
fn cifar_folder(cifar: &Cifar, folder: &Path) -> Option<PathBuf> {
    [folder.to_owned(), folder.join(cifar.folder)].into_iter().find(|folder| cifar.is_in(folder))
}

fn is_idx(folder: &Path) -> bool {
    TRAIN.iter().chain(&TEST).all(|file| idx::find(folder, file).is_ok())
}

#[cfg(feature = "download")]
fn fetch(name: &str, folder: PathBuf) -> Result<PathBuf, DataError> {
    use crate::download::{DownloadError, FetchOptions, fetch, files};
    let options = FetchOptions { progress: true, ..FetchOptions::default() };
    for file in files(name).unwrap_or_default() {
        fetch(file, &folder, options).map_err(|error| match error {
            DownloadError::Io { .. } => DataError::Write(error.to_string()),
            _ => DataError::Download(error.to_string()),
        })?;
    }
    if let Some(cifar) = CIFAR.iter().find(|cifar| cifar.name == name) {
        for file in files(name).unwrap_or_default() {
            cifar.unpack(&folder.join(file.name), &folder)?;
        }
    }
    Ok(folder)
}

#[cfg(not(feature = "download"))]
fn fetch(_name: &str, folder: PathBuf) -> Result<PathBuf, DataError> {
    Ok(folder)
}
