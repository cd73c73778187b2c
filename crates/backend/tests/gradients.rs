//! Kiln's operations against Burn's own, forward and backward, on every backend of this build.

mod support;

use burn::tensor::backend::Backend as _;
use burn::tensor::{Distribution, Tensor, TensorData, activation::relu, module};
use kiln_backend::{
    Backend, ConvBlock, ConvOptions, Pool, Program, Training, avg_pool2d, concat, conv_block, cross_entropy, linear,
    max_pool2d, relative_difference,
};

use crate::support::on_every_backend;

fn assert_close(what: &str, ours: TensorData, burns: TensorData) {
    let difference = relative_difference(&ours, &burns);
    assert!(difference < 1e-5, "{what}: relative difference {difference}");
}

#[derive(Clone)]
struct Blocks;

impl Program for Blocks {
    type Output = ();

    fn run<B: Backend>(self, device: B::Device) {
        let plain = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        let strided = ConvOptions::new([2, 1], [1, 2], [1, 1], 2);
        let overlapping = Pool { kernel: [3, 3], stride: [2, 2], padding: [1, 1], ceil_mode: false };
        let cases = [
            (plain.clone(), None, false, true),
            (plain.clone(), Some(Pool::square(2)), true, true),
            (plain, Some(Pool::square(2)), true, false),
            (strided.clone(), None, true, true),
            (strided, Some(overlapping), true, false),
        ];
        for (conv, max_pool, relu, bias) in cases {
            check_block::<B>(ConvBlock { conv, max_pool, relu }, bias, &device);
        }
    }
}

/// One block and its three gradients, against the same block made of Burn's operations.
fn check_block<B: Backend>(block: ConvBlock, with_bias: bool, device: &B::Device) {
    Training::<B>::seed(device, 1);
    let groups = block.conv.groups;
    let random = |shape: [usize; 4]| {
        Tensor::<Training<B>, 4>::random(shape, Distribution::Uniform(-1., 1.), device).require_grad()
    };
    let (x, weight) = (random([3, 4, 13, 12]), random([6, 4 / groups, 3, 3]));
    let bias = with_bias.then(|| random([6, 1, 1, 1]).reshape([6]).detach().require_grad());

    let ours = conv_block(x.clone(), weight.clone(), bias.clone(), &block).expect("the shapes fit");
    let mut burns = module::conv2d(x.clone(), weight.clone(), bias.clone(), block.conv.clone());
    if let Some(pool) = &block.max_pool {
        burns = module::max_pool2d(burns, pool.kernel, pool.stride, pool.padding, [1, 1], pool.ceil_mode);
    }
    if block.relu {
        burns = relu(burns);
    }
    let what = format!("{} {block:?}", B::name(device));
    assert_close(&what, ours.to_data(), burns.to_data());

    // Squares make the gradient that comes back differ from place to place.
    let (ours, burns) = (ours.powi_scalar(2).sum().backward(), burns.powi_scalar(2).sum().backward());
    assert_close(&what, x.grad(&ours).unwrap().into_data(), x.grad(&burns).unwrap().into_data());
    assert_close(&what, weight.grad(&ours).unwrap().into_data(), weight.grad(&burns).unwrap().into_data());
    if let Some(bias) = bias {
        assert_close(&what, bias.grad(&ours).unwrap().into_data(), bias.grad(&burns).unwrap().into_data());
    }
}

#[test]
fn blocks_and_their_gradients_are_those_of_burns_operations() {
    on_every_backend(Blocks);
}

#[derive(Clone)]
struct Pooling;

impl Program for Pooling {
    type Output = ();

    fn run<B: Backend>(self, device: B::Device) {
        Training::<B>::seed(&device, 1);
        let x = Tensor::<Training<B>, 4>::random([2, 3, 8, 9], Distribution::Default, &device).require_grad();
        let pool = Pool { kernel: [3, 2], stride: [2, 2], padding: [1, 0], ceil_mode: false };
        let Pool { kernel, stride, padding, ceil_mode } = pool;
        let largest = module::max_pool2d(x.clone(), kernel, stride, padding, [1, 1], ceil_mode);
        check(&x, max_pool2d(x.clone(), &pool).expect("the window fits"), largest);
        let mean = module::avg_pool2d(x.clone(), kernel, stride, padding, true, ceil_mode);
        check(&x, avg_pool2d(x.clone(), &pool).expect("the window fits"), mean);
    }
}

/// Two ways to compute the same from `x`, and the gradients through each.
fn check<B: Backend>(x: &Tensor<Training<B>, 4>, ours: Tensor<Training<B>, 4>, burns: Tensor<Training<B>, 4>) {
    assert_close("pooling", ours.to_data(), burns.to_data());
    let (ours, burns) = (ours.powi_scalar(2).sum().backward(), burns.powi_scalar(2).sum().backward());
    assert_close("its gradient", x.grad(&ours).unwrap().into_data(), x.grad(&burns).unwrap().into_data());
}

#[test]
fn pooling_and_its_gradient_are_those_of_burns_operations() {
    on_every_backend(Pooling);
}

type Image<B> = Tensor<Training<B>, 4>;

#[derive(Clone)]
struct Concat;

impl Program for Concat {
    type Output = ();

    fn run<B: Backend>(self, device: B::Device) {
        Training::<B>::seed(&device, 1);
        let random =
            |channels| Tensor::<Training<B>, 4>::random([2, channels, 3, 5], Distribution::Uniform(-1., 1.), &device);
        for count in 1..=5 {
            let parts: Vec<_> = (1..=count).map(random).collect();
            let coefficients = random((1..=count).sum());
            let run = |concat: fn(Vec<Image<B>>) -> Image<B>| {
                // The second of them is a constant.
                let leaf = |(index, part): (usize, &Tensor<_, 4>)| part.clone().detach().set_require_grad(index != 1);
                let leaves: Vec<_> = parts.iter().enumerate().map(leaf).collect();
                let y = concat(leaves.clone());
                let grads = (y.clone() * coefficients.clone()).sum().backward();
                let gradients: Vec<_> = leaves.iter().map(|leaf| leaf.grad(&grads).map(Tensor::into_data)).collect();
                (y.into_data(), gradients)
            };
            let ((ours, our_gradients), (burns, burn_gradients)) = (run(concat), run(|parts| Tensor::cat(parts, 1)));
            assert_close("channels", ours, burns);
            for (index, gradients) in our_gradients.into_iter().zip(burn_gradients).enumerate() {
                match gradients {
                    (Some(ours), Some(burns)) => assert_close("a gradient", ours, burns),
                    (ours, burns) => assert!(ours.is_none() && burns.is_none() && index == 1, "{count} parts, {index}"),
                }
            }
        }
    }
}

#[test]
fn channels_one_after_the_other_and_their_gradients_are_those_of_burns_operation() {
    on_every_backend(Concat);
}

/// A backend without gradients for the input must not compute one: the weight's gradient alone is registered.
#[test]
fn an_input_without_gradient_gets_none() {
    #[derive(Clone)]
    struct First;
    impl Program for First {
        type Output = ();
        fn run<B: Backend>(self, device: B::Device) {
            let x = Tensor::<Training<B>, 4>::ones([1, 1, 5, 5], &device);
            let weight = Tensor::<Training<B>, 4>::ones([1, 1, 3, 3], &device).require_grad();
            let plain = ConvBlock::plain(ConvOptions::new([1, 1], [0, 0], [1, 1], 1));
            let grads = conv_block(x.clone(), weight.clone(), None, &plain).unwrap().sum().backward();
            assert!(x.grad(&grads).is_none());
            let nine = TensorData::new(vec![9f32; 9], [1, 1, 3, 3]);
            assert_close("the weight's gradient", weight.grad(&grads).unwrap().into_data(), nine);
        }
    }
    on_every_backend(First);
}

/// The same numbers as `torch.nn.functional.cross_entropy` with and without label smoothing, and their gradients.
#[test]
fn the_cross_entropy_is_that_of_pytorch() {
    const LOGITS: [[f32; 4]; 3] = [[1.5, -0.25, 3., 0.75], [0., 0., 0., 0.], [-2., 8., 1., 0.5]];
    const PLAIN: f32 = 1.0668814;
    const PLAIN_GRADIENT: [[f32; 4]; 3] = [
        [-0.278936694, 0.00945271849, 0.243788823, 0.0256951529],
        [0.0833333333, 0.0833333333, -0.25, 0.0833333333],
        [1.51104876e-05, -0.000502696166, 0.000303502256, 0.000184083423],
    ];
    const SMOOTHED: f32 = 1.2793814;
    const SMOOTHED_GRADIENT: [[f32; 4]; 3] = [
        [-0.253936694, 0.00111938515, 0.23545549, 0.0173618196],
        [0.075, 0.075, -0.225, 0.075],
        [-0.00831822285, 0.0244973038, -0.00802983108, -0.00814924991],
    ];

    #[derive(Clone)]
    struct Loss;
    impl Program for Loss {
        type Output = ();
        fn run<B: Backend>(self, device: B::Device) {
            for (smoothing, loss, gradient) in [(0., PLAIN, PLAIN_GRADIENT), (0.1, SMOOTHED, SMOOTHED_GRADIENT)] {
                let logits = Tensor::<Training<B>, 2>::from_data(LOGITS, &device).require_grad();
                let targets = Tensor::from_data([0, 2, 1], &device);
                let ours = cross_entropy(logits.clone(), targets, smoothing);
                assert_close("loss", ours.to_data(), TensorData::from([loss]));
                // Twice the loss: the gradient that comes from above is not just one.
                let grads = (ours * 2.).backward();
                let twice = gradient.map(|row| row.map(|value: f32| 2. * value));
                assert_close("gradient", logits.grad(&grads).unwrap().into_data(), TensorData::from(twice));
            }
        }
    }
    on_every_backend(Loss);
}

#[derive(Clone)]
struct Products;

impl Program for Products {
    type Output = ();

    /// A small weight, and one that is large enough to be taken for an image.
    fn run<B: Backend>(self, device: B::Device) {
        for (rows, inputs, outputs) in [(3, 20, 10), (2, 1030, 1100), (40, 1030, 1100)] {
            Training::<B>::seed(&device, 1);
            let random = |shape: [usize; 2]| {
                Tensor::<Training<B>, 2>::random(shape, Distribution::Uniform(-1., 1.), &device).require_grad()
            };
            let (x, weight) = (random([rows, inputs]), random([inputs, outputs]));
            let bias = random([1, outputs]).reshape([outputs]).detach().require_grad();
            let ours = linear(x.clone(), weight.clone(), Some(bias.clone()));
            let burns = x.clone().matmul(weight.clone()) + bias.clone().unsqueeze();
            let what = format!("{} {rows} x {inputs} x {outputs}", B::name(&device));
            assert_close(&what, ours.to_data(), burns.to_data());
            let slope = random([rows, outputs]).detach();
            let ours = (ours * slope.clone()).sum().backward();
            let burns = (burns * slope.clone()).sum().backward();
            let pair = |a: Option<_>, b: Option<_>| (a.expect("a gradient"), b.expect("a gradient"));
            let (our_x, burn_x) = pair(x.grad(&ours), x.grad(&burns));
            assert_close(&format!("{what}, gradient of x"), our_x.clone().into_data(), burn_x.into_data());
            let (our_weight, burn_weight) = pair(weight.grad(&ours), weight.grad(&burns));
            assert_close(
                &format!("{what}, gradient of the weight"),
                our_weight.clone().into_data(),
                burn_weight.into_data(),
            );
            let (a, b) = (bias.grad(&ours).expect("a gradient"), bias.grad(&burns).expect("a gradient"));
            assert_close(&format!("{what}, gradient of the bias"), a.into_data(), b.into_data());

            // With one factor a constant, the other has the same gradient, and the constant none.
            for constant in [0, 1] {
                let leaf = |tensor: &Tensor<Training<B>, 2>, index| {
                    tensor.clone().detach().set_require_grad(index != constant)
                };
                let (x, weight) = (leaf(&x, 0), leaf(&weight, 1));
                let grads = (linear(x.clone(), weight.clone(), None) * slope.clone()).sum().backward();
                let (given, none) = if constant == 0 {
                    (weight.grad(&grads), x.grad(&grads))
                } else {
                    (x.grad(&grads), weight.grad(&grads))
                };
                let expected = if constant == 0 { &our_weight } else { &our_x };
                assert_close(
                    &format!("{what}, one gradient"),
                    given.expect("a gradient").into_data(),
                    expected.clone().into_data(),
                );
                assert!(none.is_none(), "{what}: a gradient of a constant");
            }
        }
    }
}

#[test]
fn linear_layers_are_burns_products() {
    on_every_backend(Products);
}
