//! MD5 sums of files and streams.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use md5::{Digest, Md5};

/// The MD5 sum of what is written into it.
#[derive(Default)]
pub(super) struct Sum(Md5);

impl Sum {
    /// The sum of a file; `None` when there is none.
    pub(super) fn of(path: &Path) -> io::Result<Option<String>> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut sum = Self::default();
        io::copy(&mut file, &mut sum)?;
        Ok(Some(sum.hexadecimal()))
    }

    /// 32 lower-case digits.
    pub(super) fn hexadecimal(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
