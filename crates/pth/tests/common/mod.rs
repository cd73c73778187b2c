//! Builds files like torch's, and some that nobody should write.
#![allow(dead_code, reason = "each test crate uses its part")]

use kiln_pth::{PickleError, PthError, StoredTensor};

/// An entry of a zip archive, and what its headers say about it.
#[derive(Clone)]
pub struct Entry {
    pub name: String,
    pub data: Vec<u8>,
    pub method: u16,
    pub flags: u16,
    /// What the central directory says instead of the true size and the true offset of the local header.
    pub size: Option<u32>,
    pub offset: Option<u32>,
    /// The extra field in the central directory.
    pub extra: Vec<u8>,
}

pub fn entry(name: &str, data: &[u8]) -> Entry {
    let (name, data) = (name.to_owned(), data.to_vec());
    Entry { name, data, method: 0, flags: 0x808, size: None, offset: None, extra: Vec::new() }
}

pub fn bytes<const N: usize>(parts: [&[u8]; N]) -> Vec<u8> {
    parts.concat()
}

/// Builds a zip archive whose local headers, like torch's, leave out the sizes.
pub fn zip(entries: &[Entry]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let place = u32::try_from(file.len()).unwrap();
        let size = entry.size.unwrap_or(u32::try_from(entry.data.len()).unwrap()).to_le_bytes();
        let name_length = u16::try_from(entry.name.len()).unwrap().to_le_bytes();
        let extra_length = u16::try_from(entry.extra.len()).unwrap().to_le_bytes();
        let kind = bytes([&entry.flags.to_le_bytes(), &entry.method.to_le_bytes()]);
        file.extend(bytes([b"PK\x03\x04\0\0", &kind, &[0; 16], &name_length, &[0; 2], entry.name.as_bytes()]));
        file.extend(&entry.data);
        directory.extend(bytes([b"PK\x01\x02\0\0\0\0", &kind, &[0; 8], &size, &size, &name_length, &extra_length]));
        directory.extend(bytes([&[0; 10], &entry.offset.unwrap_or(place).to_le_bytes(), entry.name.as_bytes()]));
        directory.extend(&entry.extra);
    }
    let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
    let size = u32::try_from(directory.len()).unwrap().to_le_bytes();
    let place = u32::try_from(file.len()).unwrap().to_le_bytes();
    file.extend(directory);
    file.extend(bytes([b"PK\x05\x06\0\0\0\0", &count, &count, &size, &place, &[0; 2]]));
    file
}

/// The entries of an archive with one storage of four floats: 1, 2, 3, 4.
pub fn entries(pickle: &[u8]) -> Vec<Entry> {
    vec![
        entry("net/data.pkl", pickle),
        entry("net/byteorder", b"little"),
        entry("net/data/0", &floats(&[1.0, 2.0, 3.0, 4.0])),
        entry("net/version", b"3\n"),
    ]
}

pub fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Reads a zip archive with this pickle and the storage of four floats.
pub fn read_pickle(pickle: &[u8]) -> Result<Vec<StoredTensor>, PthError> {
    kiln_pth::read(&zip(&entries(pickle)))
}

/// The error that reading an archive with this pickle gives, wherever it occurs.
pub fn pickle_error(pickle: &[u8]) -> PickleError {
    match read_pickle(pickle) {
        Err(PthError::Pickle { error, .. }) => error,
        other => panic!("{other:?}"),
    }
}

pub fn text(text: &str) -> Vec<u8> {
    bytes([b"X", &u32::try_from(text.len()).unwrap().to_le_bytes(), text.as_bytes()])
}

pub fn integer(number: i64) -> Vec<u8> {
    bytes([&[0x8a, 8], &number.to_le_bytes()])
}

pub fn tuple(items: &[i64]) -> Vec<u8> {
    bytes([b"(", &items.iter().flat_map(|&item| integer(item)).collect::<Vec<u8>>(), b"t"])
}

/// The persistent id of a storage. The legacy format adds one more item.
pub fn storage(class: &str, key: &str, count: i64, more: &[u8]) -> Vec<u8> {
    let class = format!("ctorch\n{class}\n");
    bytes([b"(", &text("storage"), class.as_bytes(), &text(key), &text("cpu"), &integer(count), more, b"tQ"])
}

/// A tensor that uses a storage.
pub fn tensor(storage: &[u8], offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    let function = b"ctorch._utils\n_rebuild_tensor_v2\n(";
    let hooks = b"\x89ccollections\nOrderedDict\n)RtR";
    bytes([function, storage, &integer(offset), &tuple(shape), &tuple(strides), hooks])
}

/// A whole pickle: a dict of named values.
pub fn dict(items: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<u8> = items.iter().flat_map(|(name, value)| [text(name), value.clone()].concat()).collect();
    bytes([b"\x80\x02}(", &items, b"u."])
}

/// A legacy file around the pickle of an object. Storages are given as key, number of elements and data.
pub fn legacy(object: &[u8], storages: &[(&str, i64, Vec<u8>)]) -> Vec<u8> {
    let system = bytes([b"\x80\x02}", &text("little_endian"), b"\x88s."]);
    let keys: Vec<u8> = storages.iter().flat_map(|(key, ..)| text(key)).collect();
    let mut file = bytes([
        b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.",
        &system,
        object,
        b"\x80\x02](",
        &keys,
        b"e.",
    ]);
    for (_, count, data) in storages {
        file.extend(bytes([&count.to_le_bytes(), data]));
    }
    file
}
