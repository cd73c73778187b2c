//! Blocks of convolution, max-pooling and ReLU against the reference, for random shapes and edge cases, at every SIMD
//! level.

mod reference;

use kiln_kernels::{Conv2d, ConvBlock, Gradients, Needs, Saved, Window};
use reference::check::{assert_close, at_all_levels};
use reference::random::Random;
use reference::{ConvolutionGradients, size, wide};

#[derive(Clone, Copy, Debug)]
enum Values {
    /// Compared within f32 rounding. Among nearly equal values, any may be the argmax.
    Real,
    /// Small integers: all results are exact, and the first of the many equal values must be the argmax.
    Whole,
}

impl Values {
    /// The tolerances for outputs and gradients.
    fn tolerances(self) -> (f64, f64) {
        match self {
            Self::Real => (1e-5, 1e-4),
            Self::Whole => (0., 0.),
        }
    }
}

struct Inputs {
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
    grad: Vec<f32>,
}

impl Inputs {
    fn new(block: &ConvBlock, values: Values, seed: u64) -> Self {
        let mut random = Random(seed);
        let has_bias = random.pick(&[true, true, false]);
        let mut fill = |count| match values {
            Values::Real => random.real(count),
            Values::Whole => random.whole(count),
        };
        let conv = &block.conv;
        Self {
            x: fill(size(conv.image)),
            weight: fill(size(conv.weight)),
            bias: has_bias.then(|| fill(conv.weight[0])),
            grad: fill(size(block.output())),
        }
    }

    fn forward_training(&self, block: &ConvBlock) -> (Vec<f32>, Vec<u8>) {
        block.forward_training(&self.x, &self.weight, self.bias.as_deref())
    }

    fn backward(&self, block: &ConvBlock, (output, argmax): &(Vec<f32>, Vec<u8>), needs: Needs) -> Gradients {
        block.backward(Saved { x: &self.x, weight: &self.weight, output, argmax }, &self.grad, needs)
    }
}

fn describe(block: &ConvBlock) -> String {
    format!("{:?}, max-pool {:?}, relu {}", block.conv, block.max_pool, block.relu)
}

/// The reference's convolution, the block's output and the argmax.
fn expected_output(block: &ConvBlock, inputs: &Inputs) -> (Vec<f64>, Vec<f64>, Vec<u8>) {
    let bias = inputs.bias.as_deref().map(wide);
    let convolved = reference::convolution(&block.conv, &wide(&inputs.x), &wide(&inputs.weight), bias.as_deref());
    let (pooled, argmax) = match &block.max_pool {
        Some(window) => reference::max_pool(window, block.conv.output(), &convolved),
        None => (convolved.clone(), Vec::new()),
    };
    let output = if block.relu { reference::relu(&pooled) } else { pooled };
    (convolved, output, argmax)
}

/// The gradient that reaches the convolution, routed by what the kernel saved: a different argmax, or an output whose
/// last bit puts it on the other side of 0, would change it a lot.
fn routed(block: &ConvBlock, inputs: &Inputs, output: &[f32], argmax: &[u8]) -> Vec<f64> {
    let mut grad = wide(&inputs.grad);
    if block.relu {
        grad = reference::relu_backward(&wide(output), &grad);
    }
    match &block.max_pool {
        Some(window) => reference::max_pool_backward(window, block.conv.output(), &grad, argmax),
        None => grad,
    }
}

/// The kernel's argmax must point at the maxima.
fn check_argmax(block: &ConvBlock, convolved: &[f64], argmax: &[u8], tolerance: f64, what: &str) {
    let Some(window) = &block.max_pool else {
        assert!(argmax.is_empty(), "argmax without a max-pool: {what}");
        return;
    };
    let image = block.conv.output();
    let (maxima, _) = reference::max_pool(window, image, convolved);
    let chosen = reference::values_at(window, image, convolved, argmax);
    let outside = || -> f64 { panic!("an argmax outside the image: {what}") };
    let chosen: Vec<f32> = chosen.into_iter().map(|value| value.unwrap_or_else(outside) as f32).collect();
    // Narrowing to f32 costs half a unit in the last place.
    assert_close(&chosen, &maxima, tolerance.max(1e-7), format_args!("values of the argmax: {what}"));
}

fn check(block: &ConvBlock, values: Values, seed: u64) {
    let inputs = Inputs::new(block, values, seed);
    let (x, weight) = (wide(&inputs.x), wide(&inputs.weight));
    let (forward_tolerance, backward_tolerance) = values.tolerances();
    let (convolved, expected, expected_argmax) = expected_output(block, &inputs);
    // Usually all levels route the gradient alike, and one reference serves them all.
    let mut known: Option<(Vec<f64>, ConvolutionGradients)> = None;
    at_all_levels(|level| {
        let what = format!("{}, {values:?}, seed {seed}, {level:?}", describe(block));
        let output = block.forward(&inputs.x, &inputs.weight, inputs.bias.as_deref());
        assert_close(&output, &expected, forward_tolerance, format_args!("forward: {what}"));

        let saved = inputs.forward_training(block);
        assert_close(&saved.0, &expected, forward_tolerance, format_args!("training: {what}"));
        assert_eq!(saved.1.len(), expected_argmax.len(), "number of argmax: {what}");
        check_argmax(block, &convolved, &saved.1, forward_tolerance, &what);
        if matches!(values, Values::Whole) {
            assert_eq!(saved.1, expected_argmax, "the first of equal values wins: {what}");
        }

        let gradients = inputs.backward(block, &saved, Needs { x: true, weight: true, bias: true });
        let routed = routed(block, &inputs, &saved.0, &saved.1);
        if known.as_ref().is_none_or(|(grad, _)| *grad != routed) {
            let gradients = reference::convolution_backward(&block.conv, &x, &weight, &routed);
            known = Some((routed, gradients));
        }
        let (_, expected) = known.as_ref().unwrap();
        for (name, actual, expected) in [
            ("x", gradients.x, &expected.x),
            ("weight", gradients.weight, &expected.weight),
            ("bias", gradients.bias, &expected.bias),
        ] {
            let actual = actual.unwrap_or_else(|| panic!("no gradient of {name}: {what}"));
            assert_close(&actual, expected, backward_tolerance, format_args!("gradient of {name}: {what}"));
        }
    });
}

fn random_block(seed: u64, max_pool: bool, relu: bool) -> ConvBlock {
    let mut random = Random(seed);
    let conv = random.convolution();
    let max_pool = max_pool.then(|| random.window(conv.output()));
    ConvBlock { conv, max_pool, relu }
}

fn check_random_blocks(seeds: std::ops::Range<u64>, max_pool: bool, relu: bool) {
    for seed in seeds {
        let block = random_block(seed, max_pool, relu);
        check(&block, Values::Real, seed);
        check(&block, Values::Whole, seed);
    }
}

#[test]
fn convolutions() {
    check_random_blocks(0..150, false, false);
}

#[test]
fn convolutions_with_relu() {
    check_random_blocks(1000..1100, false, true);
}

#[test]
fn convolutions_with_max_pool() {
    check_random_blocks(2000..2100, true, false);
}

#[test]
fn convolutions_with_max_pool_and_relu() {
    check_random_blocks(3000..3150, true, true);
}

#[test]
fn batches_channels_and_outputs_around_the_number_of_lanes() {
    let mut seed = 0;
    for batch in [1, 15, 16, 17, 31, 33] {
        for channels in [1, 3, 10, 20] {
            for outputs in [1, 10, 17] {
                let conv = Conv2d::new([batch, channels, 6, 7], [outputs, channels, 3, 2]);
                let max_pool = (seed % 3 > 0).then(|| Window::square(2));
                seed += 1;
                check(&ConvBlock { conv, max_pool, relu: seed % 2 == 0 }, Values::Whole, seed);
            }
        }
    }
}

#[test]
fn edges() {
    let new = Conv2d::new;
    let depthwise = Conv2d { groups: 513, ..new([1, 513, 4, 5], [513, 1, 3, 3]) };
    let same = Conv2d { padding: [[1; 2]; 2], ..new([2, 3, 1, 1], [4, 3, 3, 3]) };
    let border_only = Conv2d { padding: [[3, 0], [0, 3]], stride: [2; 2], ..new([2, 2, 1, 1], [3, 2, 2, 2]) };
    let same_width = Conv2d { padding: [[0; 2], [3; 2]], ..new([2, 2, 1, 70], [3, 2, 1, 7]) };
    let residual_stem = Conv2d { stride: [2; 2], padding: [[3; 2]; 2], ..new([2, 3, 32, 30], [16, 3, 7, 7]) };
    let shortcut = Conv2d { stride: [2; 2], ..new([3, 20, 9, 8], [33, 20, 1, 1]) };
    let convolutions = [
        ("1x1 image", new([2, 3, 1, 1], [10, 3, 1, 1])),
        ("1x1 image within padding", same),
        ("kernels on the border only", border_only),
        ("the kernel covers the image", new([3, 4, 6, 5], [17, 4, 6, 5])),
        ("513 channels", new([2, 513, 4, 5], [17, 513, 3, 3])),
        ("513 channels of one pixel", new([17, 513, 1, 1], [10, 513, 1, 1])),
        ("513 outputs", new([2, 3, 5, 5], [513, 3, 3, 3])),
        ("513 groups", depthwise),
        ("one row", same_width),
        ("one column", new([2, 2, 70, 1], [3, 2, 7, 1])),
        ("stem of a residual network", residual_stem),
        ("shortcut of a residual network", shortcut),
        ("a panel of 64 outputs", Conv2d { padding: [[1; 2]; 2], ..new([3, 8, 20, 21], [64, 8, 3, 3]) }),
        ("empty batch", new([0, 3, 6, 7], [4, 3, 3, 3])),
    ];
    for (name, conv) in convolutions {
        println!("{name}");
        let sides = [conv.output()[2], conv.output()[3]];
        let max_pool = Some(Window { kernel: sides.map(|side| side.min(2)), ..Window::square(2) });
        for (max_pool, relu) in [(None, false), (None, true), (max_pool.clone(), false), (max_pool, true)] {
            let block = ConvBlock { conv: conv.clone(), max_pool, relu };
            check(&block, Values::Real, 7);
            check(&block, Values::Whole, 8);
        }
    }
}

#[test]
fn blocks_of_known_networks() {
    let lecture = |batch| {
        [([batch, 1, 28, 28], [10, 1, 5, 5]), ([batch, 10, 12, 12], [20, 10, 5, 5])]
            .map(|(image, weight)| Conv2d::new(image, weight))
    };
    let vgg = Conv2d { padding: [[1; 2]; 2], ..Conv2d::new([2, 64, 16, 16], [64, 64, 3, 3]) };
    let convolutions = [1, 2, 15, 16, 17, 64, 100].into_iter().flat_map(lecture).chain([vgg]);
    for (seed, conv) in (1..).zip(convolutions) {
        let block = ConvBlock { conv, max_pool: Some(Window::square(2)), relu: true };
        check(&block, Values::Real, seed);
    }
}

/// The form of a linear layer on a small batch.
#[test]
fn a_large_image_with_a_few_pointwise_kernels() {
    for (outputs, channels, width) in [(1, 1027, 1030), (3, 1030, 1100), (16, 520, 2100), (17, 520, 2100)] {
        let conv = Conv2d::new([1, channels, 1, width], [outputs, channels, 1, 1]);
        check(&ConvBlock { conv, max_pool: None, relu: outputs == 3 }, Values::Real, outputs as u64);
    }
}

#[test]
fn nan_propagates_to_the_right_outputs() {
    for seed in 0..60 {
        let block = random_block(seed, seed % 2 == 0, seed % 4 < 2);
        let mut inputs = Inputs::new(&block, Values::Real, seed);
        let middle = inputs.x.len() / 2;
        inputs.x[middle] = f32::NAN;
        let (convolved, expected, _) = expected_output(&block, &inputs);
        at_all_levels(|level| {
            let what = format!("{}, NaN at {middle}, seed {seed}, {level:?}", describe(&block));
            let output = block.forward(&inputs.x, &inputs.weight, inputs.bias.as_deref());
            assert_close(&output, &expected, 1e-5, format_args!("forward: {what}"));
            let (output, argmax) = inputs.forward_training(&block);
            assert_close(&output, &expected, 1e-5, format_args!("training: {what}"));
            check_argmax(&block, &convolved, &argmax, 1e-5, &what);
        });
    }
}

#[test]
fn only_the_gradients_needed() {
    for seed in 0..20 {
        let block = random_block(seed, seed % 2 == 0, seed % 4 < 2);
        let inputs = Inputs::new(&block, Values::Real, seed);
        at_all_levels(|level| {
            let saved = inputs.forward_training(&block);
            let all = inputs.backward(&block, &saved, Needs { x: true, weight: true, bias: true });
            let [all_x, all_weight, all_bias] = [all.x, all.weight, all.bias].map(|gradient| wide(&gradient.unwrap()));
            for needs in 0..8 {
                let [x, weight, bias] = [1, 2, 4].map(|bit| needs & bit > 0);
                let some = inputs.backward(&block, &saved, Needs { x, weight, bias });
                for (name, needed, actual, all) in [
                    ("x", x, some.x, &all_x),
                    ("weight", weight, some.weight, &all_weight),
                    ("bias", bias, some.bias, &all_bias),
                ] {
                    let what = format!("gradient of {name}: {}, seed {seed}, {level:?}", describe(&block));
                    assert_eq!(actual.is_some(), needed, "{what}");
                    if let Some(actual) = actual {
                        assert_close(&actual, all, 1e-5, what);
                    }
                }
            }
        });
    }
}

/// An image of padding alone has no meaningful output, and must not return uninitialised memory.
#[test]
#[should_panic(expected = "images without pixels")]
fn images_without_pixels_are_refused() {
    let mut conv = Conv2d::new([16, 1, 0, 4], [3, 1, 2, 2]);
    conv.padding = [[1, 1], [0, 0]];
    ConvBlock { conv, max_pool: None, relu: false }.forward(&[], &[1.; 12], None);
}
