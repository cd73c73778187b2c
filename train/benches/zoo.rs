//! Times torchvision's networks: `cargo bench -p train --bench zoo -- BACKEND THREADS NAME..`.
//!
//! Prints `name,batch,seconds`, the median of five passes after one to warm up: a step of SGD with momentum on random images of
//! 224 x 224 pixels. `infer bench` times the forward pass.

use std::time::Instant;

use burn::optim::GradientsParams;
use burn::tensor::{Distribution, Tensor};
use kiln_backend::{Backend, BackendName, DeviceChoice, Program, Target, Training, keep_memory, use_threads};
use kiln_data::PlainBatch;
use kiln_model::Architecture;
use train::loss::Loss;
use train::optim::optimizer::{Hyperparameters, Optimizer, OptimizerName};
use train::step;

const PASSES: usize = 5;
const BATCH: usize = 8;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [backend, threads, names @ ..] = &arguments[..] else {
        eprintln!("usage: zoo BACKEND THREADS NAME..");
        return;
    };
    use_threads(threads.parse().expect("THREADS is a number")).expect("the first use of the pool");
    keep_memory();
    let backend: BackendName = backend.parse().expect("a backend");
    let target = Target::find(backend, DeviceChoice::Auto).expect("a device");
    for name in names {
        target.run(Zoo { architecture: name.parse().expect("a network") });
    }
}

struct Zoo {
    architecture: Architecture,
}

impl Program for Zoo {
    type Output = ();

    fn run<B: Backend>(self, device: B::Device) {
        let architecture = self.architecture;
        let sizes = architecture.sizes(1000);
        let network = architecture.seeded::<Training<B>>(&sizes, 1, &device);
        let hyperparameters =
            Hyperparameters { name: OptimizerName::Sgd, momentum: 0.9, weight_decay: 0., bias_weight_decay: 0. };
        let (mut network, mut optimizer) = (network, Optimizer::new(hyperparameters));
        let pixels = Tensor::<B, 1>::random([BATCH * 3 * 224 * 224], Distribution::Normal(0., 1.), &device);
        let pixels = pixels.into_data().into_vec::<f32>().expect("f32");
        let labels: Vec<usize> = (0..BATCH).collect();
        let batch =
            PlainBatch { images: pixels, shape: [BATCH, 3, 224, 224], indices: labels.clone(), labels, mix: None };
        let seconds = median(|| {
            let (_, grads) = step::train(&network, &Loss::default(), batch.clone(), &device);
            let grads = GradientsParams::from_grads(grads, &network);
            network = optimizer.step(0.001, network.clone(), grads);
        });
        println!("{architecture},{BATCH},{seconds:.5}");
    }
}

/// Seconds of the middle pass.
fn median(mut pass: impl FnMut()) -> f64 {
    pass();
    let mut seconds = [0.; PASSES];
    for seconds in &mut seconds {
        let start = Instant::now();
        pass();
        *seconds = start.elapsed().as_secs_f64();
    }
    seconds.sort_by(f64::total_cmp);
    seconds[PASSES / 2]
}
