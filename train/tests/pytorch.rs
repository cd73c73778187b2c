//! Training is PyTorch's: from the same weights and the same order of images, the losses of the lecture's recipe are those of
//! `golden/losses.py`, and those with clipped gradients, and the averages of the weights, those of `golden/clip_ema.py`.

use std::path::Path;

use burn::optim::GradientsParams;
use burn::tensor::backend::AutodiffBackend;
use kiln_backend::{Backend, BackendName, Program, Target, Training};
use kiln_data::{ImageSet, LoadOptions, PlainBatch, Preprocess, Splits};
use kiln_model::{Architecture, NamedTensor, load_state_dict, state_dict};
use safetensors::SafeTensors;
use train::loss::Loss;
use train::optim::ema::Average;
use train::optim::gradients;
use train::optim::optimizer::Optimizer;
use train::options::Options;
use train::step;

static LOSSES: &[u8] = include_bytes!("golden/losses.safetensors");
static CLIP_EMA: &[u8] = include_bytes!("golden/clip_ema.safetensors");

/// The numbers of a tensor of `f32`.
fn numbers(golden: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let bytes = golden.tensor(name).unwrap().data().chunks(4);
    bytes.map(|bytes| f64::from(f32::from_le_bytes(bytes.try_into().unwrap()))).collect()
}

/// `max|a - b| / max|b|`.
fn difference(ours: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().map(|b| b.abs()).fold(0., f64::max);
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0., f64::max) / largest
}

fn mnist() -> ImageSet {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/mnist");
    let options = LoadOptions { data_dir: Some(assets), offline: true, ..LoadOptions::default() };
    Splits::load("mnist", &options).unwrap().train
}

fn on_cpu<P: Program>(program: P) -> P::Output {
    Target::find(BackendName::NdArray, Default::default()).unwrap().run(program)
}

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
    let golden = SafeTensors::deserialize(LOSSES).unwrap();
    let order = golden.tensor("order").unwrap().data().chunks(2);
    let order: Vec<_> = order.map(|bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]]))).collect();
    let theirs = numbers(&golden, "losses");
    let ours = on_cpu(Losses { train: mnist(), order });
    assert_eq!(theirs.len(), 300);
    // Rounding grows from iteration to iteration where a maximum or a ReLU tips over, in PyTorch against itself as well.
    let (after_20, after_300) = (difference(&ours[..20], &theirs[..20]), difference(&ours, &theirs));
    println!("after 20: {after_20:.1e}, after 300: {after_300:.1e}");
    assert!(after_20 < 1e-5 && after_300 < 1e-3, "{after_20} {after_300}");
}

/// Losses of 20 iterations with clipped gradients, and the averages of the weights after them.
struct ClipAndAverage(ImageSet);

impl Program for ClipAndAverage {
    type Output = (Vec<f64>, Vec<NamedTensor>);

    fn run<B: Backend>(self, device: B::Device) -> Self::Output {
        self.on::<Training<B>>(&device)
    }
}

impl ClipAndAverage {
    fn on<B: AutodiffBackend + Backend>(self, device: &B::Device) -> (Vec<f64>, Vec<NamedTensor>)
    where
        B::InnerBackend: Backend,
    {
        let recipe = Options::defaults().resolved().unwrap().recipe;
        let network = Architecture::LectureCnn.init::<B>(&Architecture::LectureCnn.sizes(10), device);
        let mut network = load_state_dict(network.clone(), formula(state_dict(&network))).unwrap();
        let mut optimizer = Optimizer::<B>::new(recipe.hyperparameters());
        let mut average = Average::new(&network, 0.5);
        let step = |iteration: usize| {
            let indices: Vec<usize> = (64 * iteration..64 * (iteration + 1)).collect();
            let (output, grads) = step::train(&network, &Loss::default(), batch(&self.0, &indices), device);
            let grads = GradientsParams::from_grads(grads, &network);
            let grads = gradients::clip(&network, grads, 0.5);
            network = optimizer.step(0.1, network.clone(), grads);
            average.update(&network, iteration + 1);
            output.metrics.loss()
        };
        let losses = (0..20).map(step).collect();
        (losses, state_dict(&average.network))
    }
}

#[test]
fn clipped_gradients_and_averaged_weights_are_those_of_pytorch() {
    let golden = SafeTensors::deserialize(CLIP_EMA).unwrap();
    assert!(numbers(&golden, "norms").iter().all(|&norm| norm > 0.5), "every gradient is clipped");
    let (losses, average) = on_cpu(ClipAndAverage(mnist()));
    let of_losses = difference(&losses, &numbers(&golden, "losses"));
    assert!(of_losses < 1e-5, "{of_losses}");
    assert_eq!(average.len(), 6);
    for tensor in average {
        let ours: Vec<f64> = tensor.values.iter().map(|&value| f64::from(value)).collect();
        let difference = difference(&ours, &numbers(&golden, &format!("average.{}", tensor.name)));
        assert!(difference < 1e-5, "{}: {difference}", tensor.name);
    }
}
