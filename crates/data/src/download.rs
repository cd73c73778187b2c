//! Downloading files once, with verification.
//!
//! A [`RemoteFile`] has a name, several addresses of the same bytes, and their checksum. With the feature `download`, `fetch`
//! turns it into a verified file on disk. MD5 guards against damage and stale mirrors, as in torchvision, but not against
//! an attacker.

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
