//! What can be wrong with a dataset.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use crate::download::DownloadError;

/// Why a dataset cannot be used; each message is one line that names the file.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The dataset is in none of the places where it was looked for.
    #[error("{dataset}: not found; looked in {}", list(.looked))]
    Missing {
        /// The dataset's name.
        dataset: String,
        /// The folders that were tried, in order.
        looked: Vec<PathBuf>,
    },
    /// A folder was named that does not hold all four files.
    #[error("{}: no {file} or {file}.gz in this folder", .folder.display())]
    NoFile {
        /// The folder.
        folder: PathBuf,
        /// The file's name without `.gz`.
        file: String,
    },
    /// Neither a known name nor a folder.
    #[error(
        "unknown dataset `{name}`: choose {}, or give the path of a folder of pictures, of a CSV file, or of a folder with IDX \
         files",
        choice(.known)
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names that are known.
        known: Vec<&'static str>,
    },
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said, or what is wrong with the content.
        source: io::Error,
    },
    /// The compressed data is damaged.
    #[error("{}: damaged gzip data after {offset} bytes of content: {source}; fetch the file again", .path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// How many bytes came out before the damage.
        offset: u64,
        /// What the decompressor said.
        source: io::Error,
    },
    /// The file is not of the wanted IDX kind.
    #[error("{}: offset 0: expected {expected}, found the bytes {found:02x?}", .path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// The wanted kind in words.
        expected: &'static str,
        /// The first bytes, four if there are so many.
        found: Vec<u8>,
    },
    /// A dimension in the header makes no sense.
    #[error("{}: offset {offset}: {reason}", .path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// Where in the (uncompressed) file.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The content ends before what the header promises.
    #[error("{}: truncated at offset {offset}: the header promises {expected} bytes; fetch the file again", .path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Where the (uncompressed) content ends.
        offset: u64,
        /// The (uncompressed) size that the header promises.
        expected: u64,
    },
    /// The content goes on after what the header promises.
    #[error("{}: offset {expected}: more bytes than the header promises", .path.display())]
    Trailing {
        /// The file.
        path: PathBuf,
        /// The (uncompressed) size that the header promises.
        expected: u64,
    },
    /// Images and labels do not belong together.
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
    /// Training and test images differ in size.
    #[error("{}: images of {found:?}, but the training images are {expected:?} [channels, height, width]", .path.display())]
    SizeMismatch {
        /// The file of test images.
        path: PathBuf,
        /// Its images' shape.
        found: [usize; 3],
        /// The training images' shape.
        expected: [usize; 3],
    },
    /// A label beyond the classes.
    #[error("{}: offset {offset}: label {label}, but there are {classes} classes", .path.display())]
    Label {
        /// The file.
        path: PathBuf,
        /// Where in the (uncompressed) file.
        offset: u64,
        /// The label.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// There is nothing to train or test on.
    #[error("{}: no images in this file", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A folder without pictures.
    #[error("{}: no pictures in folders of classes below this folder ({endings})", .folder.display())]
    NoPictures {
        /// The folder.
        folder: PathBuf,
        /// What is taken for a picture.
        endings: String,
    },
    /// There is nothing to tell apart.
    #[error("{}: needs at least two classes, found {}", .path.display(), .found.as_ref().map_or("none".to_owned(), |class| format!("`{class}` alone")))]
    Classes {
        /// The folder or table.
        path: PathBuf,
        /// The only class.
        found: Option<String>,
    },
    /// A part of a dataset without the one to learn from.
    #[error("{}: no folder `train` beside it; call it otherwise if it is a class", .found.display())]
    NoTraining {
        /// The part that is there.
        found: PathBuf,
    },
    /// Names of something else than classes.
    #[error("{}: {found} different classes, at most {most}: is that the column of the classes?", .path.display())]
    TooManyClasses {
        /// The folder or table.
        path: PathBuf,
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// A picture of a class that is not learnt.
    #[error("{}: its class `{class}` has no training pictures", .path.display())]
    UnknownClass {
        /// The picture.
        path: PathBuf,
        /// Its class.
        class: String,
    },
    /// A table that is not as it should be.
    #[error("{}: {source}; expected columns `path` and `label`, and `split` if wanted", .path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// What is wrong.
        source: Box<dyn Error + Send + Sync>,
    },
    /// None of a set's pictures can be read.
    #[error("{dataset}: none of its {len} pictures could be read; the first: {reason}")]
    Unreadable {
        /// The dataset's name.
        dataset: String,
        /// The number of pictures.
        len: usize,
        /// Why one of them cannot.
        reason: String,
    },
    /// A class that would be left out of the training without anybody noticing.
    #[error("{}: this class cannot be read: {source}", .path.display())]
    UnreadableClass {
        /// Its folder, or its name.
        path: PathBuf,
        /// Why not.
        source: Box<dyn Error + Send + Sync>,
    },
    /// An item vanished while its epoch was running.
    #[error("{dataset}: item {index} of {len} could not be read during the epoch")]
    Item {
        /// The dataset's name.
        dataset: String,
        /// The item's index.
        index: usize,
        /// The number of items.
        len: usize,
    },
    /// A part of the training set was asked for that cannot be made.
    #[error("cannot take {wanted} of {len} training images for validation")]
    Split {
        /// Images asked for.
        wanted: usize,
        /// Images there are.
        len: usize,
    },
    /// The dataset had to be downloaded, and could not be.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// A file from a downloaded archive could not be kept.
    #[error("{}: cannot be written: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
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
