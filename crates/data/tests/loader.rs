//! The loader: the same batches for any number of workers, every image once, nothing lost in silence.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use burn_dataset::Dataset;
use kiln_data::{DataError, LabelledImage, LoadOptions, Loader, LoaderConfig, PlainBatch, Preprocess, Splits};

fn mnist(count: usize) -> Arc<dyn Dataset<LabelledImage>> {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/mnist");
    Arc::new(
        Splits::load("mnist", &LoadOptions { data_dir: Some(assets), offline: true, ..LoadOptions::default() })
            .unwrap()
            .test
            .first(count),
    )
}

fn loader(dataset: Arc<dyn Dataset<LabelledImage>>, shuffle: Option<u64>, workers: usize) -> Loader {
    Loader::new("test", dataset, &Preprocess::mnist(), LoaderConfig { batch_size: 64, shuffle, workers, augment: None })
}

fn batches(loader: &Loader, epoch: usize, first: usize) -> Vec<PlainBatch> {
    loader.epoch(epoch, first).collect::<Result<_, _>>().unwrap()
}

#[test]
fn any_number_of_workers_gives_the_same_batches() {
    let dataset = mnist(1000);
    let alone = batches(&loader(dataset.clone(), Some(42), 0), 3, 0);
    assert_eq!(alone.len(), 16);
    assert_eq!(alone[15].shape, [40, 1, 28, 28], "the last short batch is kept");
    for workers in [1, 2, 3, 16, 40] {
        assert_eq!(batches(&loader(dataset.clone(), Some(42), workers), 3, 0), alone, "{workers} workers");
    }
}

#[test]
fn an_epoch_goes_on_where_it_was_left() {
    for workers in [0, 3] {
        let loader = loader(mnist(1000), Some(7), workers);
        assert_eq!(batches(&loader, 2, 5), batches(&loader, 2, 0)[5..], "{workers} workers");
        assert!(batches(&loader, 2, 16).is_empty());
    }
}

#[test]
fn every_image_comes_once_an_epoch_in_a_new_order_each_time() {
    let loader = loader(mnist(1000), Some(42), 2);
    let indices = |epoch| batches(&loader, epoch, 0).into_iter().flat_map(|batch| batch.indices).collect::<Vec<_>>();
    let (first, second) = (indices(1), indices(2));
    assert_eq!(first.iter().collect::<HashSet<_>>().len(), 1000);
    assert_eq!(second.iter().collect::<HashSet<_>>().len(), 1000);
    assert_ne!(first, second);
}

#[test]
fn batches_hold_the_images_they_name_normalised() {
    let dataset = mnist(200);
    for batch in batches(&loader(dataset.clone(), Some(1), 2), 1, 0) {
        for ((&index, &label), pixels) in batch.indices.iter().zip(&batch.labels).zip(batch.images.chunks(784)) {
            let item = dataset.get(index).unwrap();
            assert_eq!(item.label, label);
            for (&byte, &value) in item.picture.unwrap().pixels.iter().zip(pixels) {
                assert_eq!(value, (f32::from(byte) / 255. - 0.1307) / 0.3081);
            }
        }
    }
}

#[test]
fn a_reader_that_stops_early_leaves_no_thread_waiting() {
    let mut epoch = loader(mnist(1000), None, 3).epoch(1, 0);
    assert_eq!(epoch.next().unwrap().unwrap().indices, (0..64).collect::<Vec<_>>());
    drop(epoch); // joins the workers: a deadlock would hang here
}

/// Loses one image.
struct Gap(Arc<dyn Dataset<LabelledImage>>);

impl Dataset<LabelledImage> for Gap {
    fn get(&self, index: usize) -> Option<LabelledImage> {
        (index != 130).then(|| self.0.get(index)).flatten()
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

#[test]
fn an_image_that_cannot_be_read_ends_the_epoch_with_an_error() {
    for workers in [0, 1, 3] {
        let made: Vec<_> = loader(Arc::new(Gap(mnist(1000))), None, workers).epoch(1, 0).collect();
        assert_eq!(made.len(), 3, "two good batches and the error");
        let error = made.into_iter().next_back().unwrap().unwrap_err();
        assert!(matches!(error, DataError::Item { index: 130, len: 1000, .. }), "{error}");
    }
}
