//! Trains a network of Kiln's as what it is, a Burn module, in a loop of one's own: `cargo run -p kiln --example train`.
//!
//! Needs the crate `burn` beside `kiln`, for its optimizers.

use std::error::Error;
use std::sync::Arc;

use burn::module::AutodiffModule;
use burn::optim::{GradientsParams, Optimizer, SgdConfig};
use burn::tensor::{Int, Tensor, TensorData};
use kiln::Classifier;
use kiln::backend::{NdArray, Training, cross_entropy};
use kiln::data::{LoadOptions, Loader, LoaderConfig, Splits};
use kiln::model::ResNet8Config;
use kiln::model::weights::{Config, Description, FORMAT, to_bytes};

/// The CPU, with gradients. The network is generic: any other backend does as well.
type Cpu = Training<NdArray>;

fn main() -> Result<(), Box<dyn Error>> {
    let digits = Splits::load("mnist", &LoadOptions::default())?;
    let preprocess = digits.preprocess.ok_or("images of one size")?;
    let options = LoaderConfig { batch_size: 64, shuffle: Some(42), workers: 1, augment: None };
    let loader = Loader::new("mnist", Arc::new(digits.train.first(6_400)), &preprocess, options);

    let device = Default::default();
    let mut network = ResNet8Config { channels: 1, classes: digits.classes.len() }.init::<Cpu>(&device);
    let mut optimizer = SgdConfig::new().init();
    for batch in loader.epoch(1, 0) {
        let batch = batch?;
        let images = Tensor::from_data(TensorData::new(batch.images, batch.shape), &device);
        let classes: Vec<i64> = batch.labels.iter().map(|&class| class as i64).collect();
        let targets = Tensor::<Cpu, 1, Int>::from_data(&classes[..], &device);
        let loss = cross_entropy(network.forward(images), targets, 0.);
        let grads = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(0.1, network, grads);
    }

    let description = Description {
        architecture: "resnet8".to_owned(),
        config: Config { classes: digits.classes.len() },
        classes: digits.classes,
        format: FORMAT,
        preprocess,
        temperature: None,
        training: Default::default(),
    };
    let classifier = Classifier::options().load_bytes(&to_bytes(&network.valid(), &description)?)?;
    let images = (0..1000).map(|index| digits.test.pixels(index).map(<[u8]>::to_vec));
    let images: Vec<u8> = images.collect::<Option<Vec<_>>>().ok_or("images in memory")?.concat();
    let logits = classifier.logits_of_pixels(&images)?;
    let right = logits
        .chunks(10)
        .zip(digits.test.labels())
        .filter(|(row, label)| kiln::model::top(row, 1, 1.)[0].class == *label);
    println!("{:.1} % of 1,000 test images", right.count() as f64 / 10.);
    Ok(())
}
