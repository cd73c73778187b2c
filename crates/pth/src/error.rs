//! The errors of this crate.

use thiserror::Error;

/// Why a file cannot be read. Each message is one line and does not name the file, which the caller knows.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PthError {
    /// The file starts like neither of the formats that `torch.save` writes.
    #[error("not a PyTorch file: neither torch's zip archive nor its legacy format")]
    UnknownFormat,
    /// The zip container is damaged, or not of the form that torch writes.
    #[error("zip: {0}")]
    Zip(#[source] ZipError),
    /// A pickle is damaged, or does something that no state dict needs.
    #[error("pickle: byte {offset}: {error}")]
    Pickle {
        /// The offset of the offending opcode: in `data.pkl` of a zip archive, in the file itself in the legacy format.
        offset: usize,
        /// What is wrong there.
        #[source]
        error: PickleError,
    },
    /// In the legacy format, one of the pickles around the object has the wrong content.
    #[error("legacy format: byte {offset}: expected {expected}, found {found}")]
    Legacy {
        /// The offset of the pickle.
        offset: usize,
        /// What it should contain.
        expected: &'static str,
        /// What it contains.
        found: String,
    },
    /// The file was written on a machine whose byte order is not little-endian.
    #[error("byte order {order:?}: only little-endian files can be read")]
    ByteOrder {
        /// The byte order that the file states.
        order: String,
    },
    /// The raw data of a tensor is missing or has the wrong size.
    #[error("storage {key:?}: {error}")]
    Storage {
        /// The key of the storage.
        key: String,
        /// What is wrong with it.
        #[source]
        error: StorageError,
    },
    /// The file is sound but does not hold a dict.
    #[error("the file holds {found}, not a dict of tensors")]
    NotADict {
        /// What it holds.
        found: String,
    },
    /// The file holds a dict, but there are no tensors in it or under any of the known keys.
    #[error("the file holds no tensors, neither at the top nor under \"model\", \"state_dict\" or \"model_ema\"")]
    NoTensors,
    /// The key of an entry of the state dict is not a string.
    #[error("entry {index} of the state dict: its key is {found}, not a string")]
    Key {
        /// The position of the entry, counted from zero.
        index: usize,
        /// The kind of the key.
        found: String,
    },
    /// An entry of the state dict, normally a tensor, cannot be read.
    #[error("tensor {name:?}: {error}")]
    Tensor {
        /// The name of the entry, shortened if it is very long.
        name: String,
        /// What is wrong with it.
        #[source]
        error: TensorError,
    },
    /// The state dict has too many tensors.
    #[error("the state dict has {count} entries; at most {limit} can be read")]
    TooManyTensors {
        /// How many there are.
        count: usize,
        /// How many are allowed.
        limit: usize,
    },
}

/// What is wrong with the zip container.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ZipError {
    /// There is no end record at the end: the file was cut short, or something was appended to it.
    #[error("no end record: the file is cut short or damaged")]
    NoEnd,
    /// A record is damaged, or contradicts another record or the format.
    #[error("{problem}")]
    Malformed {
        /// What is wrong.
        problem: String,
    },
    /// An entry is compressed or encrypted, which those of torch never are.
    #[error("entry {name:?} is compressed or encrypted (method {method}, flags {flags:#06x}); torch writes neither")]
    NotStored {
        /// The entry.
        name: String,
        /// Its compression method.
        method: u16,
        /// Its general-purpose flags.
        flags: u16,
    },
    /// The data of an entry does not lie between the start of the file and the central directory.
    #[error("entry {name:?} points outside the file's data")]
    Outside {
        /// The entry.
        name: String,
    },
    /// Two entries have the same name.
    #[error("entry {name:?} occurs twice")]
    Duplicate {
        /// Their name.
        name: String,
    },
    /// Two entries share bytes.
    #[error("entries {first:?} and {second:?} overlap")]
    Overlap {
        /// The entry that starts first.
        first: String,
        /// The entry that starts inside it.
        second: String,
    },
    /// There is no pickle, or more than one.
    #[error("{count} entries are called <folder>/data.pkl; a torch archive has one")]
    Pickles {
        /// How many there are.
        count: usize,
    },
}

/// What is wrong at one position of a pickle.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PickleError {
    /// The pickle ends without its STOP opcode.
    #[error("the pickle is cut short")]
    Truncated,
    /// A byte is not an opcode that torch writes.
    #[error("opcode {0:#04x} is not one that torch.save writes in a readable file")]
    UnknownOpcode(u8),
    /// An opcode is used in a way that Python or torch would refuse as well.
    #[error("{0}")]
    Malformed(&'static str),
    /// The pickle exceeds a limit that no real state dict reaches.
    #[error("more than {limit} {what}")]
    Limit {
        /// What there are too many of.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
}

/// What is wrong with the raw data of a tensor.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The file does not hold this storage.
    #[error("not in the file")]
    Missing,
    /// The pickle and the data disagree about the size.
    #[error("{declared} bytes according to the pickle, but {present} in the file")]
    Size {
        /// The size in bytes according to the pickle.
        declared: u64,
        /// The size in bytes of the data, or the size that precedes it in the legacy format.
        present: u64,
    },
    /// A legacy file lists a storage that its pickle does not use, so that its type is unknown.
    #[error("listed, but not used in the pickle")]
    Unused,
    /// A legacy file lists the storage twice.
    #[error("listed twice")]
    Repeated,
    /// The data extends beyond the end of the file.
    #[error("byte {offset}: the file is cut short")]
    Truncated {
        /// The offset of the storage.
        offset: usize,
    },
    /// A view extends beyond the storage.
    #[error("a view of {length} elements from element {offset} extends beyond it")]
    View {
        /// The first element of the view.
        offset: u64,
        /// The number of elements of the view.
        length: u64,
    },
}

/// What is wrong with one entry of a state dict.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TensorError {
    /// Rebuilding it takes Python code, which is never run.
    #[error("it needs {global}, which is not run")]
    UnknownGlobal {
        /// The module and name of the class or function.
        global: String,
    },
    /// It is a container, not a tensor.
    #[error("it is {found}, not a tensor")]
    NotATensor {
        /// What it is.
        found: &'static str,
    },
    /// Its elements cannot be converted to `f32`.
    #[error("elements of type {element} cannot be read")]
    Element {
        /// The element type.
        element: &'static str,
    },
    /// Its offset, shape, strides or flags have the wrong type or are negative.
    #[error("its {0} cannot be used")]
    Argument(&'static str),
    /// It has too many dimensions.
    #[error("{count} dimensions; at most {limit} can be read")]
    Dimensions {
        /// How many it has.
        count: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The product of its sizes, or the index of its last element, does not fit into an integer.
    #[error("its shape {shape:?} with strides {strides:?} overflows")]
    Overflow {
        /// The shape.
        shape: Vec<usize>,
        /// The strides.
        strides: Vec<usize>,
    },
    /// It extends beyond its storage.
    #[error("its last element has index {last} in a storage of {available} elements")]
    OutsideStorage {
        /// The index of the last element, counted from zero.
        last: usize,
        /// How many elements the storage has.
        available: usize,
    },
    /// Another entry has the same name.
    #[error("the name occurs twice")]
    Duplicate,
    /// Expanded tensors or shared storages would make the result far larger than the file.
    #[error(
        "with it, expanding and sharing would add {excess} values to those in the file; at most {limit} can be added"
    )]
    TooLarge {
        /// How many values would be added.
        excess: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// There is not enough memory.
    #[error("not enough memory for its {count} values")]
    Memory {
        /// How many values it has.
        count: usize,
    },
}

/// A text from the file, shortened for an error message: a hostile file may contain one of many megabytes.
pub(crate) fn excerpt(text: &str) -> String {
    const LIMIT: usize = 120;
    if text.len() <= LIMIT {
        return text.to_owned();
    }
    let end = (0..=LIMIT).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    format!("{}…", &text[..end])
}
