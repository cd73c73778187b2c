//! Datasets that are published as one compressed archive.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

use flate2::read::GzDecoder;

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
        let (path, aside) = (folder.join(name), folder.join(format!("{name}.{}.part", std::process::id())));
        let written = File::create(&aside).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&aside, &path)
        });
        written.map_err(|source| {
            // What is left of it is of no use; that it cannot be removed says nothing new.
            let _ = std::fs::remove_file(&aside);
            DataError::Write { path, source }
        })?;
    }
    Ok(())
}
