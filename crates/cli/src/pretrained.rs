//! The weights that torchvision publishes, fetched once.

use std::path::PathBuf;

use kiln_data::cache_dir;
use kiln_data::download::{CheckSum, DownloadError, FetchOptions, RemoteFile, fetch};
use kiln_model::Architecture;
use kiln_model::weights::{Pretrained, WEIGHTS_URL};

use crate::failure::download_advice;
use crate::{Exit, Failure};

/// The variable that names another place for the files, such as a mirror.
const VARIABLE: &str = "KILN_WEIGHTS_URL";

/// The file of an architecture's published weights, in the user's cache folder; it is downloaded if it is not there, unless
/// `offline`.
///
/// # Errors
/// If there are none, or they cannot be had.
pub fn fetch_pretrained(architecture: Architecture, offline: bool) -> Result<PathBuf, Failure> {
    let published = pretrained(architecture)?;
    let Some(cache) = cache_dir() else {
        return Err(Failure::new(Exit::Usage, "--pretrained: no folder for the file: set HOME or XDG_CACHE_HOME"));
    };
    let base = std::env::var(VARIABLE).ok().filter(|base| !base.is_empty());
    let base = base.as_deref().unwrap_or(WEIGHTS_URL).trim_end_matches('/').to_owned();
    let url = format!("{base}/{}", published.file);
    let sum = CheckSum::Sha256Prefix(published.sha256_prefix());
    let file = RemoteFile { name: published.file, urls: &[&url], sum, size: None };
    fetch(&file, &cache.join("weights"), FetchOptions { progress: true, offline, ..FetchOptions::default() }).map_err(
        |error| {
            let exit = if let DownloadError::Io { .. } = error { Exit::Output } else { Exit::Weights };
            Failure::new(exit, format!("--pretrained: {error}{}", download_advice(&error)))
        },
    )
}

/// What torchvision publishes for an architecture.
///
/// # Errors
/// If that is nothing.
pub fn pretrained(architecture: Architecture) -> Result<Pretrained, Failure> {
    architecture.pretrained().ok_or_else(|| {
        let what = "torchvision publishes no weights of";
        Failure::new(Exit::Usage, format!("--pretrained: {what} {architecture}; `infer models` lists those it does"))
    })
}
