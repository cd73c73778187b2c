//! Results are bit-identical for any number of threads and any scheduling.

mod reference;

use kiln_kernels::{
    Conv2d, ConvBlock, Needs, Saved, Window, avg_pool2d, avg_pool2d_backward, batch_norm, batch_norm_backward,
    channel_affine, cross_entropy, max_pool2d, max_pool2d_backward, max_pool2d_training,
};
use rayon::{ThreadPool, ThreadPoolBuilder};
use reference::check::at_all_levels;
use reference::random::Random;
use reference::size;

type Results = Vec<(&'static str, Vec<u32>)>;

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn widened(argmax: &[u8]) -> Vec<u32> {
    argmax.iter().copied().map(u32::from).collect()
}

/// Runs the work twice on 1, 2 and 7 threads, at every SIMD level; within a level all results must be equal.
fn check(what: &str, work: impl Fn() -> Results + Sync) {
    let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let pools: [ThreadPool; 3] = [1, 2, 7].map(pool);
    at_all_levels(|level| {
        let expected = pools[0].install(&work);
        for (pool, turn) in pools.iter().flat_map(|pool| [(pool, 1), (pool, 2)]) {
            for ((name, expected), (_, actual)) in expected.iter().zip(pool.install(&work)) {
                let threads = pool.current_num_threads();
                // Not `assert_eq`, which would print both vectors.
                assert!(*expected == actual, "{name} on {threads} threads, turn {turn}: {what}, {level:?}");
            }
        }
    });
}

fn check_block(block: &ConvBlock) {
    let mut random = Random(1);
    let x = random.real(size(block.conv.image));
    let weight = random.real(size(block.conv.weight));
    let bias = random.real(block.conv.weight[0]);
    let grad = random.real(size(block.output()));
    let what = format!("{:?}, max-pool {:?}, relu {}", block.conv, block.max_pool, block.relu);
    check(&what, || {
        let forward = block.forward(&x, &weight, Some(&bias));
        let (output, argmax) = block.forward_training(&x, &weight, Some(&bias));
        let saved = Saved { x: &x, weight: &weight, output: &output, argmax: &argmax };
        let gradients = block.backward(saved, &grad, Needs { x: true, weight: true, bias: true });
        vec![
            ("forward", bits(&forward)),
            ("training", bits(&output)),
            ("argmax", widened(&argmax)),
            ("gradient of x", bits(&gradients.x.unwrap())),
            ("gradient of weight", bits(&gradients.weight.unwrap())),
            ("gradient of bias", bits(&gradients.bias.unwrap())),
        ]
    });
}

#[test]
fn a_large_image_with_a_few_pointwise_kernels() {
    check_block(&ConvBlock { conv: Conv2d::new([1, 300, 1, 3600], [5, 300, 1, 1]), max_pool: None, relu: false });
}

#[test]
fn blocks() {
    let new = Conv2d::new;
    let same = |image, weight| Conv2d { padding: [[1; 2]; 2], ..Conv2d::new(image, weight) };
    let strided = Conv2d { stride: [2; 2], padding: [[3; 2]; 2], ..new([5, 3, 33, 30], [16, 3, 7, 7]) };
    let dilated = Conv2d { dilation: [2, 3], padding: [[2, 1], [0, 3]], ..new([3, 8, 15, 17], [12, 8, 3, 3]) };
    let grouped = Conv2d { groups: 4, ..same([6, 16, 12, 11], [24, 4, 3, 3]) };
    let depthwise = Conv2d { groups: 40, ..same([9, 40, 10, 10], [40, 1, 3, 3]) };
    let two = || Some(Window::square(2));
    let overlapping = Window { kernel: [3; 2], stride: [2; 2], padding: [1; 2], ceil_mode: true };
    // Large batches with few channels, many channels, single images, and everything else.
    let table = [
        (new([100, 1, 28, 28], [10, 1, 5, 5]), two(), true),
        (new([100, 10, 12, 12], [20, 10, 5, 5]), two(), true),
        (new([257, 1, 9, 9], [3, 1, 3, 3]), None, true),
        (same([2, 64, 16, 16], [64, 64, 3, 3]), two(), true),
        (same([3, 256, 5, 5], [130, 256, 3, 3]), None, false),
        (new([33, 300, 1, 1], [70, 300, 1, 1]), None, true),
        (same([1, 3, 40, 41], [17, 3, 3, 3]), two(), true),
        (same([3, 8, 20, 21], [64, 8, 3, 3]), two(), true),
        (same([3, 8, 20, 21], [64, 8, 3, 3]), None, false),
        (new([1, 1, 64, 64], [1, 1, 5, 5]), None, false),
        (strided, Some(overlapping), true),
        (dilated, None, true),
        (grouped, two(), true),
        (depthwise, None, true),
    ];
    for (conv, max_pool, relu) in table {
        check_block(&ConvBlock { conv, max_pool, relu });
    }
}

#[test]
fn pools() {
    let overlapping = Window { kernel: [3; 2], stride: [2; 2], padding: [1; 2], ceil_mode: true };
    let table = [
        ([100, 10, 24, 24], Window::square(2)),
        ([3, 300, 7, 7], Window::square(7)),
        ([1, 1, 100, 101], overlapping.clone()),
        ([5, 16, 20, 21], overlapping),
    ];
    for (image, window) in table {
        let mut random = Random(1);
        let (x, grad) = (random.real(size(image)), random.real(size(window.output(image))));
        check(&format!("{image:?}, {window:?}"), || {
            let (y, argmax) = max_pool2d_training(&window, image, &x);
            vec![
                ("maximum", bits(&max_pool2d(&window, image, &x))),
                ("maximum in training", bits(&y)),
                ("argmax", widened(&argmax)),
                ("gradient of the maximum", bits(&max_pool2d_backward(&window, image, &grad, &argmax))),
                ("mean", bits(&avg_pool2d(&window, image, &x, true))),
                ("gradient of the mean", bits(&avg_pool2d_backward(&window, image, &grad, true))),
            ]
        });
    }
}

#[test]
fn normalisations() {
    for shape in [[64, 17, 9, 9], [2, 40, 33, 31], [300, 5, 1, 1]] {
        let mut random = Random(1);
        let (x, residual, grad) = (random.real(size(shape)), random.real(size(shape)), random.real(size(shape)));
        let (weight, bias) = (random.real(shape[1]), random.real(shape[1]));
        check(&format!("normalisation of {shape:?}"), || {
            let norm = batch_norm(shape, &x, [&weight, &bias], 1e-5, Some(&residual), true);
            let statistics: [&[f32]; 2] = [&norm.mean, &norm.variance];
            let gradients = batch_norm_backward(shape, &x, &weight, statistics, 1e-5, &norm.output, true, &grad);
            let affine = channel_affine(shape, &x, [&weight, &bias], Some(&residual), true);
            vec![
                ("output", bits(&norm.output)),
                ("mean", bits(&norm.mean)),
                ("variance", bits(&norm.variance)),
                ("gradient of x", bits(&gradients.x)),
                ("gradient of the weight", bits(&gradients.weight)),
                ("gradient of the bias", bits(&gradients.bias)),
                ("affine", bits(&affine)),
            ]
        });
    }
}

#[test]
fn losses() {
    for (rows, classes) in [(1, 10), (64, 10), (1000, 10), (37, 1000)] {
        let mut random = Random(1);
        let logits = random.real(rows * classes);
        let targets: Vec<usize> = (0..rows).map(|_| random.between(0..=classes - 1)).collect();
        check(&format!("{rows} rows of {classes} logits"), || {
            let (loss, gradient) = cross_entropy(&logits, classes, &targets, 0.1);
            vec![("loss", bits(&[loss])), ("gradient", bits(&gradient))]
        });
    }
}
