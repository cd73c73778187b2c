//! Unpacking datasets that are published as a compressed archive.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use flate2::read::GzDecoder;
use tempfile::Builder;

use crate::error::DataError;

/// Unpacks the files called `names` from a `.tar.gz` archive into `folder`, ignoring the archive's own folders. Each file
/// appears complete or not at all.
pub(super) fn unpack(archive: &Path, folder: &Path, names: &[&str]) -> Result<(), DataError> {
    let damaged = |source| DataError::Read { path: archive.to_owned(), source };
    let file = File::open(archive).map_err(damaged)?;
    let mut entries = tar::Archive::new(GzDecoder::new(BufReader::new(file)));
    for entry in entries.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = entry.path().map_err(damaged)?.into_owned();
        // Known bare names only, so that an archive cannot write outside the folder.
        let wanted = |name: &&&str| path.file_name().is_some_and(|found| found == **name);
        let Some(name) = names.iter().find(wanted) else { continue };
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(damaged)?;
        let path = folder.join(name);
        write_whole(&path, &bytes).map_err(|source| DataError::Write { path, source })?;
    }
    Ok(())
}

/// Writes to a temporary file beside `path`, flushes it to the disk and renames it.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (folder, name) = (path.parent().unwrap_or(path), path.file_name().unwrap_or_default());
    // tempfile's own files are readable by their owner only; `create_new` leaves that to the umask.
    let mut file = Builder::new().prefix(name).suffix(".part").make_in(folder, |aside| File::create_new(aside))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
