//! A fully connected layer: every output sees every input.
//!
//! An image of 64 x 64 pixels becomes a row of 4096 features `[1, 4096]`; its place in the image is forgotten.
//! The weight is `[10, 4096]`: one row a class, one number a feature. An output is the sum of all features, each times
//! its number in the class's row: `[1, 4096]` times the transposed weight gives `[1, 10]`.
//! That costs 40,960 numbers to learn, and a change of any one pixel moves every output.

use std::process::ExitCode;

use burn::tensor::Tensor;
use kiln_backend::{Backend, Program};

mod drawing;
use drawing::{Sheet, number, terminal, thousands};

const FEATURES: usize = 4096;
const CLASSES: usize = 10;

/// Draws the page.
pub struct Page {
    /// Whether to draw with terminal colours.
    pub colour: bool,
}

impl Program for Page {
    type Output = String;

    fn run<B: Backend>(self, device: B::Device) -> String {
        let mut sheet = Sheet::new(self.colour);
        let (features, weight) = (image::<B>(&device), weight::<B>(&device));
        rows_of_the_weight(&mut sheet, &features, &weight);
        every_output_sees_every_input(&mut sheet, features, weight);
        sheet.finish()
    }
}

/// The layer without bias: `[N, 4096]` and `[10, 4096]` give `[N, 10]`.
fn fully_connected<B: Backend>(features: Tensor<B, 2>, weight: Tensor<B, 2>) -> Tensor<B, 2> {
    features.matmul(weight.transpose())
}

/// A 64 x 64 image of stripes with values 0, 1 and 2, row after row.
fn image<B: Backend>(device: &B::Device) -> Tensor<B, 2> {
    let pixels: Vec<f32> = (0..FEATURES).map(|place| (place % 64 * 3 / 64) as f32).collect();
    Tensor::<B, 1>::from_floats(pixels.as_slice(), device).reshape([1, FEATURES])
}

/// Small whole numbers, none of them zero: sums are then exact in f32.
fn weight<B: Backend>(device: &B::Device) -> Tensor<B, 2> {
    let value = |class: usize, place: usize| [-2., -1., 1., 2., 3.][(place * place / (class + 3) + place + class) % 5];
    let rows: Vec<f32> = (0..CLASSES).flat_map(|class| (0..FEATURES).map(move |place| value(class, place))).collect();
    Tensor::<B, 1>::from_floats(rows.as_slice(), device).reshape([CLASSES, FEATURES])
}

fn rows_of_the_weight<B: Backend>(sheet: &mut Sheet, features: &Tensor<B, 2>, weight: &Tensor<B, 2>) {
    let outputs = fully_connected(features.clone(), weight.clone());
    sheet.title("4096 features, 10 classes");
    sheet.say(format!("image     {:?}   64 x 64 pixels in a row", features.dims()));
    sheet.say(format!("weight {:?}   one row a class", weight.dims()));
    sheet.say(format!("outputs     {:?}   one number a class", outputs.dims()));
    let learnt = weight.shape().num_elements();
    sheet.say(format!("numbers to learn: {CLASSES} x {FEATURES} = {}", thousands(learnt)));
    let outputs = values(outputs);
    let rows: Vec<_> = (0..CLASSES)
        .map(|class| {
            let first: Vec<_> =
                values(weight.clone().slice([class..class + 1, 0..8])).into_iter().map(number).collect();
            vec![class.to_string(), format!("{} ...", first.join(" ")), number(outputs[class])]
        })
        .collect();
    sheet.table(&["class", "its row of the weight", "output"], &rows);
}

fn every_output_sees_every_input<B: Backend>(sheet: &mut Sheet, features: Tensor<B, 2>, weight: Tensor<B, 2>) {
    sheet.title("Every output sees every input");
    sheet.say("Add 1 to a single feature and look at the ten outputs:");
    let before = fully_connected(features.clone(), weight.clone());
    let labelled = |label: String, outputs: Tensor<B, 2>| {
        std::iter::once(label).chain(values(outputs).into_iter().map(number)).collect::<Vec<_>>()
    };
    let mut rows = vec![labelled("as it was".to_owned(), before.clone())];
    for place in [0, 2080, FEATURES - 1] {
        let changed = features.clone() + one_hot(place, 1, &features.device());
        rows.push(labelled(format!("feature {place} + 1"), fully_connected(changed, weight.clone())));
    }
    sheet.table(&["", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"], &rows);

    // All 4096 changes, 512 images at a time.
    let mut moved = 0;
    for first in (0..FEATURES).step_by(512) {
        let changed = features.clone() + one_hot(first, 512, &features.device());
        let after = fully_connected(changed, weight.clone());
        let differences = values(after - before.clone());
        moved += differences.iter().filter(|difference| **difference != 0.).count();
    }
    let pairs = FEATURES * CLASSES;
    sheet.say(format!(
        "All 4096 features, one after the other: {} of {} outputs moved.",
        thousands(moved),
        thousands(pairs)
    ));
}

/// `count` rows `[count, 4096]`; each is 1 at one feature, from `first` on, and 0 elsewhere.
fn one_hot<B: Backend>(first: usize, count: usize, device: &B::Device) -> Tensor<B, 2> {
    let mut rows = vec![0f32; count * FEATURES];
    for row in 0..count {
        rows[row * FEATURES + first + row] = 1.;
    }
    Tensor::<B, 1>::from_floats(rows.as_slice(), device).reshape([count, FEATURES])
}

fn values<B: Backend>(tensor: Tensor<B, 2>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().into_vec().expect("just converted to f32")
}

fn main() -> ExitCode {
    terminal::show(|colour| Page { colour })
}
