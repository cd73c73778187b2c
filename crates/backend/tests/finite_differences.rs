//! Gradients through Burn's autodiff against finite differences, on every backend of this build.
//!
//! Images and weights are whole numbers, steps are powers of two, and nothing lies so close to a kink of ReLU or
//! max-pooling that a step crosses it. So the loss is a straight line under every step, sums are exact in f32, and the
//! differences are the derivatives, of each number one by one.

mod support;

use burn::tensor::{Tensor, TensorData};
use kiln_backend::{Backend, ConvBlock, ConvOptions, Pool, Program, Training, avg_pool2d, conv_block, max_pool2d};

use crate::support::on_every_backend;

const STEP: f32 = 1. / 64.;

/// Whole numbers from -`largest` to `largest` without a visible pattern.
fn whole_numbers(len: usize, largest: u32, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % (2 * largest + 1)
    };
    std::iter::repeat_with(next).take(len).map(|number| number as f32 - largest as f32).collect()
}

type Operands<B> = Vec<Tensor<B, 4>>;

/// The partial derivatives of `sum(coefficients * operation(operands))`, from the graph and from steps both ways.
fn check<B: Backend>(
    what: &str,
    shapes: &[[usize; 4]],
    largest: u32,
    operation: impl Fn(Operands<Training<B>>) -> Tensor<Training<B>, 4>,
    device: &B::Device,
) {
    let values: Vec<Vec<f32>> = shapes
        .iter()
        .zip(1..)
        // Halves keep sums away from zero, where ReLU bends.
        .map(|(shape, seed)| whole_numbers(shape.iter().product(), largest, seed).iter().map(|&x| x + 0.5).collect())
        .collect();
    let tensors = |values: &[Vec<f32>]| -> Operands<Training<B>> {
        let data = values.iter().zip(shapes).map(|(values, shape)| TensorData::new(values.clone(), *shape));
        data.map(|data| Tensor::from_data(data, device).require_grad()).collect()
    };
    let operands = tensors(&values);
    let output = operation(operands.clone());
    let coefficients = whole_numbers(output.shape().num_elements(), 3, 99);
    let weighted = output.clone() * Tensor::from_data(TensorData::new(coefficients.clone(), output.shape()), device);
    let grads = weighted.sum().backward();
    let loss = |values: &[Vec<f32>]| -> f64 {
        let output = operation(tensors(values)).into_data().into_vec::<f32>().unwrap();
        output.iter().zip(&coefficients).map(|(&y, &coefficient)| f64::from(y) * f64::from(coefficient)).sum()
    };
    let mut differing = 0;
    for (index, operand) in operands.iter().enumerate() {
        let gradient =
            operand.grad(&grads).expect("a gradient for each operand").into_data().into_vec::<f32>().unwrap();
        for (at, &derivative) in gradient.iter().enumerate() {
            let mut moved = values.clone();
            moved[index][at] += STEP;
            let above = loss(&moved);
            moved[index][at] -= 2. * STEP;
            let difference = (above - loss(&moved)) / f64::from(2. * STEP);
            let error = (difference - f64::from(derivative)).abs();
            let what = format!("{} {what}, operand {index}, number {at}", B::name(device));
            assert!(error <= 1e-4 * difference.abs().max(1.), "{what}: {derivative}, by differences {difference}");
            differing += usize::from(derivative != gradient[0]);
        }
    }
    assert!(differing > 10, "{what}: the derivatives are all alike");
}

#[derive(Clone)]
struct Operations;

impl Program for Operations {
    type Output = ();

    fn run<B: Backend>(self, device: B::Device) {
        let overlapping = Pool { kernel: [3, 3], stride: [2, 2], padding: [1, 1], ceil_mode: false };
        let plain = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        let strided = ConvOptions::new([2, 1], [1, 2], [1, 2], 2);
        for (conv, max_pool, relu) in [
            (plain.clone(), None, false),
            (plain.clone(), Some(Pool::square(2)), true),
            (plain, Some(overlapping.clone()), false),
            (strided.clone(), None, true),
        ] {
            let weight = [4, 2 / conv.groups, 3, 2];
            let block = ConvBlock { conv, max_pool, relu };
            let run = |operands: Operands<_>| {
                let [x, weight, bias] = operands.try_into().expect("three operands");
                conv_block(x, weight, Some(bias.reshape([4])), &block).expect("the shapes fit")
            };
            check::<B>(&format!("{block:?}"), &[[2, 2, 8, 7], weight, [4, 1, 1, 1]], 50, run, &device);
        }
        let images = [[2, 2, 8, 7]];
        let run = |operands: Operands<_>| max_pool2d(operands[0].clone(), &overlapping).expect("the window fits");
        // So many numbers that none comes twice in a window.
        check::<B>("max-pooling", &images, 100_000, run, &device);
        let run = |operands: Operands<_>| avg_pool2d(operands[0].clone(), &overlapping).expect("the window fits");
        check::<B>("average pooling", &images, 50, run, &device);
    }
}

#[test]
fn gradients_are_finite_differences() {
    on_every_backend(Operations);
}
