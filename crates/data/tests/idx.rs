//! IDX files, good and damaged: every fault is a typed error that names the file and the offset.

use std::error::Error as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use kiln_data::dataset::idx;
use kiln_data::{DataError, ImageSet, LoadOptions, Splits};

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/mnist")
}

fn images_file(count: u32, height: u32, width: u32, pixels: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3];
    [count, height, width].iter().for_each(|side| bytes.extend(side.to_be_bytes()));
    bytes.extend(pixels);
    bytes
}

fn labels_file(labels: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 1];
    bytes.extend((labels.len() as u32).to_be_bytes());
    bytes.extend(labels);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn written(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn the_real_mnist_has_the_known_counts_and_first_labels() {
    let splits =
        Splits::load("mnist", &LoadOptions { data_dir: Some(assets()), offline: true, ..LoadOptions::default() })
            .unwrap();
    assert_eq!((splits.train.labels().count(), splits.test.labels().count()), (60_000, 10_000));
    assert_eq!(splits.train.shape(), Some([1, 28, 28]));
    assert_eq!(splits.train.labels().take(10).collect::<Vec<_>>(), [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    assert_eq!(splits.test.labels().take(10).collect::<Vec<_>>(), [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    // The figures that everybody normalises MNIST with.
    assert_eq!(splits.train.mean_and_std(), (vec![0.1307], vec![0.3081]));
    assert_eq!(splits.classes, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
}

#[test]
fn plain_and_compressed_files_read_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = images_file(2, 1, 3, &[1, 2, 3, 4, 5, 6]);
    let plain = idx::read_images(&written(&folder, "plain", &bytes)).unwrap();
    assert_eq!((plain.count, plain.height, plain.width, &plain.pixels[..]), (2, 1, 3, &[1, 2, 3, 4, 5, 6][..]));
    assert_eq!(idx::read_images(&written(&folder, "compressed.gz", &gzip(&bytes))).unwrap(), plain);
    // Unpacked by a browser that kept the name.
    assert_eq!(idx::read_images(&written(&folder, "unpacked.gz", &bytes)).unwrap(), plain);
}

#[test]
fn damage_is_found_and_located() {
    let folder = tempfile::tempdir().unwrap();
    let good = images_file(2, 2, 2, &[7; 8]);
    let compressed = gzip(&images_file(50, 28, 28, &[9; 50 * 784]));
    let mut bad_checksum = compressed.clone();
    let checksum = bad_checksum.len() - 6;
    bad_checksum[checksum] ^= 0xff;
    let cases: [(&str, Vec<u8>, &str); 10] = [
        ("empty", vec![], "offset 0: expected an IDX file of images (00 00 08 03), found the bytes []"),
        ("text", b"hello".to_vec(), "found the bytes [68, 65, 6c, 6c]"),
        ("labels", labels_file(&[1, 2]), "expected an IDX file of images"),
        ("no-size", good[..10].to_vec(), "truncated at offset 10: the header promises 12 bytes"),
        ("short", good[..20].to_vec(), "truncated at offset 20: the header promises 24 bytes"),
        ("long", [&good[..], &[0]].concat(), "offset 24: more bytes than the header promises"),
        ("flat", images_file(2, 0, 2, &[]), "offset 8: an image height of 0"),
        (
            "huge",
            images_file(u32::MAX, 4096, 4096, &[1; 99]),
            "truncated at offset 115: the header promises 72057594021150736",
        ),
        ("cut.gz", compressed[..compressed.len() / 2].to_vec(), "damaged gzip data after"),
        ("sum.gz", bad_checksum, "damaged gzip data after 39216 bytes of content"),
    ];
    for (name, bytes, expected) in cases {
        let path = written(&folder, name, &bytes);
        let message = idx::read_images(&path).unwrap_err().to_string();
        assert!(message.starts_with(&path.display().to_string()), "{name}: {message}");
        assert!(message.contains(expected), "{name}: {message}");
        assert!(!message.contains('\n'), "{name}: {message}");
    }
}

#[test]
fn what_the_system_said_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let missing = idx::read_images(&folder.path().join("missing")).unwrap_err();
    let cause = missing.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind);
    assert_eq!(cause, Some(io::ErrorKind::NotFound));
}

#[test]
fn images_and_labels_must_belong_together() {
    let folder = tempfile::tempdir().unwrap();
    let images = written(&folder, "images", &images_file(2, 1, 1, &[1, 2]));
    let labels = written(&folder, "labels", &labels_file(&[0, 1, 2]));
    let error = ImageSet::from_idx("pair", &images, &labels).unwrap_err();
    assert!(matches!(error, DataError::CountMismatch { labels: 3, images: 2, .. }), "{error}");
    let nothing = written(&folder, "nothing", &images_file(0, 1, 1, &[]));
    let error = ImageSet::from_idx("none", &nothing, &written(&folder, "no-labels", &labels_file(&[]))).unwrap_err();
    assert!(matches!(error, DataError::Empty { .. }), "{error}");
}

#[test]
fn a_folder_of_idx_files_is_a_dataset_and_its_faults_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let load = || Splits::load(folder.path().to_str().unwrap(), &LoadOptions::default());
    let message = load().unwrap_err().to_string();
    assert!(message.contains("no pictures in folders of classes"), "{message}");

    written(&folder, "train-images-idx3-ubyte", &images_file(4, 2, 3, &[10; 24]));
    let message = load().unwrap_err().to_string();
    assert!(message.contains("no train-labels-idx1-ubyte or train-labels-idx1-ubyte.gz"), "{message}");
    written(&folder, "train-labels-idx1-ubyte", &labels_file(&[0, 1, 2, 1]));
    written(&folder, "t10k-images-idx3-ubyte", &images_file(1, 2, 3, &[10; 6]));
    written(&folder, "t10k-labels-idx1-ubyte", &labels_file(&[2]));
    let splits = load().unwrap();
    let preprocess = splits.preprocess.unwrap();
    assert_eq!((splits.classes.len(), preprocess.height, preprocess.width), (3, 2, 3));
    preprocess.validate().unwrap();

    let labels = written(&folder, "t10k-labels-idx1-ubyte", &labels_file(&[3]));
    let message = load().unwrap_err().to_string();
    assert_eq!(message, format!("{}: offset 8: label 3, but there are 3 classes", labels.display()));
    written(&folder, "t10k-images-idx3-ubyte", &images_file(1, 3, 3, &[10; 9]));
    assert!(matches!(load().unwrap_err(), DataError::SizeMismatch { found: [1, 3, 3], .. }));
}

#[test]
fn what_is_no_dataset_is_refused_with_the_choices() {
    let message = Splits::load("imagenet", &LoadOptions::default()).unwrap_err().to_string();
    assert!(message.contains("mnist, fashion-mnist, kmnist, cifar10 or cifar100"), "{message}");
}

#[test]
fn a_validation_split_is_stratified_and_fixed_by_its_seed() {
    let splits =
        Splits::load("mnist", &LoadOptions { data_dir: Some(assets()), offline: true, ..LoadOptions::default() })
            .unwrap();
    let (rest, taken) = splits.train.split(6_000, 42).unwrap();
    assert_eq!((rest.labels().count(), taken.labels().count()), (54_000, 6_000));
    let mut counts = [[0usize; 2]; 10];
    splits.train.labels().for_each(|label| counts[label][0] += 1);
    taken.labels().for_each(|label| counts[label][1] += 1);
    for (label, [all, part]) in counts.into_iter().enumerate() {
        assert!(part.abs_diff(all / 10) <= 1, "class {label}: {part} of {all}");
    }
    let again = splits.train.split(6_000, 42).unwrap().1;
    assert_eq!(taken.labels().collect::<Vec<_>>(), again.labels().collect::<Vec<_>>());
    let pixels = |set: &ImageSet| (0..6_000).flat_map(|index| set.pixels(index).unwrap().to_vec()).collect::<Vec<_>>();
    assert_eq!(pixels(&taken), pixels(&again));
    assert_ne!(pixels(&taken), pixels(&splits.train.split(6_000, 43).unwrap().1), "another seed, another part");
    assert!(splits.train.split(60_000, 42).is_err());
    // A part of a part keeps pointing at the right images.
    assert_eq!(taken.first(3).pixels(2), taken.pixels(2));
}
