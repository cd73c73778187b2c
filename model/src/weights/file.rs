//! The bytes of a weights file.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Deref;
use std::path::Path;

use memmap2::{Mmap, UncheckedAdvice};

/// The bytes of a file: mapped into memory, so that hundreds of megabytes are not copied, or read where it cannot be mapped
/// (a pipe).
pub(super) enum FileBytes {
    Mapped(Mmap),
    Read(Vec<u8>),
}

impl FileBytes {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        if file.metadata()?.is_file() {
            // Weights files are replaced by renaming, never written over, so the mapping keeps its length.
            #[expect(
                unsafe_code,
                reason = "the bytes are checked as any others, and nothing points into them for long"
            )]
            if let Ok(map) = unsafe { Mmap::map(&file) } {
                return Ok(Self::Mapped(map));
            }
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Self::Read(bytes))
    }

    /// Gives back the memory of a part that has been read; should it be read again, it comes from the file.
    pub(super) fn release(&self, part: &[u8]) {
        if let (Self::Mapped(map), Some(offset)) = (self, part.as_ptr().addr().checked_sub(self.as_ptr().addr())) {
            // Only a hint: the system may refuse it.
            #[expect(unsafe_code, reason = "a mapping that is only read has its bytes in the file")]
            let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, offset, part.len()) };
        }
    }
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
