//! Checksums of files and streams.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use md5::Md5;
use sha2::{Digest, Sha256};

use super::remote_file::CheckSum;

/// The running checksum of the bytes written to it.
pub(super) enum Sum {
    Md5(Md5),
    Sha256(Sha256),
}

impl Sum {
    /// A checksum of no bytes yet, of the expected checksum's kind.
    pub(super) fn new(kind: CheckSum) -> Self {
        match kind {
            CheckSum::Md5(_) => Self::Md5(Md5::default()),
            CheckSum::Sha256Prefix(_) => Self::Sha256(Sha256::default()),
        }
    }

    /// The checksum of a file; `None` if there is no such file.
    pub(super) fn of(path: &Path, kind: CheckSum) -> io::Result<Option<String>> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut sum = Self::new(kind);
        io::copy(&mut file, &mut sum)?;
        Ok(Some(sum.hexadecimal()))
    }

    /// The checksum in lower-case hexadecimal.
    pub(super) fn hexadecimal(self) -> String {
        let text = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Self::Md5(sum) => text(&sum.finalize()),
            Self::Sha256(sum) => text(&sum.finalize()),
        }
    }
}

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Md5(sum) => sum.update(bytes),
            Self::Sha256(sum) => sum.update(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
