//! The zip archive of `torch.save`: one folder of any name with the pickle and the storages.

use crate::error::{PthError, ZipError, excerpt};
use crate::state_dict::Select;
use crate::storage::Storages;
use crate::zip::Zip;
use crate::{StoredTensor, pickle, state_dict};

/// Reads a zip archive.
pub(crate) fn read(bytes: &[u8], select: Select) -> Result<Option<Vec<StoredTensor>>, PthError> {
    let zip = Zip::open(bytes).map_err(PthError::Zip)?;
    let pickles = zip.entries.iter().filter_map(|(name, data)| {
        let folder = name.strip_suffix("/data.pkl")?;
        (!folder.contains('/')).then_some((folder, *data))
    });
    let pickles: Vec<_> = pickles.collect();
    let [(folder, data)] = pickles[..] else {
        return Err(PthError::Zip(ZipError::Pickles { count: pickles.len() }));
    };
    // Archives without this record are from before torch 2.1, which wrote them on little-endian machines only.
    if let Some(&order) = zip.entries.get(format!("{folder}/byteorder").as_str())
        && order != b"little"
    {
        return Err(PthError::ByteOrder { order: excerpt(&String::from_utf8_lossy(order)) });
    }
    let mut storages = Storages::default();
    for (name, data) in &zip.entries {
        if let Some(key) = name.strip_prefix(folder).and_then(|rest| rest.strip_prefix("/data/")) {
            // The container has no two entries of one name.
            storages.insert(key, data);
        }
    }
    state_dict::read(&pickle::parse(data, 0)?, &storages, select)
}
