//! Normalisation against an f64 reference, at every SIMD level.

mod reference;

use kiln_kernels::{Conv2d, ConvBlock, batch_norm, batch_norm_backward, channel_affine};
use reference::check::{assert_close, at_all_levels};
use reference::random::Random;
use reference::{convolution, relu, relu_backward, size, wide};

const EPSILON: f64 = 1e-5;

const SHAPES: [[usize; 4]; 8] = [
    [1, 1, 1, 2],
    [2, 3, 1, 1],
    [3, 5, 7, 9],
    [64, 17, 1, 1],
    [2, 64, 8, 8],
    [5, 2, 1, 33],
    [2, 3, 90, 91],
    [8, 513, 4, 4],
];

/// The values of a channel.
fn channel(shape: [usize; 4], values: &[f64], channel: usize) -> Vec<f64> {
    let plane = shape[2] * shape[3];
    let planes = values.chunks(plane.max(1)).skip(channel).step_by(shape[1]);
    planes.flatten().copied().collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Each value with its channel.
fn with_channel(shape: [usize; 4], values: &[f64]) -> impl Iterator<Item = (usize, f64)> + '_ {
    let plane = shape[2] * shape[3];
    values.iter().enumerate().map(move |(index, &value)| (index / plane % shape[1], value))
}

struct Case {
    shape: [usize; 4],
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    residual: Option<Vec<f32>>,
    relu: bool,
    grad: Vec<f32>,
}

fn cases() -> Vec<Case> {
    let options = [(false, false), (false, true), (true, false), (true, true)];
    let cases = SHAPES.iter().flat_map(|&shape| options.map(|(residual, relu)| (shape, residual, relu)));
    cases
        .enumerate()
        .map(|(seed, (shape, residual, relu))| {
            let mut random = Random(seed as u64);
            // Means far from zero: plain sums of squares would lose all their digits.
            let x = random.real(size(shape)).iter().map(|x| x + 30.).collect();
            let (weight, bias) = (random.real(shape[1]), random.real(shape[1]));
            let residual = residual.then(|| random.real(size(shape)));
            Case { shape, x, weight, bias, residual, relu, grad: random.real(size(shape)) }
        })
        .collect()
}

#[test]
fn batch_norms() {
    for Case { shape, x, weight, bias, residual, relu: clips, grad } in cases() {
        let wide_x = wide(&x);
        let channels: Vec<Vec<f64>> = (0..shape[1]).map(|c| channel(shape, &wide_x, c)).collect();
        let means: Vec<f64> = channels.iter().map(|values| mean(values)).collect();
        let square = |values: &Vec<f64>, by: f64| mean(&values.iter().map(|x| (x - by) * (x - by)).collect::<Vec<_>>());
        let variances: Vec<f64> = channels.iter().zip(&means).map(|(values, &by)| square(values, by)).collect();
        let deviation = |c: usize| (variances[c] + EPSILON).sqrt();
        let normal: Vec<f64> = with_channel(shape, &wide_x).map(|(c, x)| (x - means[c]) / deviation(c)).collect();
        let mut expected: Vec<f64> = with_channel(shape, &normal)
            .map(|(c, normal)| normal * f64::from(weight[c]) + f64::from(bias[c]))
            .collect();
        if let Some(residual) = &residual {
            expected.iter_mut().zip(residual).for_each(|(y, &residual)| *y += f64::from(residual));
        }
        let expected = if clips { relu(&expected) } else { expected };
        at_all_levels(|level| {
            let what = format!("{shape:?}, residual {}, relu {clips}, {level:?}", residual.is_some());
            let norm = batch_norm(shape, &x, [&weight, &bias], EPSILON, residual.as_deref(), clips);
            assert_close(&norm.mean, &means, 1e-6, format_args!("mean: {what}"));
            assert_close(&norm.variance, &variances, 1e-4, format_args!("variance: {what}"));
            // Around a mean of 30, f32 leaves six digits to the deviations.
            assert_close(&norm.output, &expected, 1e-4, format_args!("output: {what}"));

            let rectified = if clips { relu_backward(&wide(&norm.output), &wide(&grad)) } else { wide(&grad) };
            let products: Vec<f64> = rectified.iter().zip(&normal).map(|(grad, normal)| grad * normal).collect();
            let sums = |values: &[f64]| -> Vec<f64> {
                (0..shape[1]).map(|c| channel(shape, values, c).iter().sum()).collect()
            };
            let (weights, biases) = (sums(&products), sums(&rectified));
            let count = (shape[0] * shape[2] * shape[3]) as f64;
            let gradient: Vec<f64> = with_channel(shape, &rectified)
                .zip(&normal)
                .map(|((c, grad), normal)| {
                    let rest = grad - biases[c] / count - normal * weights[c] / count;
                    f64::from(weight[c]) / deviation(c) * rest
                })
                .collect();
            let statistics: [&[f32]; 2] = [&norm.mean, &norm.variance];
            let gradients = batch_norm_backward(shape, &x, &weight, statistics, EPSILON, &norm.output, clips, &grad);
            // With two values per channel nearly all of the gradient cancels.
            if count > 2. {
                assert_close(&gradients.x, &gradient, 1e-3, format_args!("gradient of x: {what}"));
            }
            assert_close(&gradients.weight, &weights, 1e-3, format_args!("gradient of the weight: {what}"));
            assert_close(&gradients.bias, &biases, 1e-5, format_args!("gradient of the bias: {what}"));
            let residual_gradient = gradients.pre_relu.unwrap_or_else(|| grad.clone());
            assert_close(&residual_gradient, &rectified, 0., format_args!("gradient of the residual: {what}"));
        });
    }
}

#[test]
fn affine_functions_of_channels() {
    for Case { shape, x, weight, bias, residual, relu: clips, .. } in cases() {
        let affine = |(c, x): (usize, f64)| x * f64::from(weight[c]) + f64::from(bias[c]);
        let mut expected: Vec<f64> = with_channel(shape, &wide(&x)).map(affine).collect();
        if let Some(residual) = &residual {
            expected.iter_mut().zip(residual).for_each(|(y, &residual)| *y += f64::from(residual));
        }
        let expected = if clips { relu(&expected) } else { expected };
        at_all_levels(|level| {
            let actual = channel_affine(shape, &x, [&weight, &bias], residual.as_deref(), clips);
            assert_close(&actual, &expected, 1e-6, format_args!("{shape:?}, relu {clips}, {level:?}"));
        });
    }
}

#[test]
fn convolutions_with_an_affine_function_and_a_residual() {
    for seed in 0..150 {
        let mut random = Random(seed);
        let conv = random.convolution();
        let (x, weight) = (random.real(size(conv.image)), random.real(size(conv.weight)));
        let (scale, shift) = (random.real(conv.weight[0]), random.real(conv.weight[0]));
        let residual = (seed % 2 == 0).then(|| random.real(size(conv.output())));
        let clips = seed % 3 == 0;
        let convolved = convolution(&conv, &wide(&x), &wide(&weight), None);
        let affine = |(c, x): (usize, f64)| x * f64::from(scale[c]) + f64::from(shift[c]);
        let mut expected: Vec<f64> = with_channel(conv.output(), &convolved).map(affine).collect();
        if let Some(residual) = &residual {
            expected.iter_mut().zip(residual).for_each(|(y, &residual)| *y += f64::from(residual));
        }
        let expected = if clips { relu(&expected) } else { expected };
        let block = ConvBlock { conv: conv.clone(), max_pool: None, relu: clips };
        at_all_levels(|level| {
            let actual = block.forward_affine(&x, &weight, [&scale, &shift], residual.as_deref());
            assert_close(&actual, &expected, 1e-5, format_args!("{conv:?}, {level:?}, seed {seed}"));
        });
    }
    // More images than one chunk of the GEMM, and no whole number of vectors.
    let conv = Conv2d { padding: [[1; 2]; 2], ..Conv2d::new([9, 40, 33, 31], [70, 40, 3, 3]) };
    let mut random = Random(1);
    let (x, weight) = (random.real(size(conv.image)), random.real(size(conv.weight)));
    let (ones, zeros, residual) = (vec![1.; 70], vec![0.; 70], random.real(size(conv.output())));
    let block = ConvBlock { conv, max_pool: None, relu: false };
    let plain = block.forward(&x, &weight, None);
    let expected: Vec<f64> = plain.iter().zip(&residual).map(|(&y, &r)| f64::from(y) + f64::from(r)).collect();
    let actual = block.forward_affine(&x, &weight, [&ones, &zeros], Some(&residual));
    assert_close(&actual, &expected, 1e-6, "a residual on large images");
}
