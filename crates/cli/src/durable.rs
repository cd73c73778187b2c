//! Writing so that nothing is lost: a file is either the old one or the new one, never half of either.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::{Exit, Failure};

/// Writes a file aside, flushes it to the disk and renames it into place. On failure the old file is untouched.
///
/// # Errors
/// What the system says; nothing is left behind.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    written_aside(path, bytes)?.persist(path).map_err(|error| error.error)?;
    sync_folder(folder(path))
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
    let aside = written_aside(path, bytes);
    let written = aside.and_then(|aside| aside.persist_noclobber(path).map_err(|error| error.error));
    match written.and_then(|_| sync_folder(folder(path))) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let what = format!("{}: is there already and stays as it is; name another file", path.display());
            Err(Failure::new(Exit::Usage, what))
        }
        written => written.map_err(|error| Failure::write(path, &error)),
    }
}

/// The bytes in a hidden neighbour of the file, which goes again unless it is renamed.
fn written_aside(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let prefix = format!(".{name}.");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(ASIDE);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any new file: what the user's mask leaves of it.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder(path))?;
    // The file itself: what `NamedTempFile` says of an error names the neighbour, which nobody knows.
    file.as_file_mut().write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn folder(path: &Path) -> &Path {
    let parent = path.parent().unwrap_or(Path::new(""));
    if parent.as_os_str().is_empty() { Path::new(".") } else { parent }
}

/// Makes the names in a folder durable, where the system can.
///
/// # Errors
/// What the system says.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    // Windows has no handle to a folder that could be flushed; renames are durable there.
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
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

    #[cfg(unix)]
    #[test]
    fn a_file_may_be_read_by_those_who_may_read_any_other() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, usual) = (folder.path().join("ours"), folder.path().join("usual"));
        write_durably(&ours, b"").unwrap();
        fs::write(&usual, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&usual));
    }

    #[test]
    fn a_new_file_never_takes_the_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        write_new_file(&path, b"first").unwrap();
        assert_eq!(write_new_file(&path, b"second").unwrap_err().exit, Exit::Usage);
        assert_eq!((fs::read(&path).unwrap(), fs::read_dir(folder.path()).unwrap().count()), (b"first".to_vec(), 1));
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
        written_aside(&folder.path().join("weights"), b"half").unwrap().keep().unwrap();
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
