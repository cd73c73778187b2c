//! What can be wrong with a file.

use thiserror::Error;

/// Why a file cannot be read. Each message is one line without the file's name, which the caller knows.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PthError {
    /// The first bytes are those of no format that `torch.save` writes.
    #[error("not a PyTorch file: neither torch's zip archive nor its legacy format")]
    UnknownFormat,
    /// The zip container is damaged or not as torch writes it.
    #[error("zip: {0}")]
    Zip(ZipError),
    /// A pickle is damaged or does what no state dict needs.
    #[error("pickle: byte {offset}: {error}")]
    Pickle {
        /// Where the offending opcode is: in `data.pkl` of a zip archive, in the whole file of the legacy format.
        offset: usize,
        /// What is wrong there.
        error: PickleError,
    },
    /// One of the pickles around the object in the legacy format has the wrong content.
    #[error("legacy format: byte {offset}: expected {expected}, found {found}")]
    Legacy {
        /// Where the pickle begins.
        offset: usize,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// The file was written on a machine whose byte order is not little-endian.
    #[error("byte order {order:?}: only little-endian files can be read")]
    ByteOrder {
        /// What the file says.
        order: String,
    },
    /// The raw data of a tensor is missing or not of the stated size.
    #[error("storage {key:?}: {error}")]
    Storage {
        /// The storage's key in the file.
        key: String,
        /// What is wrong with it.
        error: StorageError,
    },
    /// The file is sound, but what it holds is no dict.
    #[error("the file holds {found}, not a dict of tensors")]
    NotADict {
        /// What it holds.
        found: String,
    },
    /// The file holds a dict, but no tensor in it or under one of the known keys.
    #[error("the file holds no tensors, neither at the top nor under \"model\", \"state_dict\" or \"model_ema\"")]
    NoTensors,
    /// An entry of the state dict has no usable name.
    #[error("entry {index} of the state dict: its key is {found}, not a string")]
    Key {
        /// The entry's place, counted from zero.
        index: usize,
        /// What the key is.
        found: String,
    },
    /// A tensor, or another entry of the state dict, cannot be read.
    #[error("tensor {name:?}: {error}")]
    Tensor {
        /// The entry's name, shortened if it is very long.
        name: String,
        /// What is wrong with it.
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
    /// There is no end record: the file is truncated or has something behind it.
    #[error("no end record: the file is cut short or damaged")]
    NoEnd,
    /// A record is cut off by the end of the file or of its part of the file.
    #[error("byte {offset}: {record} is cut short")]
    Truncated {
        /// Where the record begins.
        offset: usize,
        /// Which record.
        record: &'static str,
    },
    /// A record contradicts itself, another record or the format.
    #[error("byte {offset}: {problem}")]
    Malformed {
        /// Where the record begins.
        offset: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// An entry is compressed or encrypted; torch stores all entries as they are.
    #[error("entry {name:?} is compressed or encrypted (method {method}, flags {flags:#06x}); torch writes neither")]
    NotStored {
        /// The entry.
        name: String,
        /// Its compression method.
        method: u16,
        /// Its general-purpose flags.
        flags: u16,
    },
    /// An entry's data is not between the start of the file and the central directory.
    #[error("entry {name:?} points outside the file's data")]
    Outside {
        /// The entry.
        name: String,
    },
    /// Two entries have one name.
    #[error("entry {name:?} is there twice")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// Two entries share bytes.
    #[error("entries {first:?} and {second:?} overlap")]
    Overlap {
        /// The entry that begins first.
        first: String,
        /// The entry that begins in it.
        second: String,
    },
    /// There is not exactly one pickle.
    #[error("{count} entries are called <folder>/data.pkl; a torch archive has one")]
    Pickles {
        /// How many there are.
        count: usize,
    },
}

/// What is wrong at one place of a pickle.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PickleError {
    /// The pickle ends without its STOP opcode.
    #[error("the pickle is cut short")]
    Truncated,
    /// A byte is no opcode that torch writes.
    #[error("opcode {0:#04x} is none that torch.save writes with a readable result")]
    UnknownOpcode(u8),
    /// An opcode is used in a way that Python or torch would refuse too.
    #[error("{0}")]
    Malformed(&'static str),
    /// A limit that no real state dict reaches.
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
    /// The pickle and the data disagree.
    #[error("{declared} bytes by the pickle, {present} in the file")]
    Size {
        /// How many bytes the pickle says.
        declared: u64,
        /// How many bytes the file has or says it has.
        present: u64,
    },
    /// The legacy format lists a storage that its pickle does not use, so that its type is unknown.
    #[error("listed, but used by nothing in the pickle")]
    Unused,
    /// The legacy format lists a storage twice.
    #[error("listed twice")]
    Repeated,
    /// The data goes beyond the end of the file.
    #[error("byte {offset}: the file is cut short")]
    Truncated {
        /// Where the storage begins.
        offset: usize,
    },
    /// A view lies outside the storage it is a part of.
    #[error("the view of {length} elements from {offset} on is outside it")]
    View {
        /// The view's first element.
        offset: u64,
        /// The view's number of elements.
        length: u64,
    },
}

/// What is wrong with one entry of a state dict.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TensorError {
    /// It can be rebuilt only by Python code, which is never run.
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
    /// Its offset, shape, strides or flags are not of the right type or are negative.
    #[error("its {0} cannot be used")]
    Argument(&'static str),
    /// It has a great many dimensions.
    #[error("{count} dimensions; at most {limit} can be read")]
    Dimensions {
        /// How many it has.
        count: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The product of its sizes, or its last element's place, does not fit an integer.
    #[error("its shape {shape:?} with strides {strides:?} overflows")]
    Overflow {
        /// The shape.
        shape: Vec<usize>,
        /// The strides.
        strides: Vec<usize>,
    },
    /// It reaches beyond its storage.
    #[error("its last element is number {last} of a storage of {available} elements")]
    OutsideStorage {
        /// The last element, counted from zero.
        last: usize,
        /// How many elements the storage has.
        available: usize,
    },
    /// Another entry has the same name.
    #[error("the name is there twice")]
    Duplicate,
    /// Expanded or shared storages would make the result far larger than the file.
    #[error(
        "with it the tensors have {excess} values more than the file, by expansion or sharing; at most {limit} are read"
    )]
    TooLarge {
        /// How many values more so far.
        excess: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The system has not enough memory.
    #[error("no memory for its {count} values")]
    Memory {
        /// How many values it has.
        count: usize,
    },
}

/// A text from the file for use in a message: a hostile file may have one of many megabytes.
pub(crate) fn excerpt(text: &str) -> String {
    const LIMIT: usize = 120;
    if text.len() <= LIMIT {
        return text.to_owned();
    }
    let end = (0..=LIMIT).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    format!("{}…", &text[..end])
}
