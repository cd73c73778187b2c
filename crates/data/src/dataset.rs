//! Datasets, given by name or by the path of a folder or file.
//!
//! ```text
//! name ─► catalogue ─► locate (search, or download and unpack) ─► idx_folder, cifar ─► Splits of images in memory
//! path ─────────────────────────────────────────────────────────► idx_folder, cifar ─► the same
//!                                                                 folder, table ─────► Splits of images in files
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
mod progress;
mod splits;
mod table;

pub use catalogue::{CATALOGUE, NamedDataset, PublishedFile, Reader, find, is_named};
pub use cifar::Cifar;
pub use image_set::{ImageSet, LabelledImage};
pub use splits::{LoadOptions, Splits, validation_count};

use crate::error::DataError;

impl Splits {
    /// Loads a dataset by name (see [`CATALOGUE`]) or by path: a folder of pictures with one folder for each class, a CSV file
    /// that lists pictures, or a folder of IDX or CIFAR files.
    ///
    /// A named dataset is searched for in `data_dir/<name>` and `data_dir` if given, then in `assets/<name>` in the current
    /// folder and its ancestors, then in the user's cache folder. If it is in none of these, it is downloaded to
    /// `data_dir/<name>`, or to the cache folder without `data_dir`, unless `offline` is set.
    ///
    /// # Errors
    /// If the dataset cannot be found or downloaded, or one of its files is damaged.
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
        // CIFAR's file names tell which of the datasets it is.
        let cifar = CATALOGUE.iter().filter(|named| matches!(named.reader, Reader::Cifar(_)));
        if let Some((named, folder)) = cifar.filter_map(|named| Some((named, named.find_in(path)?))).next() {
            return named.read(&folder);
        }
        if idx_folder::has_any(path) {
            return read_idx_folder(path);
        }
        folder::read(path, options.skip_unreadable)
    }
}

/// Reads IDX files that come without class names. If the folder is named like an IDX dataset of the catalogue, that
/// dataset's preprocessing applies.
fn read_idx_folder(folder: &Path) -> Result<Splits, DataError> {
    let name = splits::folder_name(folder);
    let alike = find(&name).filter(|named| matches!(named.reader, Reader::Idx { .. }));
    let preprocess = alike.map_or(catalogue::padded_light_ink as fn(&ImageSet) -> _, |named| named.preprocess);
    idx_folder::read(folder, name, None, preprocess)
}
