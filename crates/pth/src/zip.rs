//! The zip container, as far as torch uses it: entries that are stored without compression.
//!
//! Only the central directory counts. Torch leaves the sizes out of local headers and, with `set_crc32_options(False)`,
//! writes wrong checksums, so neither is used. Torch does not verify checksums either.

use std::collections::HashMap;

use rawzip::{
    CompressionMethod, EntryFlags, Error, ErrorKind, ZipArchive, ZipFileHeaderRecord, ZipSliceArchive, ZipSliceEntry,
};

use crate::error::{ZipError, excerpt};

/// The first bytes of every torch archive.
pub(crate) const LOCAL_HEADER: &[u8] = b"PK\x03\x04";

/// Locates the central directory of an archive that fills the whole file.
pub(crate) fn open(bytes: &[u8]) -> Result<ZipSliceArchive<&[u8]>, ZipError> {
    let archive = ZipArchive::from_slice(bytes).map_err(|error| damaged("the end record", &error))?;
    if archive.end_offset() != bytes.len() as u64 {
        return Err(ZipError::NoEnd);
    }
    let disks = archive.eocd_offset() as usize + 4;
    if bytes[disks..disks + 4] != [0; 4] {
        return Err(ZipError::Malformed { problem: "the archive is split over several files".to_owned() });
    }
    Ok(archive)
}

/// The data of each entry. No two entries may have the same name or share a byte.
pub(crate) fn entries<'a>(archive: &'a ZipSliceArchive<&[u8]>) -> Result<HashMap<&'a str, &'a [u8]>, ZipError> {
    let mut entries = HashMap::new();
    let mut places = Vec::new();
    for header in archive.entries() {
        let header = header.map_err(|error| damaged("the central directory", &error))?;
        let name = str::from_utf8(header.file_path().as_bytes())
            .map_err(|_| ZipError::Malformed { problem: "the name of an entry is not UTF-8".to_owned() })?;
        let entry = stored(archive, &header, name)?;
        if entries.insert(name, entry.data()).is_some() {
            return Err(ZipError::Duplicate { name: excerpt(name) });
        }
        places.push((header.local_header_offset(), name, entry));
    }
    if entries.len() as u64 != archive.entries_hint() {
        let problem = format!("{} entries, but the end record says {}", entries.len(), archive.entries_hint());
        return Err(ZipError::Malformed { problem });
    }
    places.sort_unstable_by_key(|&(start, ..)| start);
    for pair in places.windows(2) {
        if let [(_, first, entry), (start, second, _)] = pair
            && *start < entry.compressed_data_range().1
        {
            return Err(ZipError::Overlap { first: excerpt(first), second: excerpt(second) });
        }
    }
    // Only now, because many headers that overlap could make this slow.
    match places.iter().find(|(_, name, entry)| !local_header_matches(name, entry)) {
        Some((_, name, _)) => Err(contradiction(name)),
        None => Ok(entries),
    }
}

/// Finds an entry that is neither compressed nor encrypted.
fn stored<'a>(
    archive: &'a ZipSliceArchive<&[u8]>,
    header: &ZipFileHeaderRecord,
    name: &str,
) -> Result<ZipSliceEntry<'a>, ZipError> {
    let (method, flags) = (header.compression_method(), header.flags());
    if method != CompressionMethod::STORE || is_encrypted(flags) {
        return Err(ZipError::NotStored { name: excerpt(name), method: method.as_u16(), flags: flags.bits() });
    }
    if header.compressed_size_hint() != header.uncompressed_size_hint() {
        return Err(contradiction(name));
    }
    match archive.get_entry(header.wayfinder()) {
        Ok(entry) if entry.compressed_data_range().1 <= archive.directory_offset() => Ok(entry),
        Err(error) if !matches!(error.kind(), ErrorKind::Eof) => {
            Err(damaged(&format!("the header of entry {:?}", excerpt(name)), &error))
        }
        _ => Err(ZipError::Outside { name: excerpt(name) }),
    }
}

/// Whether an entry's own header agrees with the central directory.
fn local_header_matches(name: &str, entry: &ZipSliceEntry) -> bool {
    let header = entry.local_header();
    header.file_path().as_bytes() == name.as_bytes()
        && header.compression_method() == CompressionMethod::STORE
        && !is_encrypted(header.flags())
        && (header.flags().has_data_descriptor() || header.compressed_size_hint() == entry.data().len() as u64)
}

fn is_encrypted(flags: EntryFlags) -> bool {
    flags.is_encrypted() || flags.has_strong_encryption() || flags.is_masked()
}

fn damaged(record: &str, error: &Error) -> ZipError {
    match error.kind() {
        ErrorKind::MissingEndOfCentralDirectory => ZipError::NoEnd,
        _ => ZipError::Malformed { problem: format!("{record} is damaged: {error}") },
    }
}

fn contradiction(name: &str) -> ZipError {
    ZipError::Malformed { problem: format!("the headers of entry {:?} contradict each other", excerpt(name)) }
}
