//! Training on pictures in files.

use std::fs;
use std::path::Path;

use crate::run::{Bench, assert_fails, text};

const PICTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/data/tests/pictures");

/// Two classes, grey and coloured, in `folder/train` and `folder/val`, with one file that is no picture.
fn put_pictures(folder: &Path) {
    for (class, picture) in [("coloured", "rgb.jpg"), ("grey", "gray.png")] {
        for (part, count) in [("train", 6), ("val", 2)] {
            let folder = folder.join(part).join(class);
            fs::create_dir_all(&folder).unwrap();
            for index in 0..count {
                fs::copy(Path::new(PICTURES).join(picture), folder.join(format!("{index}-{picture}"))).unwrap();
            }
        }
    }
    fs::write(folder.join("train/grey/broken.png"), "no picture").unwrap();
}

#[test]
fn a_folder_of_pictures_is_learnt_and_what_cannot_be_read_is_named_once() {
    let bench = Bench::new();
    put_pictures(&bench.run("pictures"));
    let flags = "--dataset pictures --model resnet8 -b 4 --epochs 3 --lr 0.05 --hflip 0.5";
    let output = bench.trained(&format!("{flags} --name a -j 2"));
    let printed = text(&output.stdout);
    assert_eq!(printed.matches("left out: pictures/train/grey/broken.png: not a PNG").count(), 1, "{printed}");
    assert!(printed.contains("on pictures: 13 images to train, 4 to validate"), "{printed}");
    let result: serde_json::Value = serde_json::from_slice(&fs::read(bench.run("a/result.json")).unwrap()).unwrap();
    assert_eq!((&result["unreadable"], &result["test_accuracy"]), (&1.into(), &1.0.into()), "colour is easy to tell");

    bench.trained(&format!("{flags} --name b -j 0"));
    assert!(bench.last("a") == bench.last("b"), "whatever the number of workers");

    // Alone in its batches: those are passed over.
    bench.trained("--dataset pictures --model resnet8 -b 1 --epochs 1 --name c --log-interval 1");
    let log = fs::read_to_string(bench.run("c/train.log")).unwrap();
    assert_eq!((log.matches("] loss:").count(), log.matches("NaN").count()), (12, 0), "{log}");
    // Another file is other data.
    fs::copy(Path::new(PICTURES).join("gray.jpg"), bench.run("pictures/train/grey/0-gray.png")).unwrap();
    assert_fails(&bench.resume("--resume c --epochs 2"), 3, &["options and data now give"]);
}

#[test]
fn folders_that_cannot_be_learnt_from_are_refused() {
    let bench = Bench::new();
    fs::create_dir_all(bench.run("empty/cat")).unwrap();
    assert_fails(&bench.train("--dataset empty"), 4, &["empty: no pictures in folders of classes"]);
    for class in ["a", "b"] {
        fs::create_dir_all(bench.run("broken").join(class)).unwrap();
        (0..5).for_each(|i| fs::write(bench.run("broken").join(class).join(format!("{i}.png")), "no").unwrap());
    }
    let output = bench.train("--dataset broken --model resnet8 --name x");
    assert_fails(&output, 4, &["broken: none of its", "not a PNG"]);
}
