//! Getting a file from the network once, verified.
//!
//! A [`RemoteFile`] is a name, several addresses of the same bytes, and their checksum; with the feature `download`,
//! `fetch` turns it into a verified file on the disk. MD5 guards against damage and stale mirrors, as in torchvision; it is
//! no protection from an attacker.

#[cfg(feature = "download")]
mod attempt;
mod cache;
mod error;
#[cfg(feature = "download")]
mod fetch;
mod remote_file;
#[cfg(feature = "download")]
mod sum;

pub use cache::cache_dir;
pub use error::DownloadError;
#[cfg(feature = "download")]
pub use fetch::{FetchOptions, fetch};
pub use remote_file::{CheckSum, RemoteFile};
