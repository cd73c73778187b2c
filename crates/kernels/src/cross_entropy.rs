//! Softmax and cross-entropy in one pass over the logits.

/// The mean cross-entropy of `logits` `[N, classes]` against class indices `targets` `[N]`, and its gradient
/// `[N, classes]`, with label smoothing as in PyTorch.
///
/// Sums are taken in f64. The mean over no rows is NaN.
///
/// # Panics
/// If a target is not below `classes`, or the lengths do not match.
pub fn cross_entropy(logits: &[f32], classes: usize, targets: &[usize], smoothing: f64) -> (f32, Vec<f32>) {
    let rows = targets.len();
    assert_eq!(logits.len(), rows * classes, "{rows} targets for {} logits", logits.len());
    let spread = smoothing / classes as f64;
    let share = 1. / rows as f64;
    let mut gradient = Vec::with_capacity(logits.len());
    let mut exponentials = vec![0f64; classes];
    let mut loss = 0.;
    for (row, &target) in logits.chunks_exact(classes.max(1)).zip(targets) {
        assert!(target < classes, "class {target} of {classes}");
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.;
        let mut shifted_sum = 0.;
        for (exponential, &logit) in exponentials.iter_mut().zip(row) {
            let shifted = f64::from(logit) - f64::from(largest);
            *exponential = shifted.exp();
            sum += *exponential;
            shifted_sum += shifted;
        }
        let log_sum = sum.ln();
        let at_target = f64::from(row[target]) - f64::from(largest) - log_sum;
        loss -= (1. - smoothing) * at_target;
        if smoothing > 0. {
            loss -= spread * (shifted_sum - classes as f64 * log_sum);
        }
        gradient.extend(exponentials.iter().enumerate().map(|(class, exponential)| {
            let wanted = spread + if class == target { 1. - smoothing } else { 0. };
            ((exponential / sum - wanted) * share) as f32
        }));
    }
    ((loss * share) as f32, gradient)
}
