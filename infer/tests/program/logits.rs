//! One path for an image: a file gives the numbers that training and evaluation see.

use std::sync::Arc;

use image::GrayImage;
use kiln_backend::NdArray;
use kiln_data::{Loader, LoaderConfig};
use kiln_model::InferenceNetwork;
use serde_json::Value;

use super::{classify, folder, mnist_test};

/// Three full batches and a short one.
const COUNT: usize = 200;
const BATCH: usize = 64;

#[test]
fn an_image_file_gives_exactly_the_logits_of_the_dataset() {
    let set = mnist_test().first(COUNT);
    let folder = folder(&[]);
    for index in 0..COUNT {
        let image = GrayImage::from_raw(28, 28, set.pixels(index).unwrap().to_vec()).unwrap();
        image.save(folder.path().join(format!("{index:04}.png"))).unwrap();
    }
    let ended = classify(folder.path(), &[".", "--format", "jsonl", "--logits", "-b", &BATCH.to_string()]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let logits = |line: &str| -> Vec<f32> {
        let answer: Value = serde_json::from_str(line).unwrap();
        serde_json::from_value(answer["logits"].clone()).unwrap()
    };
    let from_files: Vec<Vec<f32>> = ended.out.lines().map(logits).collect();

    let weights = infer::built_in().unwrap();
    let device = Default::default();
    let network = InferenceNetwork::<NdArray>::new(weights.clone(), device).unwrap();
    let options = LoaderConfig { batch_size: BATCH, shuffle: None, workers: 0, augment: None };
    let loader = Loader::new("mnist", Arc::new(set), &weights.description().preprocess, options);
    let mut from_dataset = Vec::new();
    for batch in loader.epoch(1, 0) {
        let batch = batch.unwrap();
        let logits = network.logits(batch.images, batch.shape).unwrap();
        from_dataset.extend(logits.chunks(10).map(<[f32]>::to_vec));
    }
    assert_eq!(from_files, from_dataset);
}
