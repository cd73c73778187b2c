//! The datasets that have a name, and where their files are looked for.

use std::path::{Path, PathBuf};

use crate::preprocess::{Filter, Polarity, Resize, ResizeMode};
use crate::{DataError, ImageSet, Preprocess, idx};

/// A dataset ready for training and testing.
#[derive(Clone, Debug)]
pub struct Splits {
    /// The name under which runs and weights mention it.
    pub name: String,
    /// Images to learn from.
    pub train: ImageSet,
    /// Images to test on.
    pub test: ImageSet,
    /// Names of the classes, by index.
    pub classes: Vec<String>,
    /// How an image becomes a network's input.
    pub preprocess: Preprocess,
}

/// Where a dataset may come from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The first folder to look in, if given; downloads go to a folder in it named like the dataset.
    pub data_dir: Option<PathBuf>,
    /// Opens no socket.
    pub offline: bool,
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
    /// Loads a dataset by name (`mnist`, `fashion-mnist`, `kmnist`), or from a folder of IDX files by its path.
    ///
    /// A name is looked for in `data_dir/<name>` and `data_dir` if given, then in `assets/<name>` from the current folder upward, then in the
    /// user's cache folder. Found nowhere, it is downloaded to `data_dir/<name>` or else the cache folder, unless
    /// `offline`.
    ///
    /// # Errors
    /// If it is not there, or a file is damaged.
    pub fn load(dataset: &str, source: &Source) -> Result<Self, DataError> {
        let Some(&(name, classes)) = NAMED.iter().find(|(name, _)| *name == dataset) else {
            let folder = Path::new(dataset);
            if !folder.is_dir() {
                return Err(DataError::Unknown { name: dataset.to_owned() });
            }
            return Self::from_folder(folder, folder_name(folder), None);
        };
        Self::from_folder(&locate(name, source)?, name.to_owned(), Some(&classes))
    }

    fn from_folder(folder: &Path, name: String, class_names: Option<&[&str]>) -> Result<Self, DataError> {
        let read = |images: &str, labels: &str| {
            let (images, labels) = (idx::find(folder, images)?, idx::find(folder, labels)?);
            Ok((ImageSet::from_idx(&name, &images, &labels)?, images, labels))
        };
        let (train, _, train_labels) = read(TRAIN[0], TRAIN[1])?;
        let (test, test_images, test_labels) = read(TEST[0], TEST[1])?;
        if test.shape() != train.shape() {
            return Err(DataError::SizeMismatch { path: test_images, found: test.shape(), expected: train.shape() });
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
        let preprocess = preprocess(&name, &train);
        Ok(Self { name, train, test, classes, preprocess })
    }
}

/// The lecture's figures for MNIST; every other dataset's mean and deviation are computed from its training images.
fn preprocess(name: &str, train: &ImageSet) -> Preprocess {
    let [channels, height, width] = train.shape();
    let (mean, std) = train.mean_and_std();
    let (mode, polarity) = match name {
        "mnist" => return Preprocess::mnist(),
        "kmnist" => (ResizeMode::Pad, Polarity::Auto),
        _ => (ResizeMode::Pad, Polarity::InkIsLight),
    };
    let resize = Resize { filter: Filter::Bilinear, mode, resize_to: None };
    Preprocess { channels, height, mean: vec![mean], polarity, resize, std: vec![std], width }
}

const TRAIN: [&str; 2] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"];
const TEST: [&str; 2] = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// The last part of a path, as a dataset's name in runs and weights.
fn folder_name(folder: &Path) -> String {
    let full = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    full.file_name().map_or_else(|| "folder".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Finds a named dataset's folder, or fetches it into the last place where it was looked for.
fn locate(name: &'static str, source: &Source) -> Result<PathBuf, DataError> {
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

fn is_complete(folder: &Path) -> bool {
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
    Ok(folder)
}

#[cfg(not(feature = "download"))]
fn fetch(_name: &str, folder: PathBuf) -> Result<PathBuf, DataError> {
    Ok(folder)
}
