//! Writing so that nothing is lost: a file is either the old one or the new one, never half of either.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Exit, Failure};

/// Writes a file aside, flushes it to the disk and renames it into place. On failure the old file is untouched.
///
/// # Errors
/// What the system says; nothing is left behind.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = aside(path);
    let written = File::create_new(&aside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&aside);
        return written;
    }
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// [`write_durably`], with the failure that a program ends with.
///
/// # Errors
/// That the file cannot be written, and why.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_durably(path, bytes).map_err(|error| Failure::write(path, &error))
}

/// [`write_file`] for a file that must not be there yet.
///
/// # Errors
/// That it is there, or cannot be written, and why.
pub fn write_new_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let there = || {
        let what = format!("{}: is there already and stays as it is; name another file", path.display());
        Failure::new(Exit::Usage, what)
    };
    let aside = aside(path);
    let written = File::create_new(&aside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        // A second name for the same bytes, which never takes a name that is taken.
        fs::hard_link(&aside, path)
    });
    let _ = fs::remove_file(&aside);
    match written {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(there()),
        // A file system without second names.
        Err(error) if error.kind() == io::ErrorKind::Unsupported || error.kind() == io::ErrorKind::PermissionDenied => {
            if path.exists() {
                Err(there())
            } else {
                write_file(path, bytes)
            }
        }
        Err(error) => Err(Failure::write(path, &error)),
    }
}

/// Makes the names in a folder durable, where the system can.
///
/// # Errors
/// What the system says.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    // Windows has no handle to a folder that could be flushed; renames are durable there.
    if cfg!(unix) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// The hidden neighbour that a file is written to first, of another name each time: several processes may write at once.
fn aside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    path.with_file_name(format!(".{name}.{process}-{count}{ASIDE}"))
}

/// How the names of files end that are being written.
const ASIDE: &str = ".part";

/// Removes what a process that was killed left half written in a folder that is nobody else's.
pub fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(ASIDE) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.v1.safetensors");
        write_durably(&path, b"old").unwrap();
        write_durably(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn several_writers_leave_one_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latest");
        std::thread::scope(|scope| {
            for writer in 0..8u8 {
                let path = &path;
                scope.spawn(move || (0..20).for_each(|_| write_durably(path, &[writer; 4000]).unwrap()));
            }
        });
        let bytes = fs::read(&path).unwrap();
        assert!(bytes.len() == 4000 && bytes.iter().all(|byte| *byte == bytes[0]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_process_left_is_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(aside(&folder.path().join("weights")), "half").unwrap();
        fs::write(folder.path().join(".hidden"), "mine").unwrap();
        sweep(folder.path());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_keeps_the_old_file_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir_all(path.join("full")).unwrap(); // a folder in the way: the rename fails
        assert!(write_durably(&path, b"new").is_err());
        assert!(path.join("full").is_dir());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write_durably(&folder.path().join("missing/file"), b"new").is_err());
    }
}
