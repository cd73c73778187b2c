//! The zip archive of `torch.save`: a single folder, of any name, that holds the pickle and the storages.

use crate::error::{PthError, ZipError, excerpt};
use crate::pickle;
use crate::state_dict::{self, Select, StoredTensor};
use crate::storage::Storages;
use crate::zip;

/// Reads the state dict of a zip archive.
pub(crate) fn read(bytes: &[u8], select: Select) -> Result<Option<Vec<StoredTensor>>, PthError> {
    let archive = zip::open(bytes).map_err(PthError::Zip)?;
    let entries = zip::entries(&archive).map_err(PthError::Zip)?;
    let pickles = entries.iter().filter_map(|(name, data)| {
        let folder = name.strip_suffix("/data.pkl")?;
        (!folder.contains('/')).then_some((folder, *data))
    });
    let pickles: Vec<_> = pickles.collect();
    let [(folder, data)] = pickles[..] else {
        return Err(PthError::Zip(ZipError::Pickles { count: pickles.len() }));
    };
    // Before torch 2.1 there was no such record, and archives were written on little-endian machines only.
    if let Some(&order) = entries.get(format!("{folder}/byteorder").as_str())
        && order != b"little"
    {
        return Err(PthError::ByteOrder { order: excerpt(&String::from_utf8_lossy(order)) });
    }
    let mut storages = Storages::default();
    for (name, data) in &entries {
        if let Some(key) = name.strip_prefix(folder).and_then(|rest| rest.strip_prefix("/data/")) {
            // The names are known to be distinct.
            storages.insert(key, data);
        }
    }
    state_dict::read(&pickle::parse(data, 0)?, &storages, select)
}
