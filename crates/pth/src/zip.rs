//! The zip container, as far as torch uses it: entries that are stored without compression.
//!
//! Only the central directory counts. Torch leaves the sizes out of local headers and, with `set_crc32_options(False)`,
//! writes wrong checksums, so neither is used. Torch does not verify checksums either.

use std::collections::HashMap;

use crate::cursor::Cursor;
use crate::error::{ZipError, excerpt};

/// The first bytes of every torch archive.
pub(crate) const LOCAL_HEADER: &[u8] = b"PK\x03\x04";

const CENTRAL_HEADER: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END64: &[u8] = b"PK\x06\x06";
const END64_LOCATOR: &[u8] = b"PK\x06\x07";

const END_SIZE: usize = 22;
const END64_LOCATOR_SIZE: usize = 20;

/// The flag of an entry whose sizes follow its data, and the flags of encryption (two kinds, and masked headers).
const SIZES_FOLLOW: u16 = 1 << 3;
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;

/// The entries of an archive.
#[derive(Debug)]
pub(crate) struct Zip<'a> {
    /// The data of each entry.
    pub entries: HashMap<&'a str, &'a [u8]>,
}

/// The location of the central directory.
#[derive(Debug, PartialEq, Eq)]
struct Directory {
    offset: u64,
    size: u64,
    count: u64,
}

/// What the central directory says about an entry.
struct CentralHeader<'a> {
    name: &'a str,
    size: usize,
    offset: usize,
}

impl<'a> Zip<'a> {
    /// Reads and checks an archive: no two entries may have the same name or share a byte.
    pub fn open(bytes: &'a [u8]) -> Result<Self, ZipError> {
        let (directory, end) = find_directory(bytes)?;
        let (Ok(start), Ok(size)) = (usize::try_from(directory.offset), usize::try_from(directory.size)) else {
            return Err(ZipError::Malformed { offset: end, problem: "the central directory is outside the file" });
        };
        let stop = start
            .checked_add(size)
            .filter(|&stop| stop <= end)
            .ok_or(ZipError::Malformed { offset: end, problem: "the central directory is outside the file" })?;
        let mut cursor = Cursor::new(&bytes[..stop], start);
        let mut entries = HashMap::new();
        let mut places = Vec::new();
        for _ in 0..directory.count {
            let entry = central_header(&mut cursor)?;
            let data = local_data(&bytes[..start], &entry)?;
            places.push((entry.offset, data.end, entry.name));
            if entries.insert(entry.name, &bytes[data]).is_some() {
                return Err(ZipError::Duplicate { name: excerpt(entry.name) });
            }
        }
        if cursor.position() != stop {
            let problem = "the central directory has more entries than it says";
            return Err(ZipError::Malformed { offset: cursor.position(), problem });
        }
        places.sort_unstable();
        for pair in places.windows(2) {
            if let [(_, end, first), (begin, _, second)] = pair
                && begin < end
            {
                return Err(ZipError::Overlap { first: excerpt(first), second: excerpt(second) });
            }
        }
        Ok(Self { entries })
    }
}

/// Locates the central directory and the first record after it.
fn find_directory(bytes: &[u8]) -> Result<(Directory, usize), ZipError> {
    // The last record ends with a comment whose length it states, so the search for it runs backwards.
    let last = bytes.len().checked_sub(END_SIZE).ok_or(ZipError::NoEnd)?;
    let first = last.saturating_sub(u16::MAX.into());
    let end = (first..=last)
        .rev()
        .find(|&place| {
            bytes[place..].starts_with(END)
                && Cursor::new(bytes, place + 20).u16().is_some_and(|length| usize::from(length) == last - place)
        })
        .ok_or(ZipError::NoEnd)?;
    let truncated = ZipError::Truncated { offset: end, record: "the end record" };
    let (narrow, disks) = end_fields(Cursor::new(bytes, end + 4)).ok_or(truncated)?;
    let several = |offset| ZipError::Malformed { offset, problem: "the archive is split over several files" };
    if disks != [0, 0] {
        return Err(several(end));
    }
    let Some(locator) = end.checked_sub(END64_LOCATOR_SIZE).filter(|&at| bytes[at..].starts_with(END64_LOCATOR)) else {
        return Ok((narrow, end));
    };
    let problem = "the 64-bit end record is not where it should be";
    let end64 = Cursor::new(bytes, locator + 8).u64().and_then(|offset| usize::try_from(offset).ok());
    let end64 = end64.filter(|&at| at < locator && bytes[at..].starts_with(END64));
    let end64 = end64.ok_or(ZipError::Malformed { offset: locator, problem })?;
    let truncated = ZipError::Truncated { offset: end64, record: "the 64-bit end record" };
    let (wide, disks) = end64_fields(Cursor::new(&bytes[..locator], end64 + 4)).ok_or(truncated)?;
    if disks != [0, 0] {
        return Err(several(end64));
    }
    // A field of the narrow record is all ones if its value only fits into the wide record.
    let agree = (narrow.count == 0xffff || narrow.count == wide.count)
        && (narrow.size == 0xffff_ffff || narrow.size == wide.size)
        && (narrow.offset == 0xffff_ffff || narrow.offset == wide.offset);
    if !agree {
        return Err(ZipError::Malformed { offset: end64, problem: "the two end records contradict each other" });
    }
    Ok((wide, end64))
}

/// Reads the end record: the directory and two disk numbers.
fn end_fields(mut cursor: Cursor) -> Option<(Directory, [u32; 2])> {
    let disks = [cursor.u16()?.into(), cursor.u16()?.into()];
    let _count_on_this_disk = cursor.u16()?;
    let count = cursor.u16()?.into();
    let size = cursor.u32()?.into();
    let offset = cursor.u32()?.into();
    Some((Directory { offset, size, count }, disks))
}

/// Reads the same from the 64-bit end record.
fn end64_fields(mut cursor: Cursor) -> Option<(Directory, [u32; 2])> {
    let _record_size_and_versions = cursor.take(12)?;
    let disks = [cursor.u32()?, cursor.u32()?];
    let _count_on_this_disk = cursor.u64()?;
    let count = cursor.u64()?;
    let size = cursor.u64()?;
    let offset = cursor.u64()?;
    Some((Directory { offset, size, count }, disks))
}

/// Reads the next header of the central directory.
fn central_header<'a>(cursor: &mut Cursor<'a>) -> Result<CentralHeader<'a>, ZipError> {
    let offset = cursor.position();
    let malformed = |problem| ZipError::Malformed { offset, problem };
    let mut fields = || {
        let signature = cursor.take(4)?;
        let _versions = cursor.u32()?;
        let (flags, method) = (cursor.u16()?, cursor.u16()?);
        let _time_date_checksum = cursor.u64()?;
        let (packed, size) = (cursor.u32()?, cursor.u32()?);
        let [name, extra, comment] = [cursor.u16()?, cursor.u16()?, cursor.u16()?].map(usize::from);
        let disk = cursor.u16()?;
        let _attributes = cursor.take(6)?;
        let place = cursor.u32()?;
        let (name, extra, _comment) = (cursor.take(name)?, cursor.take(extra)?, cursor.take(comment)?);
        Some((signature, flags, method, packed, size, disk, place, name, extra))
    };
    let (signature, flags, method, packed, size, disk, place, name, extra) =
        fields().ok_or(ZipError::Truncated { offset, record: "an entry of the central directory" })?;
    if signature != CENTRAL_HEADER {
        return Err(malformed("no entry of the central directory here"));
    }
    let name = str::from_utf8(name).map_err(|_| malformed("an entry's name is not UTF-8"))?;
    if method != 0 || flags & ENCRYPTED != 0 {
        return Err(ZipError::NotStored { name: excerpt(name), method, flags });
    }
    let mut wide = Cursor::new(wide_fields(extra).ok_or(malformed("an entry's extra fields are damaged"))?, 0);
    let mut widen = |narrow| if narrow == u32::MAX { wide.u64() } else { Some(u64::from(narrow)) };
    let (size, packed, place) = (widen(size), widen(packed), widen(place));
    let (Some(size), Some(packed), Some(place)) = (size, packed, place) else {
        return Err(malformed("an entry has no 64-bit sizes though it needs them"));
    };
    if size != packed || disk != 0 {
        return Err(malformed("a stored entry has two sizes or is on another disk"));
    }
    match (usize::try_from(size), usize::try_from(place)) {
        (Ok(size), Ok(offset)) => Ok(CentralHeader { name, size, offset }),
        _ => Err(ZipError::Outside { name: excerpt(name) }),
    }
}

/// The extra field with the 64-bit sizes; empty if there is none.
fn wide_fields(extra: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::new(extra, 0);
    while !cursor.rest().is_empty() {
        let kind = cursor.u16()?;
        let length = cursor.u16()?;
        let field = cursor.take(length.into())?;
        if kind == 1 {
            return Some(field);
        }
    }
    Some(&[])
}

/// The range of an entry's data, whose local header must match it. `bytes` ends where the central directory starts.
fn local_data(bytes: &[u8], entry: &CentralHeader) -> Result<std::ops::Range<usize>, ZipError> {
    let outside = || ZipError::Outside { name: excerpt(entry.name) };
    let malformed = |problem| ZipError::Malformed { offset: entry.offset, problem };
    let mut cursor = Cursor::new(bytes, entry.offset);
    if cursor.take(LOCAL_HEADER.len()).ok_or_else(outside)? != LOCAL_HEADER {
        return Err(malformed("no header of an entry here, though the central directory says so"));
    }
    let mut fields = || {
        let _version = cursor.u16()?;
        let (flags, method) = (cursor.u16()?, cursor.u16()?);
        let _time_date_checksum = cursor.u64()?;
        let _packed = cursor.u32()?;
        let size = cursor.u32()?;
        let [name, extra] = [cursor.u16()?, cursor.u16()?].map(usize::from);
        let (name, _extra) = (cursor.take(name)?, cursor.take(extra)?);
        let start = cursor.position();
        let _data = cursor.take(entry.size)?;
        Some((flags, method, size, name, start..cursor.position()))
    };
    let (flags, method, size, name, data) = fields().ok_or_else(outside)?;
    let same_size = flags & SIZES_FOLLOW != 0 || size == u32::MAX || u64::from(size) == entry.size as u64;
    let same = name == entry.name.as_bytes() && flags & ENCRYPTED == 0 && method == 0;
    if !(same && same_size) {
        return Err(malformed("an entry's own header contradicts the central directory"));
    }
    Ok(data)
}
