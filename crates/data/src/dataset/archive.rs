//! Datasets that are published as one compressed archive.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use flate2::read::GzDecoder;
use tempfile::Builder;

use crate::error::DataError;

/// Takes some files out of a `.tar.gz` archive, into `folder`, whatever their folders in the archive. Each appears whole or
/// not at all.
pub(super) fn unpack(archive: &Path, folder: &Path, names: &[&str]) -> Result<(), DataError> {
    let damaged = |source| DataError::Read { path: archive.to_owned(), source };
    let file = File::open(archive).map_err(damaged)?;
    let mut entries = tar::Archive::new(GzDecoder::new(BufReader::new(file)));
    for entry in entries.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = entry.path().map_err(damaged)?.into_owned();
        // Only what belongs to it, by its bare name: an archive cannot write elsewhere.
        let wanted = |name: &&&str| path.file_name().is_some_and(|found| found == **name);
        let Some(name) = names.iter().find(wanted) else { continue };
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(damaged)?;
        let path = folder.join(name);
        write_whole(&path, &bytes).map_err(|source| DataError::Write { path, source })?;
    }
    Ok(())
}

/// Writes a file aside, flushes it to the disk and renames it into place.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (folder, name) = (path.parent().unwrap_or(path), path.file_name().unwrap_or_default());
    // Made by `create_new`: a temporary file of tempfile's own could be read by this user alone.
    let mut file = Builder::new().prefix(name).suffix(".part").make_in(folder, |aside| File::create_new(aside))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
