//! Datasets of pictures: folders, tables, CIFAR's files.
#![cfg(feature = "images")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn_dataset::Dataset;
use kiln_data::augment::RandomResizedCrop;
use kiln_data::{Augment, DataError, ImageSet, LoadOptions, Loader, LoaderConfig, Preprocess, Splits};

const GRAY: &[u8] = include_bytes!("pictures/gray.png");
const COLOUR: &[u8] = include_bytes!("pictures/rgb.jpg");

fn put(folder: &Path, path: &str, bytes: &[u8]) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn load(path: &Path) -> Result<Splits, DataError> {
    Splits::load(path.to_str().unwrap(), &LoadOptions { offline: true, ..LoadOptions::default() })
}

/// How many images there are of each class.
fn counts(set: &ImageSet) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    set.labels().for_each(|label| *counts.entry(label).or_default() += 1);
    counts
}

#[test]
fn a_folder_with_train_and_val_is_what_torchvision_takes_it_for() {
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in [
        ("train/dog/b.PNG", GRAY),
        ("train/dog/deeper/still/a.jpeg", COLOUR),
        ("train/cat/ünïcode name.jpg", COLOUR),
        ("train/cat/.hidden.png", GRAY),
        ("train/cat/notes.txt", b"no picture"),
        ("train/.cache/x/a.png", GRAY),
        ("train/no class.png", GRAY),
        ("val/cat/a.png", GRAY),
    ] {
        put(folder.path(), path, bytes);
    }
    let splits = load(folder.path()).unwrap();
    assert_eq!(splits.classes, ["cat", "dog"]);
    assert_eq!((counts(&splits.train), counts(&splits.test)), ([(0, 1), (1, 2)].into(), [(0, 1)].into()));
    assert!(splits.valid.is_none() && splits.preprocess.is_none());
    let first = splits.train.get(0).unwrap();
    assert_eq!((first.label, first.picture.unwrap().channels, first.fitted), (0, 3, false));

    put(folder.path(), "test/dog/c.png", GRAY);
    let splits = load(folder.path()).unwrap();
    assert_eq!((counts(&splits.valid.unwrap()), counts(&splits.test)), ([(0, 1)].into(), [(1, 1)].into()));

    fs::create_dir(folder.path().join("train/fox")).unwrap();
    assert!(matches!(load(folder.path()), Err(DataError::EmptyClass { path }) if path.ends_with("train/fox")));
    fs::remove_dir(folder.path().join("train/fox")).unwrap();

    put(folder.path(), "val/bird/a.png", GRAY);
    let error = load(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with("val/bird/a.png: its class `bird` has no training pictures"), "{error}");
}

#[test]
fn a_folder_of_classes_gives_every_fifth_picture_of_each_to_the_test() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..20 {
        put(folder.path(), &format!("many/{index}.png"), GRAY);
        put(folder.path(), &format!("few/{index}.png"), GRAY);
    }
    (20..60).for_each(|index| put(folder.path(), &format!("many/{index}.png"), GRAY));
    let splits = load(folder.path()).unwrap();
    assert_eq!((counts(&splits.train), counts(&splits.test)), ([(0, 16), (1, 48)].into(), [(0, 4), (1, 12)].into()));
    assert_eq!(counts(&splits.train.first(8)), [(0, 2), (1, 6)].into(), "the first of them are of all classes");
    let again = load(folder.path()).unwrap();
    assert_eq!(splits.train.checksum(0), again.train.checksum(0));
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_those_that_lead_nowhere_are_named() {
    use std::os::unix::fs::symlink;
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(elsewhere.path(), "pictures/a.png", GRAY);
    put(folder.path(), "cat/a.png", GRAY);
    put(folder.path(), "dog/a.png", GRAY);
    symlink(elsewhere.path().join("pictures"), folder.path().join("dog/linked")).unwrap();
    symlink(folder.path(), folder.path().join("dog/loop")).unwrap();
    symlink(folder.path().join("nowhere.png"), folder.path().join("cat/gone.png")).unwrap();
    let splits = load(folder.path()).unwrap();
    assert_eq!(counts(&splits.train).values().sum::<usize>() + counts(&splits.test).values().sum::<usize>(), 3);
    let unreadable: Vec<_> = splits.train.unreadable().into_iter().map(|(path, _)| path).collect();
    assert_eq!(unreadable, [folder.path().join("cat/gone.png"), folder.path().join("dog/loop")]);
}

#[test]
fn pictures_that_cannot_be_read_are_left_out_and_named() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "train/a/1.png", GRAY);
    put(folder.path(), "train/a/2.png", b"not a picture");
    put(folder.path(), "train/b/3.png", &GRAY[..GRAY.len() / 2]);
    put(folder.path(), "train/b/4.jpg", COLOUR);
    put(folder.path(), "val/a/1.png", GRAY);
    let splits = load(folder.path()).unwrap();
    for workers in [0, 2] {
        let config = LoaderConfig { batch_size: 3, shuffle: None, workers, augment: None };
        let loader =
            Loader::new("test", std::sync::Arc::new(splits.train.clone()), &Preprocess::imagenet(8, 8, 8), config);
        let batches: Vec<_> = loader.epoch(1, 0).collect::<Result<_, _>>().unwrap();
        let indices: Vec<_> = batches.iter().map(|batch| batch.indices.clone()).collect();
        assert_eq!(indices, [vec![0], vec![3]]);
        assert_eq!((batches[1].shape, batches[1].labels.clone()), ([1, 3, 8, 8], vec![1]));
    }
    let unreadable: Vec<_> = splits.train.unreadable().into_iter().map(|(path, _)| path).collect();
    assert_eq!(unreadable, ["train/a/2.png", "train/b/3.png"].map(|path| folder.path().join(path)));
}

#[test]
fn a_table_names_pictures_and_classes() {
    let folder = tempfile::tempdir().unwrap();
    (0..10).for_each(|index| put(folder.path(), &format!("{index}.png"), GRAY));
    let table = folder.path().join("list.csv");
    let rows = |range: std::ops::Range<usize>| {
        range.map(|i| format!("{i}.png,{}\n", ["no", "yes"][i % 2])).collect::<String>()
    };
    fs::write(&table, format!("path,label\n{}", rows(0..10))).unwrap();
    let splits = load(&table).unwrap();
    assert_eq!((splits.name.as_str(), splits.classes), ("list", vec!["no".to_owned(), "yes".to_owned()]));
    assert_eq!((counts(&splits.train), counts(&splits.test)), ([(0, 4), (1, 4)].into(), [(0, 1), (1, 1)].into()));
    assert!(splits.train.get(0).unwrap().picture.is_some());

    fs::write(&table, "label, split, path\nno,train,0.png\nyes,,1.png\nyes,val,2.png\nno,test,3.png\n").unwrap();
    let splits = load(&table).unwrap();
    assert_eq!([splits.train.len(), splits.valid.unwrap().len(), splits.test.len()], [2, 1, 1]);

    for (text, expected) in [
        ("file,label\na.png,x\n", "missing field `path`"),
        ("path,label\na.png\n", "record 1"),
        ("path,label,split\na.png,x,vla\n", "line 2: split `vla`, expected train, val or test"),
        ("path,label\na.png,x\nb.png,x\n", "needs at least two classes, found `x` alone"),
        ("path,label\na.png,x\nb.png,\n", "line 3: a path or label is missing"),
        ("path,label\n", "needs at least two classes, found none"),
    ] {
        fs::write(&table, text).unwrap();
        let error = load(&table).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{error}");
    }
}

/// Records of CIFAR: labels, then the index in every byte.
fn records(labels: &[&[u8]]) -> Vec<u8> {
    let record = |(index, labels): (usize, &&[u8])| [labels.to_vec(), vec![index as u8; 3072]].concat();
    labels.iter().enumerate().flat_map(record).collect()
}

fn put_cifar10(folder: &Path) {
    (1..=5).for_each(|part| put(folder, &format!("data_batch_{part}.bin"), &records(&[&[part], &[9]])));
    put(folder, "test_batch.bin", &records(&[&[0]]));
    put(folder, "batches.meta.txt", b"airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n");
}

#[test]
fn cifar_is_read_from_its_binary_files() {
    let folder = tempfile::tempdir().unwrap();
    put_cifar10(&folder.path().join("cifar10/cifar-10-batches-bin"));
    let source = LoadOptions { data_dir: Some(folder.path().to_owned()), offline: true, ..LoadOptions::default() };
    let splits = Splits::load("cifar10", &source).unwrap();
    assert_eq!(splits.train.labels().collect::<Vec<_>>(), [1, 9, 2, 9, 3, 9, 4, 9, 5, 9]);
    assert_eq!((splits.test.len(), splits.classes[9].as_str()), (1, "truck"));
    let picture = splits.train.get(3).unwrap().picture.unwrap();
    assert_eq!((picture.channels, picture.height, picture.width, picture.pixels), (3, 32, 32, vec![1; 3072]));
    let preprocess = splits.preprocess.unwrap();
    assert_eq!((preprocess.mean.len(), preprocess.height), (3, 32));
    assert_eq!(load(&folder.path().join("cifar10")).unwrap().name, "cifar10", "by its path");

    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "train.bin", &records(&[&[3, 99], &[0, 7]]));
    put(folder.path(), "test.bin", &records(&[&[19, 0]]));
    let names: String = (0..100).map(|class| format!("class {class}\n")).collect();
    put(folder.path(), "fine_label_names.txt", names.as_bytes());
    let splits = load(folder.path()).unwrap();
    assert_eq!((splits.name.as_str(), splits.train.labels().collect::<Vec<_>>()), ("cifar100", vec![99, 7]));
}

#[test]
fn damaged_cifar_names_file_and_place() {
    let damaged = |file: &str, bytes: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        put_cifar10(folder.path());
        put(folder.path(), file, bytes);
        load(folder.path()).unwrap_err()
    };
    let cut = damaged("data_batch_4.bin", &records(&[&[1], &[2]])[..4000]);
    assert!(matches!(cut, DataError::Truncated { offset: 4000, expected: 6146, .. }), "{cut}");
    let label = damaged("test_batch.bin", &records(&[&[1], &[10]]));
    assert!(matches!(label, DataError::Label { offset: 3073, label: 10, classes: 10, .. }), "{label}");
    assert!(matches!(damaged("test_batch.bin", b""), DataError::Empty { .. }));
    assert!(matches!(damaged("batches.meta.txt", b"one\n"), DataError::Read { .. }));
}

#[test]
fn parts_are_known_in_any_case_and_the_training_part_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    for path in ["Train/a/1.png", "Train/b/1.png", "Test/a/1.png"] {
        put(folder.path(), path, GRAY);
    }
    let splits = load(folder.path()).unwrap();
    assert_eq!((splits.classes, splits.test.len()), (vec!["a".to_owned(), "b".to_owned()], 1));
    fs::rename(folder.path().join("Train"), folder.path().join("learn")).unwrap();
    assert!(matches!(load(folder.path()).unwrap_err(), DataError::NoTraining { .. }));
}

/// Black on white, as paper is: a part of such a picture is turned over as the whole is.
#[test]
fn a_random_part_of_a_drawing_has_the_polarity_of_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let ink = include_bytes!("pictures/ink.png");
    for path in ["train/a/1.png", "train/b/1.png", "val/a/1.png"] {
        put(folder.path(), path, ink);
    }
    let splits = load(folder.path()).unwrap();
    let mean = |augment| {
        let config = LoaderConfig { batch_size: 2, shuffle: None, workers: 0, augment };
        let loader = Loader::new("test", std::sync::Arc::new(splits.train.clone()), &Preprocess::mnist(), config);
        let batch = loader.epoch(1, 0).next().unwrap().unwrap();
        batch.images.iter().sum::<f32>() / batch.images.len() as f32
    };
    let crop = RandomResizedCrop { scale: (0.9, 1.), ratio: (1., 1.) };
    let augment = Augment { resized_crop: Some(crop), ..Augment::default() };
    let (whole, part) = (mean(None), mean(Some((augment, 1))));
    assert!((whole - part).abs() < 0.3, "{whole} {part}");
}

#[test]
fn a_folder_without_pictures_says_what_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "cat/readme.txt", b"");
    let error = load(folder.path()).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "no pictures in folders of classes below this folder (png, apng, jpg, jpeg, jpe, jfif, bmp, dib, webp, gif)"
        ),
        "{error}"
    );
    put(folder.path(), "cat/a.png", GRAY);
    assert!(matches!(load(folder.path()).unwrap_err(), DataError::Classes { .. }));
}
