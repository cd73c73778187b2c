//! The bytes of a weights file.

use std::io::{self, Read};
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

/// No weights are longer; a file without end must not fill the memory.
const MAX_BYTES: u64 = 16 << 30;

/// The bytes of a file: mapped into memory, so that hundreds of megabytes are not copied, or read where it cannot be mapped
/// (a pipe).
pub(super) enum FileBytes {
    Mapped(Mmap),
    Read(Vec<u8>),
}

impl FileBytes {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = kiln_data::open(path)?;
        if file.metadata()?.is_file() {
            // SAFETY: the mapping is only read, and what is read is checked as the bytes of any file. Kiln replaces weights by
            // renaming and never writes over them; a program that shortens a file while it is read ends the reader.
            #[expect(unsafe_code, reason = "hundreds of megabytes are not copied")]
            if let Ok(map) = unsafe { Mmap::map(&file) } {
                return Ok(Self::Mapped(map));
            }
        }
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {} GB", MAX_BYTES >> 30)));
        }
        Ok(Self::Read(bytes))
    }

    /// Gives back the memory of a part that has been read; should it be read again, it comes from the file.
    #[cfg(unix)]
    pub(super) fn release(&self, part: &[u8]) {
        let Self::Mapped(map) = self else { return };
        let Some(offset) = part.as_ptr().addr().checked_sub(map.as_ptr().addr()) else { return };
        if offset.checked_add(part.len()).is_none_or(|end| end > map.len()) {
            return;
        }
        // SAFETY: the part lies within the mapping, which is only read: its pages come back from the file with the same bytes.
        #[expect(unsafe_code, reason = "what was read need not stay in memory")]
        let _only_a_hint =
            unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, offset, part.len()) };
    }

    #[cfg(not(unix))]
    pub(super) fn release(&self, _part: &[u8]) {}
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Read(bytes) => bytes,
        }
    }
}
