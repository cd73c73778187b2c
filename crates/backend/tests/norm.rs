//! Normalisations and their gradients against the same made of Burn's operations, on every backend of this build.

mod support;

use burn::tensor::backend::Backend as _;
use burn::tensor::{Distribution, Tensor, TensorData, activation::relu, module};
use kiln_backend::{
    Backend, ConvBlock, ConvOptions, NormOptions, Program, Training, batch_norm, channel_affine, conv_affine,
    relative_difference,
};

use crate::support::on_every_backend;

fn assert_close(what: &str, ours: TensorData, burns: TensorData) {
    let difference = relative_difference(&ours, &burns);
    assert!(difference < 1e-4, "{what}: relative difference {difference}");
}

/// Two ways to compute one thing, and their gradients of each operand.
fn assert_gradients<B: Backend>(
    what: &str,
    operands: &[Tensor<Training<B>, 4>],
    ours: impl Fn() -> Tensor<Training<B>, 4>,
    burns: impl Fn() -> Tensor<Training<B>, 4>,
) {
    let y = ours();
    let coefficients = Tensor::random(y.dims(), Distribution::Uniform(-1., 1.), &y.device());
    let gradients = |y: Tensor<Training<B>, 4>| -> Vec<TensorData> {
        let value = y.to_data();
        let grads = (y * coefficients.clone()).sum().backward();
        let gradients = operands.iter().map(|operand| operand.grad(&grads).expect("a gradient").into_data());
        std::iter::once(value).chain(gradients).collect()
    };
    let ours = gradients(y);
    for (index, (ours, burns)) in ours.into_iter().zip(gradients(burns())).enumerate() {
        assert_close(&format!("{what}, {}", if index == 0 { "value" } else { "gradient" }), ours, burns);
    }
}

#[derive(Clone)]
struct Norms;

impl Program for Norms {
    type Output = ();

    fn run<B: Backend>(self, device: B::Device) {
        Training::<B>::seed(&device, 1);
        let random = |shape: [usize; 4]| {
            Tensor::<Training<B>, 4>::random(shape, Distribution::Uniform(-1., 1.), &device).require_grad()
        };
        let epsilon = 1e-3;
        for (with_residual, clips) in [(false, false), (false, true), (true, false), (true, true)] {
            let what = format!("{}, residual {with_residual}, relu {clips}", B::name(&device));
            let channels = || random([1, 5, 1, 1]);
            let (x, weight, bias, residual) = (random([4, 5, 6, 7]), channels(), channels(), random([4, 5, 6, 7]));
            let finish = |y: Tensor<Training<B>, 4>| {
                let y = if with_residual { y + residual.clone() } else { y };
                if clips { relu(y) } else { y }
            };
            let flat = |tensor: &Tensor<Training<B>, 4>| tensor.clone().reshape([5]);
            let given = with_residual.then(|| residual.clone());

            let options = NormOptions { epsilon, relu: clips };
            let norm = || batch_norm(x.clone(), [flat(&weight), flat(&bias)], given.clone(), options);
            let mean_of = |x: Tensor<Training<B>, 4>| x.mean_dim(0).mean_dim(2).mean_dim(3);
            let mean = mean_of(x.clone());
            let distance = x.clone() - mean.clone();
            let variance = mean_of(distance.clone().powi_scalar(2));
            let statistics = norm();
            assert_close("the mean", statistics.mean.into_data(), mean.clone().reshape([5]).into_data());
            assert_close("the variance", statistics.variance.into_data(), variance.reshape([5]).into_data());
            let burns = || {
                let distance = x.clone() - mean_of(x.clone());
                let variance = mean_of(distance.clone().powi_scalar(2));
                finish(distance / (variance + epsilon).sqrt() * weight.clone() + bias.clone())
            };
            let mut operands = vec![x.clone(), weight.clone(), bias.clone()];
            operands.extend(given.clone());
            assert_gradients::<B>(&format!("batch norm, {what}"), &operands, || norm().output, burns);

            let (scale, shift) = (weight.clone().detach(), bias.clone().detach());
            let ours = || channel_affine(x.clone(), [flat(&scale), flat(&shift)], given.clone(), clips);
            let burns = || finish(x.clone() * scale.clone() + shift.clone());
            let mut operands = vec![x.clone()];
            operands.extend(given.clone());
            assert_gradients::<B>(&format!("affine, {what}"), &operands, ours, burns);

            let (image, kernel) = (random([4, 3, 6, 7]), random([5, 3, 3, 3]));
            let conv = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
            let block = ConvBlock { conv: conv.clone(), max_pool: None, relu: clips };
            let constants = || [flat(&scale), flat(&shift)];
            let ours = || conv_affine(image.clone(), kernel.clone(), constants(), given.clone(), &block).unwrap();
            let burns = || {
                let y = module::conv2d(image.clone(), kernel.clone(), None, conv.clone());
                finish(y * scale.clone() + shift.clone())
            };
            // Without gradients the backend has one operation for all of it.
            let inner = conv_affine(
                image.clone().inner(),
                kernel.clone().inner(),
                constants().map(Tensor::inner),
                given.clone().map(Tensor::inner),
                &block,
            );
            assert_close(&format!("convolution, {what}"), inner.unwrap().into_data(), burns().into_data());
            let mut operands = vec![image.clone(), kernel.clone()];
            operands.extend(given.clone());
            assert_gradients::<B>(&format!("convolution, {what}"), &operands, ours, burns);
        }
    }
}

#[test]
fn normalisations_and_their_gradients_are_those_of_burns_operations() {
    on_every_backend(Norms);
}
