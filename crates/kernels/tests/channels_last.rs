//! Inference with channels last against the reference, for random shapes and places in the memory, at every SIMD level.

mod reference;

use kiln_kernels::channels_last::{self, Conv, Place};
use kiln_kernels::{Conv2d, Window};
use reference::check::{assert_close, at_all_levels};
use reference::random::Random;
use reference::{relu, size, wide};

/// What stands between tensors, and must not be touched.
const UNTOUCHED: f32 = -77.;

/// A memory with tensors at random places, which may be parts of wider ones.
struct Memory {
    values: Vec<f32>,
}

impl Memory {
    fn new() -> Self {
        Self { values: Vec::new() }
    }

    /// Room for images `[N, C, H, W]` between others' channels.
    fn place(&mut self, random: &mut Random, shape: [usize; 4]) -> Place {
        let stride = shape[1] + random.pick(&[0, 0, 1, 7, 16]);
        let start = self.values.len() + random.between(0..=stride - shape[1]);
        self.values.resize(self.values.len() + shape[0] * shape[2] * shape[3] * stride, UNTOUCHED);
        Place { start, stride }
    }

    fn put(&mut self, random: &mut Random, shape: [usize; 4], values: &[f32]) -> Place {
        let place = self.place(random, shape);
        channels_last::from_channels_first(&mut self.values, values, shape, place);
        place
    }

    /// Images as `[N, C, H, W]`.
    fn get(&self, place: Place, [n, channels, height, width]: [usize; 4]) -> Vec<f32> {
        let pixels = height * width;
        let at = |image: usize, channel: usize, pixel: usize| {
            self.values[place.start + (image * pixels + pixel) * place.stride + channel]
        };
        let planes = (0..n * channels).map(|plane| (plane / channels, plane % channels));
        planes
            .flat_map(|(image, channel)| (0..pixels).map(move |pixel| (image, channel, pixel)))
            .map(|(i, c, p)| at(i, c, p))
            .collect()
    }

    fn touched(&self) -> usize {
        self.values.iter().filter(|&&value| value != UNTOUCHED).count()
    }
}

fn check_conv(conv: &Conv2d, random: &mut Random, what: &str) {
    let [n, outputs, ..] = conv.output();
    let (x, weight) = (random.real(size(conv.image)), random.real(size(conv.weight)));
    let (scale, shift) = (random.pick(&[false, true]), random.pick(&[false, true]));
    let scale = scale.then(|| random.real(outputs));
    let shift = shift.then(|| random.real(outputs));
    let residual = random.pick(&[false, true]).then(|| random.real(size(conv.output())));
    let clips = random.pick(&[false, true]);

    let mut expected = reference::convolution(conv, &wide(&x), &wide(&weight), None);
    let plane: usize = conv.output()[2..].iter().product();
    for (at, value) in expected.iter_mut().enumerate() {
        let output = at / plane % outputs;
        *value *= scale.as_ref().map_or(1., |scale| f64::from(scale[output]));
        *value += shift.as_ref().map_or(0., |shift| f64::from(shift[output]));
        *value += residual.as_ref().map_or(0., |residual| f64::from(residual[at]));
    }
    let expected = if clips { relu(&expected) } else { expected };

    let packed = Conv::new(conv.clone(), &weight).with_affine(scale.as_deref(), shift.as_deref());
    let packed = if clips { packed.with_relu() } else { packed };
    assert_eq!(packed.weight(), weight, "{what}");
    let mut memory = Memory::new();
    let from = memory.put(random, conv.image, &x);
    let residual = residual.map(|residual| memory.put(random, conv.output(), &residual));
    let to = memory.place(random, conv.output());
    let before = memory.touched() + expected.len();
    packed.run(n, &mut memory.values, from, residual, to);
    let what = format!("{what}, scale {scale:?}, residual {residual:?}, relu {clips}: {conv:?}");
    assert_close(&memory.get(to, conv.output()), &expected, 2e-5, &what);
    assert_eq!(memory.touched(), before, "nothing else is written: {what}");
}

#[test]
fn convolutions_match_the_reference() {
    at_all_levels(|level| {
        let mut random = Random(7);
        for _ in 0..300 {
            let conv = random.convolution();
            check_conv(&conv, &mut random, &format!("{level:?}"));
        }
    });
}

/// 3x3 with stride 1 and enough channels: other sums, the same results.
#[test]
fn winograd_matches_the_reference() {
    at_all_levels(|level| {
        let mut random = Random(8);
        for _ in 0..12 {
            let sides = [0; 2].map(|_| random.between(13..=19));
            let (channels, outputs) = (random.between(16..=40), random.between(16..=70));
            let mut conv =
                Conv2d::new([random.between(1..=2), channels, sides[0], sides[1]], [outputs, channels, 3, 3]);
            conv.padding = [0; 2].map(|_| [0; 2].map(|_| random.between(0..=2)));
            check_conv(&conv, &mut random, &format!("{level:?}"));
        }
    });
}

/// Sums of whole numbers are exact in a direct convolution, and nearly so in Winograd's.
#[test]
fn blocks_of_many_channels_add_up() {
    at_all_levels(|level| {
        let mut random = Random(9);
        for (channels, side, kernel, padding) in [(2400, 3, 1, 0), (500, 6, 3, 1), (640, 4, 4, 0), (300, 9, 5, 2)] {
            let mut conv = Conv2d::new([2, channels, side, side], [40, channels, kernel, kernel]);
            conv.padding = [[padding; 2]; 2];
            check_conv(&conv, &mut random, &format!("{level:?}"));
        }
    });
}

#[test]
fn a_linear_layer_is_a_convolution_of_the_whole_image() {
    at_all_levels(|level| {
        let mut random = Random(10);
        for (image, outputs, n) in [([3, 4, 5], 7, 1), ([16, 7, 7], 100, 3), ([2500, 1, 1], 70, 9)] {
            let [channels, height, width] = image;
            let conv = Conv2d::new([n, channels, height, width], [outputs, channels, height, width]);
            let (x, weight) = (random.real(size(conv.image)), random.real(size(conv.weight)));
            let packed = Conv::new(conv.clone(), &weight);
            assert_eq!(packed.weight(), weight);
            let mut memory = Memory::new();
            let from = memory.put(&mut random, conv.image, &x);
            let to = memory.place(&mut random, conv.output());
            packed.run(n, &mut memory.values, from, None, to);
            let expected = reference::convolution(&conv, &wide(&x), &wide(&weight), None);
            assert_close(&memory.get(to, conv.output()), &expected, 1e-5, format!("{level:?}, {image:?}"));
        }
    });
}

#[test]
fn a_prologue_normalises_and_clips_before_the_convolution() {
    at_all_levels(|level| {
        let mut random = Random(11);
        for (n, channels, side, outputs) in [(1, 5, 3, 4), (3, 40, 9, 70), (2, 2500, 3, 33)] {
            let conv = Conv2d::new([n, channels, side, side], [outputs, channels, 1, 1]);
            let (x, weight) = (random.real(size(conv.image)), random.real(size(conv.weight)));
            let affine = [random.real(channels), random.real(channels)];
            let prepared = x.iter().enumerate().map(|(at, &value)| {
                let channel = at / (side * side) % channels;
                (f64::from(value) * f64::from(affine[0][channel]) + f64::from(affine[1][channel])).max(0.)
            });
            let expected = reference::convolution(&conv, &prepared.collect::<Vec<_>>(), &wide(&weight), None);
            let packed = Conv::new(conv.clone(), &weight).with_prologue(affine.clone());
            let mut memory = Memory::new();
            let from = memory.put(&mut random, conv.image, &x);
            let to = memory.place(&mut random, conv.output());
            packed.run(n, &mut memory.values, from, None, to);
            assert_close(&memory.get(to, conv.output()), &expected, 1e-5, format!("{level:?}, {channels}"));

            let alone = memory.place(&mut random, conv.image);
            let [scale, shift] = &affine;
            channels_last::affine(&mut memory.values, from, alone, n * side * side, [scale, shift], false);
            let expected: Vec<f64> = (x.iter().enumerate())
                .map(|(at, &value)| {
                    let channel = at / (side * side) % channels;
                    f64::from(value) * f64::from(scale[channel]) + f64::from(shift[channel])
                })
                .collect();
            assert_close(&memory.get(alone, conv.image), &expected, 1e-6, format!("{level:?}, {channels}"));
        }
    });
}

#[test]
fn pools_match_the_reference() {
    at_all_levels(|level| {
        let mut random = Random(12);
        for round in 0..100 {
            let image = [random.between(1..=3), random.between(1..=40), random.between(1..=12), random.between(1..=12)];
            let mut x = random.real(size(image));
            let window: Window = random.window(image);
            let what = format!("{level:?}: {window:?} of {image:?}");
            let mut memory = Memory::new();
            let from = memory.put(&mut random, image, &x);
            let to = memory.place(&mut random, window.output(image));
            channels_last::avg_pool(&mut memory.values, from, to, image, &window);
            let expected = reference::average_pool(&window, image, &wide(&x), true);
            assert_close(&memory.get(to, window.output(image)), &expected, 1e-6, &what);

            if round % 3 == 0 {
                x[random.between(0..=size(image) - 1)] = f32::NAN;
                channels_last::from_channels_first(&mut memory.values, &x, image, from);
            }
            channels_last::max_pool(&mut memory.values, from, to, image, &window);
            let (expected, _) = reference::max_pool(&window, image, &wide(&x));
            assert_close(&memory.get(to, window.output(image)), &expected, 0., &what);
        }
        for (image, size) in [([2, 20, 7, 7], 7), ([2, 20, 7, 7], 1), ([1, 3, 9, 5], 4), ([1, 17, 3, 2], 6)] {
            let x = random.real(reference::size(image));
            let mut memory = Memory::new();
            let from = memory.put(&mut random, image, &x);
            let shape = [image[0], image[1], size, size];
            let to = memory.place(&mut random, shape);
            channels_last::adaptive_avg_pool(&mut memory.values, from, to, image, size);
            let part = |index: usize, side: usize| index * side / size..((index + 1) * side).div_ceil(size);
            let mut expected = Vec::new();
            for plane in x.chunks(image[2] * image[3]) {
                for (y, x) in (0..size * size).map(|at| (at / size, at % size)) {
                    let (rows, columns) = (part(y, image[2]), part(x, image[3]));
                    let count = (rows.len() * columns.len()) as f64;
                    let pixels = rows.flat_map(|row| columns.clone().map(move |column| row * image[3] + column));
                    expected.push(pixels.map(|at| f64::from(plane[at])).sum::<f64>() / count);
                }
            }
            assert_close(&memory.get(to, shape), &expected, 1e-6, format!("{level:?}: {image:?} to {size}"));
        }
    });
}

#[test]
#[should_panic(expected = "overlaps")]
fn a_result_over_its_own_input_is_refused() {
    let conv = Conv::new(Conv2d::new([1, 4, 5, 5], [4, 4, 3, 3]), &[1.; 144]);
    let mut memory = vec![0.; 200];
    conv.run(1, &mut memory, Place { start: 0, stride: 4 }, None, Place { start: 80, stride: 4 });
}

/// The bits do not depend on the number of threads, nor on the images beside an image.
#[test]
fn a_result_does_not_depend_on_threads_or_on_the_batch() {
    at_all_levels(|_| {
        let mut random = Random(13);
        for (channels, outputs, kernel, side) in [(64, 96, 3, 15), (70, 200, 1, 15), (3, 64, 7, 33), (600, 40, 1, 5)] {
            let mut conv = Conv2d::new([5, channels, side, side], [outputs, channels, kernel, kernel]);
            conv.padding = [[kernel / 2; 2]; 2];
            let (x, weight) = (random.real(size(conv.image)), random.real(size(conv.weight)));
            let packed = Conv::new(conv.clone(), &weight);
            let run = |threads: usize, x: &[f32]| {
                let n = x.len() / (channels * side * side);
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut memory = Memory::new();
                let shape = [n, channels, side, side];
                let from = memory.put(&mut Random(1), shape, x);
                let to = memory.place(&mut Random(1), [n, outputs, side, side]);
                pool.install(|| packed.run(n, &mut memory.values, from, None, to));
                memory.get(to, [n, outputs, side, side])
            };
            let expected = run(1, &x);
            assert_eq!(run(3, &x), expected);
            assert_eq!(run(8, &x), expected);
            for (image, expected) in x.chunks(x.len() / 5).zip(expected.chunks(expected.len() / 5)) {
                assert_eq!(run(2, image), expected);
            }
        }
    });
}
