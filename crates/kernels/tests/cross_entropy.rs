//! The cross-entropy and its gradient against the reference, at every SIMD level.

mod reference;

use kiln_kernels::cross_entropy;
use reference::check::{assert_close, at_all_levels};
use reference::random::Random;
use reference::wide;

fn check(logits: &[f32], targets: &[usize], smoothing: f64, what: &str) {
    let (expected, expected_gradient) = reference::cross_entropy(&wide(logits), targets, smoothing);
    at_all_levels(|level| {
        let (loss, gradient) = cross_entropy(logits, logits.len() / targets.len(), targets, smoothing);
        let what = format!("{what}, smoothing {smoothing}, {level:?}");
        assert_close(&[loss], &[expected], 1e-5, format_args!("loss: {what}"));
        assert_close(&gradient, &expected_gradient, 1e-5, format_args!("gradient: {what}"));
        // The mean divides gradients by the batch size; undo that, so that small ones are compared at full scale.
        let scaled: Vec<f32> = gradient.iter().map(|value| value * targets.len() as f32).collect();
        let expected: Vec<f64> = expected_gradient.iter().map(|value| value * targets.len() as f64).collect();
        assert_close(&scaled, &expected, 1e-5, format_args!("gradient: {what}"));
    });
}

#[test]
fn random_logits() {
    let mut random = Random(1);
    for batch in [1, 2, 15, 16, 17, 64, 300] {
        for classes in [1, 2, 3, 10, 15, 16, 17, 100, 1000] {
            for (scale, smoothing) in [(1., 0.), (10., 0.), (10., 0.1), (1., 1.)] {
                let logits: Vec<f32> = random.real(batch * classes).iter().map(|value| value * scale).collect();
                let targets: Vec<usize> = (0..batch).map(|_| random.between(0..=classes - 1)).collect();
                check(&logits, &targets, smoothing, &format!("{batch} rows of {classes}, logits up to {scale}"));
            }
        }
    }
}

#[test]
fn logits_whose_exponentials_are_too_large_for_f32() {
    for row in [[1000., 0., -1000.], [-1000., -1001., -1002.], [200., 200., 200.], [1e30, 0., -1e30]] {
        for target in 0..3 {
            check(&row, &[target], 0., &format!("{row:?}, target {target}"));
        }
        check(&row, &[0], 0.1, &format!("{row:?}"));
    }
}
