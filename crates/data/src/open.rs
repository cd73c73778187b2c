//! Opening what a user names, which may be a pipe.

use std::fs::File;
use std::io;
use std::path::Path;

/// Opens a file for reading. A pipe is opened once somebody writes to it; if nobody does within five seconds, that is an
/// error, where opening it the usual way would wait for ever.
///
/// # Errors
/// What the system says, or that nobody writes to the pipe.
#[cfg(unix)]
pub fn open(path: &Path) -> io::Result<File> {
    use std::fs::OpenOptions;
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{OFlags, fcntl_setfl};

    const WAIT: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

    if !std::fs::metadata(path)?.file_type().is_fifo() {
        return File::open(path);
    }
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
    if poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&WAIT))? == 0 {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "a pipe that nobody writes to"));
    }
    // From here on reading waits for its writer, as usual.
    fcntl_setfl(&file, OFlags::empty())?;
    Ok(file)
}

/// Opens a file for reading.
///
/// # Errors
/// What the system says.
#[cfg(not(unix))]
pub fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}
