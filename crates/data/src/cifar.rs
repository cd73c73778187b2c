//! CIFAR-10 and CIFAR-100 in their binary form: records of labels and 3 x 32 x 32 bytes, planes of red, green and blue.
//!
//! Source of the format: <https://www.cs.toronto.edu/~kriz/cifar.html>.

use std::path::{Path, PathBuf};

use crate::named::Splits;
use crate::preprocess::{Filter, Polarity, Resize, ResizeMode};
use crate::{DataError, ImageSet, Preprocess};

const SHAPE: [usize; 3] = [3, 32, 32];
const PIXELS: usize = 3 * 32 * 32;

/// One of the two datasets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cifar {
    /// The name that users type.
    pub(crate) name: &'static str,
    /// The folder that the archive unpacks to.
    pub(crate) folder: &'static str,
    train: &'static [&'static str],
    test: &'static str,
    /// The names of the classes, one a line.
    names: &'static str,
    classes: usize,
    /// Bytes before the pixels; the last of them is the class.
    labels: usize,
}

/// Both of them.
pub(crate) const CIFAR: [Cifar; 2] = [
    Cifar {
        name: "cifar10",
        folder: "cifar-10-batches-bin",
        train: &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
        test: "test_batch.bin",
        names: "batches.meta.txt",
        classes: 10,
        labels: 1,
    },
    // Each picture has a coarse class of 20 before its fine class of 100.
    Cifar {
        name: "cifar100",
        folder: "cifar-100-binary",
        train: &["train.bin"],
        test: "test.bin",
        names: "fine_label_names.txt",
        classes: 100,
        labels: 2,
    },
];

impl Cifar {
    /// Whether all files are in `folder`.
    pub(crate) fn is_in(&self, folder: &Path) -> bool {
        self.train.iter().chain([&self.test, &self.names]).all(|file| folder.join(file).is_file())
    }

    /// Takes the files out of the archive that is downloaded, into `folder`. Each appears whole or not at all.
    #[cfg(feature = "download")]
    pub(crate) fn unpack(&self, archive: &Path, folder: &Path) -> Result<(), DataError> {
        let damaged = |error: std::io::Error| DataError::Read { path: archive.to_owned(), reason: error.to_string() };
        let file = std::fs::File::open(archive).map_err(damaged)?;
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(std::io::BufReader::new(file)));
        for entry in archive.entries().map_err(damaged)? {
            let mut entry = entry.map_err(damaged)?;
            let path = entry.path().map_err(damaged)?.into_owned();
            // Only what belongs to it, by its bare name: an archive cannot write elsewhere.
            let wanted = |name: &&&str| path.file_name().is_some_and(|found| found == **name);
            let Some(name) = self.train.iter().chain([&self.test, &self.names]).find(wanted) else { continue };
            let (path, aside) = (folder.join(name), folder.join(format!("{name}.{}.part", std::process::id())));
            let written = std::fs::File::create(&aside).and_then(|mut file| {
                std::io::copy(&mut entry, &mut file)?;
                file.sync_all()?;
                std::fs::rename(&aside, &path)
            });
            written.map_err(|error| DataError::Write(format!("{}: cannot be written: {error}", path.display())))?;
        }
        Ok(())
    }

    /// Reads the files of `folder`.
    pub(crate) fn read(&self, folder: &Path) -> Result<Splits, DataError> {
        let files: Vec<_> = self.train.iter().map(|file| folder.join(file)).collect();
        let train = self.read_set(&files)?;
        let test = self.read_set(&[folder.join(self.test)])?;
        let classes = self.class_names(&folder.join(self.names))?;
        let (mean, std) = train.mean_and_std();
        let [channels, height, width] = SHAPE;
        let resize = Resize { filter: Filter::Bilinear, mode: ResizeMode::Crop, resize_to: None };
        let preprocess = Preprocess { channels, height, mean, polarity: Polarity::AsIs, resize, std, width };
        Ok(Splits { name: self.name.to_owned(), train, valid: None, test, classes, preprocess: Some(preprocess) })
    }

    fn read_set(&self, paths: &[PathBuf]) -> Result<ImageSet, DataError> {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for path in paths {
            let bytes = std::fs::read(path)
                .map_err(|error| DataError::Read { path: path.clone(), reason: error.to_string() })?;
            let record = self.labels + PIXELS;
            if bytes.is_empty() {
                return Err(DataError::Empty { path: path.clone() });
            }
            if bytes.len() % record != 0 {
                let expected = (bytes.len().div_ceil(record) * record) as u64;
                return Err(DataError::Truncated { path: path.clone(), offset: bytes.len() as u64, expected });
            }
            for (index, record_bytes) in bytes.chunks_exact(record).enumerate() {
                let (before, image) = record_bytes.split_at(self.labels);
                let label = usize::from(before[self.labels - 1]);
                if label >= self.classes {
                    let offset = (index * record + self.labels - 1) as u64;
                    return Err(DataError::Label { path: path.clone(), offset, label, classes: self.classes });
                }
                labels.push(label as u32);
                pixels.extend_from_slice(image);
            }
        }
        Ok(ImageSet::in_memory(self.name, SHAPE, pixels, labels))
    }

    fn class_names(&self, path: &Path) -> Result<Vec<String>, DataError> {
        let failed = |reason: String| DataError::Read { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let names: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        if names.len() != self.classes {
            return Err(failed(format!("{} names of classes, expected {}", names.len(), self.classes)));
        }
        Ok(names)
    }
}
