//! The legacy format of `torch.save`: five pickles in a row, followed by the storages.

use std::collections::HashMap;

use crate::cursor::Cursor;
use crate::error::{PthError, StorageError, excerpt};
use crate::object::Object;
use crate::pickle::{self, Pickle};
use crate::state_dict::{self, Select, StoredTensor};
use crate::storage::{StorageReference, Storages};

/// The magic number of the format, 0x1950a86a20f9469cfc6c, in little-endian order.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// The only version of the format there has ever been.
const VERSION: i64 = 1001;

/// Reads the state dict of a file in the legacy format. Like torch, it ignores bytes after the last storage.
pub(crate) fn read(bytes: &[u8], select: Select) -> Result<Option<Vec<StoredTensor>>, PthError> {
    // If the first pickle is malformed, the file is most likely not one of PyTorch's at all.
    let magic = pickle::parse(bytes, 0).map_err(|_| PthError::UnknownFormat)?;
    if !matches!(magic.arena.get(magic.root), Object::Long(number) if *number == MAGIC) {
        return Err(PthError::UnknownFormat);
    }
    let version = pickle::parse(bytes, magic.end)?;
    if !matches!(version.arena.get(version.root), Object::Int(VERSION)) {
        return Err(unexpected(magic.end, "version 1001", &version));
    }
    let system = pickle::parse(bytes, version.end)?;
    check_byte_order(version.end, &system)?;
    let object = pickle::parse(bytes, system.end)?;
    let keys = pickle::parse(bytes, object.end)?;
    let storages = read_storages(bytes, &object, object.end, &keys)?;
    state_dict::read(&object, &storages, select)
}

fn unexpected(offset: usize, expected: &'static str, pickle: &Pickle) -> PthError {
    PthError::Legacy { offset, expected, found: pickle.arena.get(pickle.root).describe() }
}

/// Refuses files written on big-endian machines.
fn check_byte_order(offset: usize, system: &Pickle) -> Result<(), PthError> {
    let Object::Dict(items) = system.arena.get(system.root) else {
        return Err(unexpected(offset, "a dict about the system", system));
    };
    let little = items.iter().find(|(key, _)| system.arena.text(*key) == Some("little_endian"));
    match little.map(|&(_, little)| system.arena.get(little)) {
        Some(Object::Bool(true)) => Ok(()),
        Some(Object::Bool(false)) => Err(PthError::ByteOrder { order: "big".to_owned() }),
        _ => Err(unexpected(offset, "a dict with \"little_endian\"", system)),
    }
}

/// Finds the storages, which follow the pickles. Each begins with its number of elements; only the object's pickle
/// tells how large these are.
fn read_storages<'a>(
    bytes: &'a [u8],
    object: &Pickle<'a>,
    offset: usize,
    keys: &Pickle<'a>,
) -> Result<Storages<'a>, PthError> {
    let mut used: HashMap<&str, &StorageReference> = HashMap::new();
    for value in object.arena.iter() {
        if let Object::Storage(reference) = value {
            used.entry(reference.key).or_insert(reference);
        }
    }
    let Object::List(list) = keys.arena.get(keys.root) else {
        return Err(unexpected(offset, "the list of storages", keys));
    };
    let mut storages = Storages::default();
    let mut cursor = Cursor::new(bytes, keys.end);
    for &key in list {
        let key = keys.arena.text(key).ok_or_else(|| PthError::Legacy {
            offset,
            expected: "a list of strings",
            found: format!("{} in it", keys.arena.get(key).kind()),
        })?;
        let reference =
            used.get(key).ok_or_else(|| PthError::Storage { key: excerpt(key), error: StorageError::Unused })?;
        let truncated = StorageError::Truncated { offset: cursor.position() };
        let Some(count) = cursor.u64() else { return Err(reference.fails(truncated)) };
        let (declared, element) = (reference.byte_count(), u64::from(reference.element.size()));
        if count != reference.count {
            let present = count.saturating_mul(element);
            return Err(reference.fails(StorageError::Size { declared, present }));
        }
        let data = usize::try_from(declared).ok().and_then(|size| cursor.take(size));
        let data = data.ok_or_else(|| reference.fails(truncated))?;
        if !storages.insert(key, data) {
            return Err(reference.fails(StorageError::Repeated));
        }
    }
    Ok(storages)
}
