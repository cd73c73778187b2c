//! Max- and average-pooling against the reference, for random shapes and edge cases, at every SIMD level.

mod reference;

use kiln_kernels::{Window, avg_pool2d, avg_pool2d_backward, max_pool2d, max_pool2d_backward, max_pool2d_training};
use reference::check::{assert_close, at_all_levels};
use reference::random::Random;
use reference::{size, wide};

fn random_images(random: &mut Random) -> ([usize; 4], Window) {
    let batch = random.pick(&[1, 1, 2, 3, 17]);
    let image = [batch, random.pick(&[1, 3, 16, 20]), random.between(1..=24), random.between(1..=24)];
    let window = random.window(image);
    (image, window)
}

fn edges() -> Vec<([usize; 4], Window)> {
    let wide_step = Window { stride: [3, 5], ..Window::square(2) };
    // The last window of each row and column covers one pixel of the image; the rest is padding and beyond.
    let beyond = Window { kernel: [4; 2], stride: [3; 2], padding: [2; 2], ceil_mode: true };
    let overlapping = Window { kernel: [3; 2], stride: [2; 2], padding: [1; 2], ceil_mode: false };
    vec![
        ([2, 3, 1, 1], Window::square(1)),
        ([2, 3, 5, 7], Window { kernel: [5, 7], ..Window::square(1) }),
        ([2, 3, 9, 11], wide_step),
        ([2, 3, 6, 9], beyond),
        ([2, 16, 12, 12], overlapping),
        // All 256 values of an argmax.
        ([3, 2, 16, 16], Window::square(16)),
        ([1, 2, 2, 300], Window { kernel: [1, 256], stride: [1, 7], padding: [0, 128], ceil_mode: true }),
        ([1, 513, 4, 5], Window::square(2)),
        ([64, 10, 24, 24], Window::square(2)),
        ([64, 20, 8, 8], Window::square(2)),
        ([2, 64, 16, 16], Window::square(2)),
        ([0, 3, 6, 6], Window::square(2)),
    ]
}

/// Shapes with inputs and gradients of both kinds: real values, and small integers with many ties.
fn cases() -> impl Iterator<Item = (String, [usize; 4], Window, Vec<f32>, Vec<f32>)> {
    let random = (0..200).map(|seed| random_images(&mut Random(seed)));
    edges().into_iter().chain(random).enumerate().flat_map(|(seed, (image, window))| {
        ["real", "whole"].map(|values| {
            let mut random = Random(seed as u64);
            let mut fill = |count| if values == "real" { random.real(count) } else { random.whole(count) };
            let (x, grad) = (fill(size(image)), fill(size(window.output(image))));
            (format!("{image:?}, {window:?}, {values} values, seed {seed}"), image, window.clone(), x, grad)
        })
    })
}

#[test]
fn max_pools() {
    for (case, image, window, x, grad) in cases() {
        let (expected, expected_argmax) = reference::max_pool(&window, image, &wide(&x));
        let expected_gradient = reference::max_pool_backward(&window, image, &wide(&grad), &expected_argmax);
        at_all_levels(|level| {
            assert_close(&max_pool2d(&window, image, &x), &expected, 0., format_args!("forward: {case}, {level:?}"));
            let (y, argmax) = max_pool2d_training(&window, image, &x);
            assert_close(&y, &expected, 0., format_args!("training: {case}, {level:?}"));
            assert_eq!(argmax, expected_argmax, "argmax: {case}, {level:?}");
            let gradient = max_pool2d_backward(&window, image, &grad, &argmax);
            assert_close(&gradient, &expected_gradient, 1e-6, format_args!("gradient: {case}, {level:?}"));
        });
    }
}

#[test]
fn average_pools() {
    for (case, image, window, x, grad) in cases() {
        for count_include_pad in [false, true] {
            let expected = reference::average_pool(&window, image, &wide(&x), count_include_pad);
            let expected_gradient = reference::average_pool_backward(&window, image, &wide(&grad), count_include_pad);
            at_all_levels(|level| {
                let what = format!("{case}, padding counts: {count_include_pad}, {level:?}");
                let y = avg_pool2d(&window, image, &x, count_include_pad);
                assert_close(&y, &expected, 1e-5, format_args!("forward: {what}"));
                let gradient = avg_pool2d_backward(&window, image, &grad, count_include_pad);
                assert_close(&gradient, &expected_gradient, 1e-5, format_args!("gradient: {what}"));
            });
        }
    }
}

#[test]
fn nan_wins() {
    for (case, image, window, mut x, _) in cases() {
        let middle = x.len() / 2;
        let Some(value) = x.get_mut(middle) else { continue };
        *value = f32::NAN;
        let (expected, expected_argmax) = reference::max_pool(&window, image, &wide(&x));
        at_all_levels(|level| {
            let what = format!("NaN at {middle}, {case}, {level:?}");
            assert_close(&max_pool2d(&window, image, &x), &expected, 0., format_args!("forward: {what}"));
            let (y, argmax) = max_pool2d_training(&window, image, &x);
            assert_close(&y, &expected, 0., format_args!("training: {what}"));
            assert_eq!(argmax, expected_argmax, "argmax: {what}");
        });
    }
}

#[test]
fn padding_never_wins() {
    // No value is smaller, and padding must still lose: an argmax there has no pixel to receive its gradient.
    for (case, image, window, x, _) in cases() {
        let x = vec![f32::NEG_INFINITY; x.len()];
        let (expected, expected_argmax) = reference::max_pool(&window, image, &wide(&x));
        at_all_levels(|level| {
            let (y, argmax) = max_pool2d_training(&window, image, &x);
            assert_close(&y, &expected, 0., format_args!("all -inf, {case}, {level:?}"));
            assert_eq!(argmax, expected_argmax, "argmax of all -inf, {case}, {level:?}");
        });
    }
}
