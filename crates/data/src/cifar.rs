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
        use std::io::{Read, Write};

        let damaged = |error: std::io::Error| DataError::Read { path: archive.to_owned(), reason: error.to_string() };
        let file = std::fs::File::open(archive).map_err(damaged)?;
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(std::io::BufReader::new(file)));
        for entry in archive.entries().map_err(damaged)? {
            let mut entry = entry.map_err(damaged)?;
            let path = entry.path().map_err(damaged)?.into_owned();
            // Only what belongs to it, by its bare name: an archive cannot write elsewhere.
            let wanted = |name: &&&str| path.file_name().is_some_and(|found| found == **name);
            let Some(name) = self.train.iter().chain([&self.test, &self.names]).find(wanted) else { continue };
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(damaged)?;
            let (path, aside) = (folder.join(name), folder.join(format!("{name}.{}.part", std::process::id())));
            let written = std::fs::File::create(&aside).and_then(|mut file| {
                file.write_all(&bytes)?;
                file.sync_all()?;
                std::fs::rename(&aside, &path)
            });
            written.map_err(|error| {
                // What is left of it is of no use; that it cannot be removed says nothing new.
                let _ = std::fs::remove_file(&aside);
                DataError::Write(format!("{}: cannot be written: {error}", path.display()))
            })?;
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

#[cfg(all(test, feature = "download"))]
mod tests {
    use std::fs;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    const NAMES: &[u8] = b"airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";

    /// Entries in the order and under the folder of the published archive, and one that does not belong to it. The last leads
    /// out of the folder.
    fn archive() -> Vec<u8> {
        let batch = |class: u8| [vec![class], (0..PIXELS).map(|at| ((at * 31) >> 3) as u8).collect()].concat();
        let mut entries = vec![("batches.meta.txt", NAMES.to_vec())];
        entries.extend(["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin"].map(|file| (file, batch(1))));
        entries.extend(["data_batch_4.bin", "data_batch_5.bin"].map(|file| (file, batch(9))));
        entries.extend([("readme.html", b"<html>".to_vec()), ("../../test_batch.bin", batch(2))]);
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, bytes) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            let path = format!("cifar-10-batches-bin/{name}");
            // Builder refuses paths that lead elsewhere; an archive from elsewhere may have them.
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            archive.append(&header, &bytes[..]).unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap()
    }

    fn listing(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn the_archive_gives_its_own_files_and_nothing_else() {
        let outer = tempfile::tempdir().unwrap();
        let (folder, file) = (outer.path().join("data/cifar10"), outer.path().join("archive.tar.gz"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(&file, archive()).unwrap();
        let [cifar10, _] = CIFAR;
        cifar10.unpack(&file, &folder).unwrap();
        let files = ["batches.meta.txt", "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin"];
        let more = ["data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"];
        assert_eq!(listing(&folder), [&files[..], &more].concat());
        assert_eq!(
            (listing(outer.path()).len(), listing(&outer.path().join("data")).len()),
            (2, 1),
            "nothing elsewhere"
        );
        let splits = cifar10.read(&folder).unwrap();
        assert_eq!(splits.train.labels().collect::<Vec<_>>(), [1, 1, 1, 9, 9]);
        assert_eq!(splits.test.labels().collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_damaged_archive_leaves_whole_files_only() {
        let outer = tempfile::tempdir().unwrap();
        let (folder, file) = (outer.path().join("cifar10"), outer.path().join("archive.tar.gz"));
        fs::create_dir(&folder).unwrap();
        let whole = archive();
        let [cifar10, _] = CIFAR;
        for (len, files) in [(0, 0..=0), (5, 0..=0), (whole.len() / 2, 1..=6), (whole.len() - 200, 1..=6)] {
            fs::write(&file, &whole[..len]).unwrap();
            fs::remove_dir_all(&folder).unwrap();
            fs::create_dir(&folder).unwrap();
            let error = cifar10.unpack(&file, &folder).unwrap_err();
            assert!(matches!(&error, DataError::Read { path, .. } if path == &file), "{error}");
            let found = listing(&folder);
            assert!(files.contains(&found.len()), "{found:?} after {len} bytes");
            for name in found {
                let expected = if name.ends_with(".bin") { 1 + PIXELS } else { NAMES.len() };
                assert_eq!(fs::read(folder.join(&name)).unwrap().len(), expected, "{name} after {len} bytes");
            }
        }
    }
}
