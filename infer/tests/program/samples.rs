//! The pictures that the README invites people to try.

use super::{assets, classify, folder};

#[test]
fn the_built_in_weights_read_every_sample() {
    let folder = folder(&[]);
    let samples = assets("samples");
    let ended = classify(folder.path(), &[samples.to_str().unwrap(), "--format", "csv", "--topk", "1"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let mut reader = csv::Reader::from_reader(ended.out.as_bytes());
    let read: Vec<String> = reader.records().map(|row| row.unwrap()[1].to_owned()).collect();
    assert_eq!(read, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"], "{}", ended.out);
}
