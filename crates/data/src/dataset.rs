//! Datasets: those that have a name, and those that are the path of a folder or file.
//!
//! ```text
//! name ─► catalogue ─► locate (look, or fetch and unpack) ─► idx_folder, cifar ─► Splits of images in memory
//! path ─────────────────────────────────────────────────────► idx_folder, cifar ─► the same
//!                                                             folder, table ─────► Splits of images in files
//! ```

use std::path::Path;

#[cfg(feature = "download")]
mod archive;
mod catalogue;
mod cifar;
mod files;
mod folder;
pub mod idx;
mod idx_folder;
mod image_set;
mod listing;
mod locate;
mod splits;
mod table;

pub use catalogue::{CATALOGUE, NamedDataset, PublishedFile, Reader, find, is_named};
pub use cifar::Cifar;
pub use image_set::{ImageSet, LabelledImage};
pub use splits::{LoadOptions, Splits};

use crate::error::DataError;

impl Splits {
    /// Loads a dataset by name (one of [`CATALOGUE`]'s), or by the path of a folder of pictures with a folder for each class,
    /// of a CSV file that lists pictures, or of a folder of IDX files.
    ///
    /// A name is looked for in `data_dir/<name>` and `data_dir` if given, then in `assets/<name>` from the current folder
    /// upward, then in the user's cache folder. Found nowhere, it is downloaded to `data_dir/<name>` or else the cache folder,
    /// unless `offline`.
    ///
    /// # Errors
    /// If it is not there, or a file is damaged.
    pub fn load(dataset: &str, options: &LoadOptions) -> Result<Self, DataError> {
        if let Some(named) = find(dataset) {
            let folder = locate::locate(named, options)?;
            return named.read(&folder);
        }
        let path = Path::new(dataset);
        if path.is_file() {
            return table::read(path);
        }
        if !path.is_dir() {
            let known = CATALOGUE.iter().map(|named| named.name).collect();
            return Err(DataError::Unknown { name: dataset.to_owned(), known });
        }
        // CIFAR's files say which dataset they are.
        let cifar = CATALOGUE.iter().filter(|named| matches!(named.reader, Reader::Cifar(_)));
        if let Some((named, folder)) = cifar.filter_map(|named| Some((named, named.find_in(path)?))).next() {
            return named.read(&folder);
        }
        if idx_folder::has_begun(path) {
            return read_idx_folder(path);
        }
        folder::read(path, options.skip_unreadable)
    }
}

/// IDX files without names of classes. A folder that is called like a dataset of the kind has that one's preprocessing.
fn read_idx_folder(folder: &Path) -> Result<Splits, DataError> {
    let name = splits::folder_name(folder);
    let alike = find(&name).filter(|named| matches!(named.reader, Reader::Idx { .. }));
    let preprocess = alike.map_or(catalogue::padded_light_ink as fn(&ImageSet) -> _, |named| named.preprocess);
    idx_folder::read(folder, name, None, preprocess)
}
