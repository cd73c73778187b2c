//! The recipe is PyTorch's: from the same weights and the same order of images, the losses of the first 300 iterations
//! are those of `golden/losses.py`.

use std::path::Path;

use burn::optim::GradientsParams;
use burn::tensor::backend::AutodiffBackend;
use kiln_backend::{Backend, BackendName, Program, Target, Training};
use kiln_data::{ImageSet, LoadOptions, PlainBatch, Preprocess, Splits};
use kiln_model::{Architecture, NamedTensor, load_state_dict, state_dict};
use safetensors::SafeTensors;
use train::loss::Loss;
use train::optim::optimizer::Optimizer;
use train::options::Options;
use train::step;

static GOLDEN: &[u8] = include_bytes!("golden/losses.safetensors");

/// The weights of `formula.py`: value `i` of the `p`-th tensor.
fn formula(tensors: Vec<NamedTensor>) -> Vec<NamedTensor> {
    let mut fan_in = 0;
    let fill = |(p, mut tensor): (usize, NamedTensor)| {
        if tensor.shape.len() > 1 {
            fan_in = tensor.shape[1..].iter().product();
        }
        let scale = 2. / (fan_in as f64).sqrt();
        for (i, value) in tensor.values.iter_mut().enumerate() {
            let n = (i as u64 * 2_654_435_761 + (p as u64 + 1) * 2_246_822_519) % (1 << 32);
            *value = ((n as f64 / (1u64 << 32) as f64 - 0.5) * scale) as f32;
        }
        tensor
    };
    tensors.into_iter().enumerate().map(fill).collect()
}

/// A batch of the images at `indices`.
fn batch(set: &ImageSet, indices: &[usize]) -> PlainBatch {
    let mut images = vec![0.; indices.len() * 784];
    let preprocess = Preprocess::mnist();
    for (&index, out) in indices.iter().zip(images.chunks_mut(784)) {
        preprocess.normalise_into(set.pixels(index).unwrap(), out);
    }
    let labels = indices.iter().map(|&index| set.label(index).unwrap()).collect();
    PlainBatch { images, shape: [indices.len(), 1, 28, 28], labels, indices: indices.to_vec(), mix: None }
}

struct Losses {
    train: ImageSet,
    order: Vec<usize>,
}

impl Program for Losses {
    type Output = Vec<f64>;

    fn run<B: Backend>(self, device: B::Device) -> Vec<f64> {
        self.on::<Training<B>>(&device)
    }
}

impl Losses {
    fn on<B: AutodiffBackend + Backend>(self, device: &B::Device) -> Vec<f64>
    where
        B::InnerBackend: Backend,
    {
        let recipe = Options::defaults().resolved().unwrap().recipe;
        let network = Architecture::LectureCnn.init::<B>(&Architecture::LectureCnn.sizes(10), device);
        let weights = formula(state_dict(&network));
        let mut network = load_state_dict(network, weights).unwrap();
        let mut optimizer = Optimizer::<B>::new(recipe.hyperparameters());
        let step = |indices: &[usize]| {
            let (output, grads) = step::train(&network, &Loss::default(), batch(&self.train, indices), device);
            let grads = GradientsParams::from_grads(grads, &network);
            network = optimizer.step(recipe.lr.unwrap(), network.clone(), grads);
            output.metrics.loss()
        };
        self.order.chunks(64).map(step).collect()
    }
}

#[test]
fn the_first_300_losses_are_those_of_pytorch() {
    let golden = SafeTensors::deserialize(GOLDEN).unwrap();
    let order = golden.tensor("order").unwrap().data().chunks(2);
    let order: Vec<_> = order.map(|bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]]))).collect();
    let losses = golden.tensor("losses").unwrap().data().chunks(4);
    let theirs: Vec<_> = losses.map(|bytes| f64::from(f32::from_le_bytes(bytes.try_into().unwrap()))).collect();

    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/mnist");
    let train = Splits::load("mnist", &LoadOptions { data_dir: Some(assets), offline: true, ..LoadOptions::default() })
        .unwrap()
        .train;
    let target = Target::find(BackendName::NdArray, Default::default()).unwrap();
    let ours = target.run(Losses { train, order });

    assert_eq!((ours.len(), theirs.len()), (300, 300));
    let difference = |count: usize| {
        let pairs = || ours[..count].iter().zip(&theirs);
        let largest = pairs().map(|(_, b)| b.abs()).fold(0., f64::max);
        pairs().map(|(a, b)| (a - b).abs()).fold(0., f64::max) / largest
    };
    // Rounding grows from iteration to iteration where a maximum or a ReLU tips over, in PyTorch against itself as well.
    println!("after 20: {:.1e}, after 300: {:.1e}", difference(20), difference(300));
    assert!(difference(20) < 1e-5, "{}", difference(20));
    assert!(difference(300) < 1e-3, "{}", difference(300));
}
