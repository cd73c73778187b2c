//! Times the operations of the lecture's network: `cargo bench -p kiln-kernels --bench lecture -- THREADS [SECONDS]`.
//!
//! Prints `level,operation,milliseconds,GFLOP/s` for each SIMD level: the median over SECONDS (0.2) of calls on a batch
//! of 64, and the operations that the definition asks for in that time. The sparse backward pass does a quarter of
//! them, since the rest would multiply zeros. `peak` is what multiply-adds in registers reach on as many threads.

mod timing;

use std::hint::black_box;
use std::time::Duration;

use kiln_kernels::simd::{Level, dispatch, mul_add};
use kiln_kernels::{Conv2d, ConvBlock, Needs, Saved, Window};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::timing::{inside_pool, median};

const BATCH: usize = 64;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [threads, rest @ ..] = &arguments[..] else {
        eprintln!("usage: lecture THREADS [SECONDS]");
        return;
    };
    let threads = threads.parse().expect("THREADS is a number");
    let seconds = rest.first().map_or(0.2, |seconds| seconds.parse().expect("SECONDS is a number"));
    let seconds = Duration::from_secs_f64(seconds);
    inside_pool(threads, || {
        for level in Level::available().into_iter().rev() {
            level.force();
            let peak = median(seconds, || (0..threads).into_par_iter().for_each(|_| dispatch(Peak)));
            report("peak", peak, threads * Peak::OPERATIONS);
            block("conv1", Conv2d::new([BATCH, 1, 28, 28], [10, 1, 5, 5]), false, seconds);
            block("conv2", Conv2d::new([BATCH, 10, 12, 12], [20, 10, 5, 5]), true, seconds);
        }
    });
}

fn report(operation: &str, milliseconds: f64, operations: usize) {
    println!("{:?},{operation},{milliseconds:.4},{:.1}", Level::current(), operations as f64 / milliseconds / 1e6);
}

fn block(name: &str, conv: Conv2d, inner: bool, seconds: Duration) {
    let [n, out, height, width] = conv.output();
    let [_, channels, kh, kw] = conv.weight;
    let operations = 2 * n * out * height * width * channels * kh * kw;
    let block = ConvBlock { conv, max_pool: Some(Window::square(2)), relu: true };
    // No pattern that the branch predictor could learn: branches depend on which gradients are dropped.
    let mut state = 1u32;
    let mut values = |len: usize| -> Vec<f32> {
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        };
        std::iter::repeat_with(next).take(len).collect()
    };
    let (x, weight) = (values(block.conv.image.iter().product()), values(block.conv.weight.iter().product()));
    let (bias, grad) = (vec![0.; out], values(block.output().iter().product()));
    let (output, argmax) = block.forward_training(&x, &weight, Some(&bias));
    let saved = Saved { x: &x, weight: &weight, output: &output, argmax: &argmax };
    let backward = |x| {
        let needs = Needs { x, weight: !x, bias: !x };
        median(seconds, || drop(block.backward(saved, &grad, needs)))
    };
    let training = median(seconds, || drop(block.forward_training(&x, &weight, Some(&bias))));
    report(&format!("{name} forward"), median(seconds, || drop(block.forward(&x, &weight, Some(&bias)))), operations);
    report(&format!("{name} forward for training"), training, operations);
    report(&format!("{name} weight and bias gradient"), backward(false), operations);
    if inner {
        report(&format!("{name} input gradient"), backward(true), operations);
    }
}

/// Multiply-adds in registers alone.
struct Peak;

impl Peak {
    const ROUNDS: usize = 100_000;
    const SUMS: usize = 12;
    const OPERATIONS: usize = 2 * Self::ROUNDS * Self::SUMS * 16;
}

impl WithSimd for Peak {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (a, b) = (simd.splat_f32s(black_box(0.5)), simd.splat_f32s(black_box(1.)));
        let mut sums = [b; Self::SUMS];
        for _ in 0..Self::ROUNDS * 16 / S::F32_LANES {
            for sum in &mut sums {
                *sum = mul_add(simd, *sum, a, b);
            }
        }
        black_box(sums);
    }
}
