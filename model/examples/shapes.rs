//! Shapes: the walk of an image through a network.
//!
//! The first part extracts features: convolutions change channels and size, pooling halves the size and keeps the
//! channels, `[N, 1, 28, 28]` becomes `[N, 8, 4, 4]`. The second part classifies: the features in a row `[N, 128]`, a
//! fully connected layer, one number a class `[N, 10]`. Each row of the tables is the shape of a tensor that was
//! computed, for one image; the second network is the lecture's.

use std::process::ExitCode;

use burn::tensor::{Distribution, Tensor, activation::relu};
use kiln_backend::{Backend, ConvOptions, Pool, Program, conv2d, max_pool2d, relative_difference};
use kiln_model::{LectureCnn, LectureCnnConfig};

mod drawing;
use drawing::{Sheet, difference, terminal, thousands};

/// Draws the page.
pub struct Page {
    /// Whether to draw with terminal colours.
    pub colour: bool,
}

impl Program for Page {
    type Output = String;

    fn run<B: Backend>(self, device: B::Device) -> String {
        let mut sheet = Sheet::new(self.colour);
        first_network::<B>(&mut sheet, &device);
        lecture_cnn::<B>(&mut sheet, &device);
        sheet.finish()
    }
}

/// Feature extractor: conv 5 x 5 to 4 channels, pool, conv 5 x 5 to 8 channels, pool. Classifier: linear 128 to 10.
fn first_network<B: Backend>(sheet: &mut Sheet, device: &B::Device) {
    let random = |shape: [usize; 4]| Tensor::<B, 4>::random(shape, Distribution::Uniform(-0.1, 0.1), device);
    sheet.title("A small network");
    let mut walk = Walk::start(random([1, 1, 28, 28]));
    walk.convolution(random([4, 1, 5, 5]), Tensor::zeros([4], device));
    walk.pooling();
    walk.convolution(random([8, 4, 5, 5]), Tensor::zeros([8], device));
    walk.pooling();
    let features = walk.flatten();
    walk.linear(features, random([1, 1, 128, 10]).reshape([128, 10]), Tensor::zeros([10], device));
    walk.draw(sheet);
    sheet
        .say("Subsampling (pooling) halves height and width and keeps the channels; only a convolution changes those.");
}

/// The lecture's network, layer by layer with its own weights, then at once.
fn lecture_cnn<B: Backend>(sheet: &mut Sheet, device: &B::Device) {
    let model: LectureCnn<B> = LectureCnnConfig::new().init(device);
    let image = Tensor::<B, 4>::random([1, 1, 28, 28], Distribution::Default, device);
    sheet.title("The lecture's CNN");
    let mut walk = Walk::start(image.clone());
    for conv in [&model.conv1, &model.conv2] {
        let bias = conv.bias.as_ref().expect("the lecture's convolutions have a bias");
        walk.convolution(conv.weight.val(), bias.val());
        walk.pooling();
        walk.relu();
    }
    let features = walk.flatten();
    let bias = model.fc.bias.as_ref().expect("the lecture's classifier has a bias");
    let logits = walk.linear(features, model.fc.weight.val(), bias.val());
    walk.draw(sheet);
    let whole = model.forward(image);
    let apart = relative_difference(&logits.into_data(), &whole.into_data());
    let same = if apart < 1e-4 { "the same ten numbers" } else { "other numbers!" };
    sheet.say(format!("LectureCnn::forward gives {same} (relative difference {}).", difference(apart)));
}

/// An image on its way, and the table of what it has become.
struct Walk<B: Backend> {
    x: Tensor<B, 4>,
    rows: Vec<Vec<String>>,
    learnt: usize,
}

impl<B: Backend> Walk<B> {
    fn start(x: Tensor<B, 4>) -> Self {
        let mut walk = Self { x, rows: Vec::new(), learnt: 0 };
        walk.note("feature extractor", "image", &walk.x.dims(), 0);
        walk
    }

    /// Adds a row; the batch is left out of the shape.
    fn note(&mut self, part: &str, layer: &str, shape: &[usize], learnt: usize) {
        let sides: Vec<_> = shape[1..].iter().map(usize::to_string).collect();
        self.rows.push(vec![part.to_owned(), layer.to_owned(), sides.join(" x "), thousands(learnt)]);
        self.learnt += learnt;
    }

    /// Weight `[out, in, kh, kw]`, bias `[out]`.
    fn convolution(&mut self, weight: Tensor<B, 4>, bias: Tensor<B, 1>) {
        let [out, channels, kh, kw] = weight.dims();
        let plain = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        self.x = conv2d(self.x.clone(), weight, Some(bias), plain).expect("the channels fit");
        let layer = format!("conv {kh} x {kw}, {channels} -> {out}");
        self.note("", &layer, &self.x.dims(), out * channels * kh * kw + out);
    }

    fn pooling(&mut self) {
        self.x = max_pool2d(self.x.clone(), &Pool::square(2)).expect("the window fits");
        self.note("", "max-pool 2", &self.x.dims(), 0);
    }

    fn relu(&mut self) {
        self.x = relu(self.x.clone());
        self.note("", "ReLU", &self.x.dims(), 0);
    }

    /// Channels, rows and columns in one row: `[N, C, H, W]` gives `[N, C H W]`.
    fn flatten(&mut self) -> Tensor<B, 2> {
        let features: Tensor<B, 2> = self.x.clone().flatten(1, 3);
        self.note("classifier", "flatten", &features.dims(), 0);
        features
    }

    /// Weight `[in, out]` as Burn keeps it, bias `[out]`.
    fn linear(&mut self, features: Tensor<B, 2>, weight: Tensor<B, 2>, bias: Tensor<B, 1>) -> Tensor<B, 2> {
        let [inputs, outputs] = weight.dims();
        let logits = features.matmul(weight) + bias.unsqueeze();
        self.note("", &format!("linear {inputs} -> {outputs}"), &logits.dims(), inputs * outputs + outputs);
        logits
    }

    fn draw(self, sheet: &mut Sheet) {
        sheet.table(&["part", "layer", "shape", "numbers to learn"], &self.rows);
        sheet.say(format!("numbers to learn in all: {}", thousands(self.learnt)));
    }
}

fn main() -> ExitCode {
    terminal::show(|colour| Page { colour })
}
