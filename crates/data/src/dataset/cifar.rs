//! The binary format of CIFAR-10 and CIFAR-100: records of one or two label bytes and `[3, 32, 32]` bytes of pixels, the
//! planes being red, green and blue.
//!
//! Source of the format: <https://www.cs.toronto.edu/~kriz/cifar.html>.

use std::path::{Path, PathBuf};

use super::image_set::ImageSet;
use super::splits::Splits;
use crate::error::DataError;
use crate::preprocess::Preprocess;

const SHAPE: [usize; 3] = [3, 32, 32];
const PIXELS: usize = 3 * 32 * 32;

/// The files of a dataset in CIFAR's binary format, and the layout of their records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cifar {
    /// The folder inside the published archive.
    pub folder: &'static str,
    /// The training files.
    pub train: &'static [&'static str],
    /// The test file.
    pub test: &'static str,
    /// The file of class names, one a line.
    pub class_names: &'static str,
    /// Number of classes.
    pub classes: usize,
    /// Number of label bytes at the start of a record; the last of them is the class.
    pub label_bytes: usize,
}

impl Cifar {
    /// The names of all the files.
    pub(super) fn files(&self) -> Vec<&'static str> {
        self.train.iter().chain([&self.test, &self.class_names]).copied().collect()
    }

    /// The folder with all the files: `folder` itself, or the archive's folder in it.
    pub(super) fn find_in(&self, folder: &Path) -> Option<PathBuf> {
        let is_complete = |folder: &PathBuf| self.files().iter().all(|file| folder.join(file).is_file());
        [folder.to_owned(), folder.join(self.folder)].into_iter().find(is_complete)
    }

    /// Reads the files in `folder` as the dataset `name`.
    pub(super) fn read(
        &self,
        folder: &Path,
        name: &str,
        preprocess: fn(&ImageSet) -> Preprocess,
    ) -> Result<Splits, DataError> {
        let files: Vec<_> = self.train.iter().map(|file| folder.join(file)).collect();
        let train = self.read_set(name, &files)?;
        let test = self.read_set(name, &[folder.join(self.test)])?;
        let classes = self.read_class_names(&folder.join(self.class_names))?;
        let preprocess = Some(preprocess(&train));
        Ok(Splits { name: name.to_owned(), train, valid: None, test, classes, preprocess })
    }

    fn read_set(&self, name: &str, paths: &[PathBuf]) -> Result<ImageSet, DataError> {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for path in paths {
            let bytes = std::fs::read(path).map_err(|source| DataError::Read { path: path.clone(), source })?;
            let record = self.label_bytes + PIXELS;
            if bytes.is_empty() {
                return Err(DataError::Empty { path: path.clone() });
            }
            if bytes.len() % record != 0 {
                let expected = (bytes.len().div_ceil(record) * record) as u64;
                return Err(DataError::Truncated { path: path.clone(), offset: bytes.len() as u64, expected });
            }
            for (index, record_bytes) in bytes.chunks_exact(record).enumerate() {
                let (before, image) = record_bytes.split_at(self.label_bytes);
                let label = usize::from(before[self.label_bytes - 1]);
                if label >= self.classes {
                    let offset = (index * record + self.label_bytes - 1) as u64;
                    return Err(DataError::Label { path: path.clone(), offset, label, classes: self.classes });
                }
                labels.push(label as u32);
                pixels.extend_from_slice(image);
            }
        }
        Ok(ImageSet::in_memory(name, SHAPE, pixels, labels))
    }

    fn read_class_names(&self, path: &Path) -> Result<Vec<String>, DataError> {
        let failed = |source| DataError::Read { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let names: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        if names.len() != self.classes {
            let what = format!("{} names of classes, expected {}", names.len(), self.classes);
            return Err(failed(std::io::Error::new(std::io::ErrorKind::InvalidData, what)));
        }
        Ok(names)
    }
}
