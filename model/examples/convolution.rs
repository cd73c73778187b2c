//! Convolution: a small window of weights slides over the image.
//!
//! At each place the kernel `[kh, kw]` is multiplied with the pixels under it and the products are added: one number of
//! the result. `n` input channels need `n` kernels, whose results are added; `m` output channels need `m` such sets.
//! So the weight is `[m, n, kh, kw]`, whatever the size of the image: `[N, n, H, W]` becomes
//! `[N, m, H - kh + 1, W - kw + 1]`. A bias adds one number to each output channel.

use std::process::ExitCode;

use burn::tensor::{Distribution, ElementConversion, Tensor};
use kiln_backend::{Backend, ConvOptions, Program, ShapeError, conv2d};

mod drawing;
use drawing::{Grid, Sheet, number, terminal};

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
        bias::<B>(&mut sheet, &device);
        several_channels::<B>(&mut sheet, &device);
        layer_shapes::<B>(&mut sheet, &device);
        sheet.finish()
    }
}

/// The kernel moves by one pixel and stays inside the image.
fn convolve<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
) -> Result<Tensor<B, 4>, ShapeError> {
    conv2d(x, weight, bias, ConvOptions::new([1, 1], [0, 0], [1, 1], 1))
}

/// One channel of 5 x 5 pixels `[1, 1, 5, 5]`.
fn image<B: Backend>(device: &B::Device) -> Tensor<B, 4> {
    let rows =
        [[3., 4., 6., 5., 7.], [2., 4., 6., 8., 2.], [1., 6., 7., 8., 4.], [9., 7., 4., 6., 2.], [3., 7., 5., 4., 1.]];
    Tensor::<B, 2>::from_floats(rows, device).unsqueeze()
}

/// One kernel for one channel `[1, 1, 3, 3]`.
fn kernel<B: Backend>(device: &B::Device) -> Tensor<B, 4> {
    Tensor::<B, 2>::from_floats([[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]], device).unsqueeze()
}

fn one_channel<B: Backend>(sheet: &mut Sheet, device: &B::Device) {
    sheet.title("One channel: 5 x 5 pixels, a kernel of 3 x 3");
    let (x, kernel) = (image::<B>(device), kernel::<B>(device));
    for (step, [top, left]) in [[0, 0], [0, 1], [0, 2], [1, 0]].into_iter().enumerate() {
        let under = x.clone().slice([0..1, 0..1, top..top + 3, left..left + 3]);
        let products = under * kernel.clone();
        let sum: f32 = products.clone().sum().into_scalar().elem();
        sheet.row(&[
            Grid::of(format!("step {}", step + 1), &x, [0, 0]).window([top, left], [3, 3]),
            Grid::sign("x"),
            Grid::of("kernel", &kernel, [0, 0]),
            Grid::sign("="),
            Grid::of("products", &products, [0, 0]),
            Grid::sign(&format!("sum = {}", number(sum))),
        ]);
    }
    sheet.say("... and so on, three places in each of three rows. All sums at once:");
    let result = convolve(x.clone(), kernel.clone(), None).expect("3 x 3 fits on 5 x 5");
    sheet.row(&[
        Grid::of("image", &x, [0, 0]),
        Grid::sign("*"),
        Grid::of("kernel", &kernel, [0, 0]),
        Grid::sign("="),
        Grid::of("result", &result, [0, 0]),
    ]);
}

fn bias<B: Backend>(sheet: &mut Sheet, device: &B::Device) {
    sheet.title("Bias: one number for each output channel");
    sheet.say("A bias of 100 adds 100 at every place; without one, an all-black image gives 0 everywhere.");
    let hundred = || Some(Tensor::<B, 1>::from_floats([100.], device));
    let black = image::<B>(device).zeros_like();
    let run = |x: Tensor<B, 4>, bias| convolve(x, kernel(device), bias).expect("3 x 3 fits on 5 x 5");
    sheet.row(&[
        Grid::of("without bias", &run(image(device), None), [0, 0]),
        Grid::of("bias 100", &run(image(device), hundred()), [0, 0]),
        Grid::of("black, without", &run(black.clone(), None), [0, 0]),
        Grid::of("black, bias 100", &run(black, hundred()), [0, 0]),
    ]);
}

fn several_channels<B: Backend>(sheet: &mut Sheet, device: &B::Device) {
    sheet.title("Several channels: one kernel a channel, the results added");
    let red = [[1., 2., 0., 1.], [0., 3., 1., 2.], [2., 1., 4., 0.], [1., 0., 2., 3.]];
    let green = [[5., 1., 2., 0.], [1., 0., 3., 1.], [2., 2., 1., 4.], [0., 1., 1., 2.]];
    let blue = [[0., 1., 1., 3.], [4., 2., 0., 1.], [1., 3., 2., 2.], [2., 0., 1., 5.]];
    let x = Tensor::<B, 3>::from_floats([red, green, blue], device).unsqueeze::<4>();
    let edge = [[1., 0., -1.], [1., 0., -1.], [1., 0., -1.]];
    let cross = [[0., 1., 0.], [1., 1., 1.], [0., 1., 0.]];
    let corner = [[2., 0., 0.], [0., 0., 0.], [0., 0., -2.]];
    let first = Tensor::<B, 3>::from_floats([edge, cross, corner], device).unsqueeze::<4>();
    for channel in 0..3 {
        let (one, its) = (x.clone().narrow(1, channel, 1), first.clone().narrow(1, channel, 1));
        sheet.row(&[
            Grid::of(format!("channel {channel}"), &one, [0, 0]),
            Grid::sign("*"),
            Grid::of(format!("kernel {channel}"), &its, [0, 0]),
            Grid::sign("="),
            Grid::of(format!("part {channel}"), &convolve(one, its, None).expect("3 x 3 fits on 4 x 4"), [0, 0]),
        ]);
    }
    let sum = convolve(x.clone(), first.clone(), None).expect("three channels, three kernels");
    sheet.say("The convolution of all three channels adds the parts, place by place: one channel comes out.");
    sheet.row(&[Grid::of("part 0 + part 1 + part 2", &sum, [0, 0])]);

    sheet.say("m sets of kernels make m output channels. A second set, the first one's kernels in another order:");
    let second = Tensor::<B, 3>::from_floats([corner, edge, cross], device).unsqueeze::<4>();
    let weight = Tensor::cat(vec![first, second], 0);
    let result = convolve(x.clone(), weight.clone(), None).expect("three channels, three kernels");
    sheet.say(format!("image {:?}, weight {:?}, result {:?}", x.dims(), weight.dims(), result.dims()));
    sheet.row(&[Grid::of("output channel 0", &result, [0, 0]), Grid::of("output channel 1", &result, [0, 1])]);
}

fn layer_shapes<B: Backend>(sheet: &mut Sheet, device: &B::Device) {
    sheet.title("A layer: 5 channels to 10");
    sheet.say("The weight is [m, n, kh, kw]. Its size does not depend on the image's; a kernel need not be square.");
    let random = |shape: [usize; 4]| Tensor::<B, 4>::random(shape, Distribution::Default, device);
    let cases = [
        ([1, 5, 100, 100], [10, 5, 3, 3]),
        ([1, 5, 100, 100], [10, 5, 5, 3]),
        ([1, 5, 100, 100], [10, 5, 1, 1]),
        ([2, 5, 100, 100], [10, 5, 3, 3]),
        ([1, 5, 50, 40], [10, 5, 3, 3]),
        ([1, 5, 3, 3], [10, 5, 3, 3]),
    ];
    let mut rows = Vec::new();
    for (image, shape) in cases {
        let weight = random(shape);
        let bias = Tensor::<B, 1>::zeros([shape[0]], device);
        let learnt = weight.shape().num_elements() + bias.shape().num_elements();
        let result = convolve(random(image), weight, Some(bias)).expect("the channels fit");
        rows.push(vec![format!("{image:?}"), format!("{shape:?}"), format!("{:?}", result.dims()), learnt.to_string()]);
    }
    sheet.table(&["image [N, n, H, W]", "weight [m, n, kh, kw]", "result", "numbers to learn (with bias)"], &rows);
    sheet.say("Another number of channels has no kernels to meet:");
    match convolve(random([1, 4, 100, 100]), random([10, 5, 3, 3]), None) {
        Err(error) => sheet.say(format!("  error: {error}")),
        Ok(result) => sheet.say(format!("  {:?}", result.dims())),
    }
}

fn main() -> ExitCode {
    terminal::show(|colour| Page { colour })
}
