//! Padding: a border of zeros lets the kernel reach the image's edge.
//!
//! A kernel of 3 x 3 has only 3 x 3 places on 5 x 5 pixels, so each convolution shrinks the image: `H' = H - k + 1`.
//! With `p` zeros on every side it is `H' = H + 2p - k + 1`. For an odd `k`, `p = k/2` (rounded down: 3 gives 1,
//! 5 gives 2) makes `2p = k - 1`, and the size stays. The kernel's centre then visits every pixel once.

use std::process::ExitCode;

use burn::tensor::{Tensor, ops::PadMode};
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
            padded::<B>(&mut sheet, padding, &device);
        }
        half_the_kernel::<B>(&mut sheet, &device);
        sheet.finish()
    }
}

/// Convolution with `padding` zeros on every side, no bias; the kernel moves by one pixel.
fn convolve<B: Backend>(x: Tensor<B, 4>, kernel: Tensor<B, 4>, padding: usize) -> Tensor<B, 4> {
    conv2d(x, kernel, None, ConvOptions::new([1, 1], [padding; 2], [1, 1], 1)).expect("the kernel fits on the image")
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

fn padded<B: Backend>(sheet: &mut Sheet, padding: usize, device: &B::Device) {
    let (x, kernel) = (image::<B>(device), kernel::<B>(device));
    let border = x.clone().pad((padding, padding, padding, padding), PadMode::Constant(0.));
    let result = convolve(x, kernel.clone(), padding);
    sheet.title(&format!("Padding {padding}"));
    let [_, _, height, width] = border.dims();
    let caption = if padding == 0 { "image" } else { "image with border" };
    sheet.row(&[
        Grid::of(format!("{caption}, {height} x {width}"), &border, [0, 0]).window([0, 0], [3, 3]),
        Grid::sign("*"),
        Grid::of("kernel", &kernel, [0, 0]),
        Grid::sign("="),
        Grid::of("result", &result, [0, 0]).window([0, 0], [1, 1]),
    ]);
}

fn half_the_kernel<B: Backend>(sheet: &mut Sheet, device: &B::Device) {
    sheet.title("Padding k/2 keeps the size");
    sheet.say("An image of 28 x 28 under kernels of k x k; the sizes are those of computed results.");
    let size = |k: usize, padding: usize| {
        let x = Tensor::<B, 4>::ones([1, 1, 28, 28], device);
        let [_, _, height, width] = convolve(x, Tensor::ones([1, 1, k, k], device), padding).dims();
        format!("{height} x {width}")
    };
    let rows: Vec<_> = [1, 3, 5, 7, 4]
        .into_iter()
        .map(|k| vec![k.to_string(), size(k, 0), (k / 2).to_string(), size(k, k / 2)])
        .collect();
    sheet.table(&["k", "padding 0", "k/2", "padding k/2"], &rows);
    sheet.say("k - 1 places are lost without a border; k/2 zeros on both sides give back 2 (k/2) = k - 1 of them.");
    sheet.say("Only an odd k has a centre: 4 would need a border of one and a half.");
}

fn main() -> ExitCode {
    terminal::show(|colour| Page { colour })
}
