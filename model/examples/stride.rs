//! Stride: the kernel moves by more than one pixel at a time.
//!
//! With stride 2 it visits every second place in both directions, and the result has half the height and width:
//! `H' = (H + 2p - k) / 2 + 1`, rounded down. The numbers are those of stride 1 with every second row and column left
//! out, at a quarter of the work. `[1, 1, 5, 5]` becomes `[1, 1, 2, 2]`, or with padding 1 `[1, 1, 3, 3]`.

use std::process::ExitCode;

use burn::tensor::{Tensor, ops::PadMode, s};
use kiln_backend::{Backend, ConvOptions, Program, conv2d};

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
        for padding in [0, 1] {
            stride_two::<B>(&mut sheet, padding, &device);
        }
        sheet.finish()
    }
}

/// Convolution without bias.
fn convolve<B: Backend>(x: Tensor<B, 4>, kernel: Tensor<B, 4>, stride: usize, padding: usize) -> Tensor<B, 4> {
    conv2d(x, kernel, None, ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1)).expect("3 x 3 fits on 5 x 5")
}

/// One channel of 5 x 5 pixels `[1, 1, 5, 5]`.
fn image<B: Backend>(device: &B::Device) -> Tensor<B, 4> {
    let rows =
        [[3., 4., 6., 5., 7.], [2., 4., 6., 8., 2.], [1., 6., 7., 8., 4.], [9., 7., 4., 6., 2.], [3., 7., 5., 4., 1.]];
    Tensor::<B, 2>::from_floats(rows, device).unsqueeze()
}

/// The kernel 1 to 9 `[1, 1, 3, 3]`.
fn kernel<B: Backend>(device: &B::Device) -> Tensor<B, 4> {
    Tensor::<B, 2>::from_floats([[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]], device).unsqueeze()
}

fn stride_two<B: Backend>(sheet: &mut Sheet, padding: usize, device: &B::Device) {
    let (x, kernel) = (image::<B>(device), kernel::<B>(device));
    let border = x.clone().pad((padding, padding, padding, padding), PadMode::Constant(0.));
    let result = convolve(x.clone(), kernel.clone(), 2, padding);
    let [_, _, height, width] = result.dims();

    sheet.title(&format!("Stride 2, padding {padding}"));
    sheet.say("The window jumps by two, along a row and from row to row; these are the places of the first two rows:");
    for row in 0..2 {
        let steps: Vec<_> = (0..width)
            .map(|column| {
                let value = Grid::value(&result, [0, 0, row, column]);
                Grid::of(format!("sum {value}"), &border, [0, 0]).window([2 * row, 2 * column], [3, 3])
            })
            .collect();
        sheet.row(&steps);
    }
    sheet.say(format!("{height} x {width} places in all:"));
    sheet.row(&[Grid::of("kernel", &kernel, [0, 0]), Grid::of("result", &result, [0, 0])]);

    let every = convolve(x, kernel, 1, padding);
    let second = every.clone().slice(s![.., .., ..;2, ..;2]);
    sheet.say("The same numbers from stride 1, keeping every second row and column:");
    sheet.row(&[Grid::of("stride 1", &every, [0, 0]), Grid::of("every second", &second, [0, 0])]);
}

fn main() -> ExitCode {
    terminal::show(|colour| Page { colour })
}
