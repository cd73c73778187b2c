//! Times the lecture's network on MNIST's test images: `cargo bench -p infer --bench inference -- BACKEND THREADS BATCH..`.
//!
//! Prints `batch,seconds,correct`: for each batch size the median of three passes over the 10,000 images, which are f32
//! tensors before the clock starts, and how many were classified right. The logits are read back within the time.

use std::path::Path;
use std::time::Instant;

use burn::tensor::{Tensor, TensorData};
use kiln_backend::{Backend, BackendName, DeviceChoice, Program, Target, use_threads};
use kiln_data::{ImageSet, LoadOptions, Normaliser, Splits};
use kiln_model::Confusion;
use kiln_model::weights::Weights;

const PASSES: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [backend, threads, batches @ ..] = &arguments[..] else {
        eprintln!("usage: inference BACKEND THREADS BATCH..");
        return;
    };
    use_threads(threads.parse().expect("THREADS is a number")).expect("the first use of the pool");
    let backend: BackendName = backend.parse().expect("a backend");
    let target = Target::find(backend, DeviceChoice::Auto).expect("a device");
    let images =
        Splits::load("mnist", &LoadOptions { offline: true, ..LoadOptions::default() }).expect("the images").test;
    let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/models/lecture-cnn.safetensors");
    let weights = Weights::read(Path::new(weights)).expect("the weights");
    let batches = batches.iter().map(|batch| batch.parse().expect("BATCH is a number")).collect();
    target.run(Inference { images, weights, batches });
}

struct Inference {
    images: ImageSet,
    weights: Weights,
    batches: Vec<usize>,
}

impl Program for Inference {
    type Output = ();

    fn run<B: Backend>(self, device: B::Device) {
        let description = self.weights.description().clone();
        let normaliser = Normaliser::new(&description.preprocess);
        let network = self.weights.into_network::<B>(&device).expect("the weights fit");
        let [channels, height, width] = self.images.shape().expect("in memory");
        let indices: Vec<usize> = (0..self.images.labels().count()).collect();
        for batch in self.batches {
            let tensors: Vec<Tensor<B, 4>> = indices
                .chunks(batch)
                .map(|indices| {
                    let pixels = indices.iter().flat_map(|&index| self.images.pixels(index).expect("an image"));
                    let pixels: Vec<u8> = pixels.copied().collect();
                    let mut values = vec![0.; pixels.len()];
                    normaliser.normalise_into(&pixels, &mut values);
                    Tensor::from_data(TensorData::new(values, [indices.len(), channels, height, width]), &device)
                })
                .collect();
            let mut seconds = [0.; PASSES];
            let mut logits = Vec::new();
            for seconds in &mut seconds {
                logits.clear();
                let start = Instant::now();
                for images in &tensors {
                    let data = network.forward(images.clone()).into_data();
                    logits.extend_from_slice(data.as_slice::<f32>().expect("f32"));
                }
                *seconds = start.elapsed().as_secs_f64();
            }
            seconds.sort_by(f64::total_cmp);
            let labels: Vec<usize> = self.images.labels().collect();
            let classes = description.classes.len();
            let predicted = Confusion::new(classes).add(&logits, &labels);
            let correct = predicted.iter().zip(&labels).filter(|(predicted, label)| predicted == label).count();
            println!("{batch},{:.5},{correct}", seconds[PASSES / 2]);
        }
    }
}
