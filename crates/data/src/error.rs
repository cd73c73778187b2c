//! Why a dataset cannot be used.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use crate::download::DownloadError;

/// Why a dataset cannot be used. Each message is one line and names the file.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The dataset is in none of the places searched.
    #[error("{dataset}: not found; looked in {}", list(.looked))]
    Missing {
        /// The dataset's name.
        dataset: String,
        /// The folders searched, in order.
        looked: Vec<PathBuf>,
    },
    /// The folder lacks one of the four IDX files.
    #[error("{}: no {file} or {file}.gz in this folder", .folder.display())]
    NoFile {
        /// The folder.
        folder: PathBuf,
        /// The file's name without `.gz`.
        file: String,
    },
    /// Neither the name of a dataset nor an existing path.
    #[error(
        "unknown dataset `{name}`: choose {}, or give the path of a folder of pictures, of a CSV file, or of a folder with IDX \
         files",
        choice(.known)
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names of all datasets.
        known: Vec<&'static str>,
    },
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error, or what is wrong with the content.
        source: io::Error,
    },
    /// The gzip data is damaged.
    #[error("{}: damaged gzip data after {offset} bytes of content: {source}; fetch the file again", .path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// How many bytes were decompressed before the damage.
        offset: u64,
        /// The decompressor's error.
        source: io::Error,
    },
    /// The file is not an IDX file of the expected kind.
    #[error("{}: offset 0: expected {expected}, found the bytes {found:02x?}", .path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// The expected kind, in words.
        expected: &'static str,
        /// The first four bytes, or fewer if the file is shorter.
        found: Vec<u8>,
    },
    /// A dimension in the header is out of range.
    #[error("{}: offset {offset}: {reason}", .path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// Its position in the uncompressed file.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The content is shorter than its header says, or ends within a record.
    #[error("{}: truncated at offset {offset}: the header promises {expected} bytes; fetch the file again", .path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Where the uncompressed content ends.
        offset: u64,
        /// The uncompressed size it should have.
        expected: u64,
    },
    /// The content is longer than its header says.
    #[error("{}: offset {expected}: more bytes than the header promises", .path.display())]
    Trailing {
        /// The file.
        path: PathBuf,
        /// The uncompressed size it should have.
        expected: u64,
    },
    /// The numbers of images and labels differ.
    #[error("{}: {labels} labels, but {} has {images} images", .labels_path.display(), .images_path.display())]
    CountMismatch {
        /// The file of labels.
        labels_path: PathBuf,
        /// The file of images.
        images_path: PathBuf,
        /// Number of labels.
        labels: usize,
        /// Number of images.
        images: usize,
    },
    /// Training and test images have different shapes.
    #[error("{}: images of {found:?}, but the training images are {expected:?} [channels, height, width]", .path.display())]
    SizeMismatch {
        /// The file of test images.
        path: PathBuf,
        /// Its images' shape, `[channels, height, width]`.
        found: [usize; 3],
        /// The training images' shape.
        expected: [usize; 3],
    },
    /// A label is not below the number of classes.
    #[error("{}: offset {offset}: label {label}, but there are {classes} classes", .path.display())]
    Label {
        /// The file.
        path: PathBuf,
        /// Its position in the uncompressed file.
        offset: u64,
        /// The label.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// The file contains no images.
    #[error("{}: no images in this file", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// There are no picture files in the folder's class folders.
    #[error("{}: no pictures in folders of classes below this folder ({endings})", .folder.display())]
    NoPictures {
        /// The folder.
        folder: PathBuf,
        /// The file name extensions that count as pictures.
        endings: String,
    },
    /// There are fewer than two classes.
    #[error("{}: needs at least two classes, found {}", .path.display(), .found.as_ref().map_or("none".to_owned(), |class| format!("`{class}` alone")))]
    Classes {
        /// The folder or table.
        path: PathBuf,
        /// The only class, if there is one.
        found: Option<String>,
    },
    /// There is a folder for validation or testing, but none for training.
    #[error("{}: no folder `train` beside it; call it otherwise if it is a class", .found.display())]
    NoTraining {
        /// The folder that is there.
        found: PathBuf,
    },
    /// There are so many classes that the labels must be something else.
    #[error("{}: {found} different classes, at most {most}: is that the column of the classes?", .path.display())]
    TooManyClasses {
        /// The folder or table.
        path: PathBuf,
        /// Number of classes found.
        found: usize,
        /// Number of classes allowed.
        most: usize,
    },
    /// A validation or test picture has a class that no training picture has.
    #[error("{}: its class `{class}` has no training pictures", .path.display())]
    UnknownClass {
        /// The picture.
        path: PathBuf,
        /// Its class.
        class: String,
    },
    /// The table is malformed.
    #[error("{}: {source}; expected columns `path` and `label`, and `split` if wanted", .path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// What is wrong.
        source: Box<dyn Error + Send + Sync>,
    },
    /// None of the set's pictures can be read.
    #[error("{dataset}: none of its {len} pictures could be read; the first: {reason}")]
    Unreadable {
        /// The dataset's name.
        dataset: String,
        /// The number of pictures.
        len: usize,
        /// Why the first one cannot.
        reason: String,
    },
    /// A whole class cannot be read, and would silently be missing from training.
    #[error("{}: this class cannot be read: {source}", .path.display())]
    UnreadableClass {
        /// The class's folder or name.
        path: PathBuf,
        /// Why it cannot be read.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A class's folder without pictures: the class would be missing.
    #[error("{}: this class has no pictures", .path.display())]
    EmptyClass {
        /// The class's folder.
        path: PathBuf,
    },
    /// An item disappeared from the dataset during an epoch.
    #[error("{dataset}: item {index} of {len} could not be read during the epoch")]
    Item {
        /// The dataset's name.
        dataset: String,
        /// The item's index.
        index: usize,
        /// The number of items.
        len: usize,
    },
    /// The validation set asked for would leave no images on one side.
    #[error("cannot take {wanted} of {len} training images for validation")]
    Split {
        /// Images asked for.
        wanted: usize,
        /// Images there are.
        len: usize,
    },
    /// The dataset could not be downloaded.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// A file unpacked from a download could not be written.
    #[error("{}: cannot be written: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// `a, b or c`.
fn choice(names: &[&str]) -> String {
    match names {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => names.concat(),
    }
}
