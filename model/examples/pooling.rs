//! Max-pooling: each window keeps its largest value.
//!
//! A window of 2 x 2 moves by its own size, so windows lie side by side and height and width halve:
//! `[N, C, H, W]` becomes `[N, C, H/2, W/2]`. A feature that moves by a pixel inside its window still gives the same
//! result. There are no weights, nothing is learnt, and each channel is pooled alone: `C` stays.

use std::process::ExitCode;

use burn::tensor::Tensor;
use kiln_backend::{Backend, Pool, Program, max_pool2d};

mod drawing;
use drawing::{Grid, Sheet, terminal};

/// Draws the page.
pub struct Page {
    /// Whether to draw with terminal colours.
    pub colour: bool,
}

impl Program for Page {
    type Output = String;

    fn run<B: Backend>(self, device: B::Device) -> String {
        let mut sheet = Sheet::new(self.colour);
        one_channel::<B>(&mut sheet, &device);
        two_channels::<B>(&mut sheet, &device);
        sheet.finish()
    }
}

/// Windows of 2 x 2, side by side.
fn pool<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    max_pool2d(x, &Pool::square(2)).expect("2 x 2 fits on 4 x 4")
}

/// One channel of 4 x 4 `[1, 1, 4, 4]`.
fn channel<B: Backend>(device: &B::Device) -> Tensor<B, 4> {
    let rows = [[3., 4., 5., 6.], [2., 4., 6., 8.], [1., 6., 7., 8.], [9., 7., 4., 6.]];
    Tensor::<B, 2>::from_floats(rows, device).unsqueeze()
}

fn one_channel<B: Backend>(sheet: &mut Sheet, device: &B::Device) {
    sheet.title("Max-pooling 2 x 2");
    let x = channel::<B>(device);
    let result = pool(x.clone());
    let steps: Vec<_> = [[0, 0], [0, 1], [1, 0], [1, 1]]
        .into_iter()
        .map(|[row, column]| {
            let largest = Grid::value(&result, [0, 0, row, column]);
            Grid::of(format!("largest: {largest}"), &x, [0, 0]).window([2 * row, 2 * column], [2, 2])
        })
        .collect();
    sheet.row(&steps);
    sheet.row(&[Grid::of("input", &x, [0, 0]), Grid::sign("->"), Grid::of("result", &result, [0, 0])]);
    let Pool { kernel, stride, .. } = Pool::square(2);
    sheet.say(format!("window {kernel:?}, stride {stride:?} (the window's own size), numbers to learn: none"));
}

fn two_channels<B: Backend>(sheet: &mut Sheet, device: &B::Device) {
    let first = channel::<B>(device);
    let second = first.clone().flip([2, 3]) * 10.;
    let dark = second.zeros_like();
    sheet.title("Two channels");
    draw(sheet, Tensor::cat(vec![first.clone(), second], 1));
    sheet.title("Channels never mix: a dark second one leaves the first one's result as it was");
    draw(sheet, Tensor::cat(vec![first, dark], 1));
}

/// Two channels and what pooling makes of them.
fn draw<B: Backend>(sheet: &mut Sheet, x: Tensor<B, 4>) {
    let result = pool(x.clone());
    sheet.row(&[
        Grid::of("channel 0", &x, [0, 0]),
        Grid::of("channel 1", &x, [0, 1]),
        Grid::sign("->"),
        Grid::of("result 0", &result, [0, 0]),
        Grid::of("result 1", &result, [0, 1]),
    ]);
    sheet.say(format!("{:?} -> {:?}", x.dims(), result.dims()));
}

fn main() -> ExitCode {
    terminal::show(|colour| Page { colour })
}
