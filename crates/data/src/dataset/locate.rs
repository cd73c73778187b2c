//! Finding the files of a named dataset, or downloading them.

#[cfg(feature = "download")]
use std::path::Path;
use std::path::PathBuf;

use super::catalogue::NamedDataset;
use super::splits::LoadOptions;
use crate::download::cache_dir;
use crate::error::DataError;

/// Finds a named dataset's folder, or downloads it: to `data_dir` if given, else to the cache folder.
pub(super) fn locate(dataset: &NamedDataset, options: &LoadOptions) -> Result<PathBuf, DataError> {
    let name = dataset.name;
    let here = std::env::current_dir().unwrap_or_default();
    let assets = || here.ancestors().map(|folder| folder.join("assets").join(name));
    let cached = cache_dir().map(|cache| cache.join(name));
    // `data_dir` may contain several datasets, or just this one's files.
    let named = options.data_dir.iter().flat_map(|folder| [folder.join(name), folder.clone()]);
    let mut places = named.chain(assets()).chain(cached.clone());
    if let Some(found) = places.find_map(|folder| dataset.find_in(&folder)) {
        return Ok(found);
    }
    let nearest = assets().next();
    let looked = options.data_dir.clone().into_iter().chain(nearest).chain(cached.clone()).collect();
    match options.data_dir.as_ref().map(|folder| folder.join(name)).or(cached) {
        #[cfg(feature = "download")]
        Some(folder) if !options.offline => fetch(dataset, &folder).map(|()| folder),
        _ => Err(DataError::Missing { dataset: name.to_owned(), looked }),
    }
}

/// Downloads a dataset's files into a folder and unpacks them.
#[cfg(feature = "download")]
fn fetch(dataset: &NamedDataset, folder: &Path) -> Result<(), DataError> {
    use crate::download::{CheckSum, FetchOptions, RemoteFile, fetch};
    let options = FetchOptions { progress: true, ..FetchOptions::default() };
    for file in dataset.files {
        let urls = dataset.urls(file);
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        let remote = RemoteFile { name: file.name, urls: &urls, sum: CheckSum::Md5(file.md5), size: Some(file.size) };
        fetch(&remote, folder, options)?;
    }
    dataset.files.iter().try_for_each(|file| unpack(dataset, &folder.join(file.name), folder))
}

/// Unpacks a downloaded file if it is an archive.
#[cfg(feature = "download")]
fn unpack(dataset: &NamedDataset, downloaded: &Path, folder: &Path) -> Result<(), DataError> {
    use super::catalogue::Reader;
    match dataset.reader {
        Reader::Idx { .. } => Ok(()),
        Reader::Cifar(cifar) => {
            let _progress = super::progress::UnpackProgress::new(downloaded);
            super::archive::unpack(downloaded, folder, &cifar.files())
        }
    }
}

#[cfg(all(test, feature = "download"))]
mod tests {
    use std::fs;

    use flate2::{Compression, write::GzEncoder};

    use super::super::catalogue;
    use super::*;

    const PIXELS: usize = 3 * 32 * 32;

    const NAMES: &[u8] = b"airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";

    /// Entries in the order and under the folder of the published archive, with one that does not belong. The last one's path
    /// leads out of the folder.
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
            // Builder refuses paths that lead out of the folder, but foreign archives may have them.
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
        let cifar10 = catalogue::find("cifar10").unwrap();
        unpack(cifar10, &file, &folder).unwrap();
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
        let cifar10 = catalogue::find("cifar10").unwrap();
        for (len, files) in [(0, 0..=0), (5, 0..=0), (whole.len() / 2, 1..=6), (whole.len() - 200, 1..=6)] {
            fs::write(&file, &whole[..len]).unwrap();
            fs::remove_dir_all(&folder).unwrap();
            fs::create_dir(&folder).unwrap();
            let error = unpack(cifar10, &file, &folder).unwrap_err();
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
