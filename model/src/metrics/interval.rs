//! Between which bounds an accuracy lies that was measured on some images.

/// Bounds of a 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

/// The 97.5 % point of the normal distribution, which two-sided intervals of 95 % have.
pub(super) const Z: f64 = 1.959_963_984_540_054;

/// The 95 % interval of a share of which `successes` of `count` trials were seen: Wilson's, which keeps its promise near 0 and 1
/// too, where accuracies are (Wilson, "Probable inference, the law of succession, and statistical inference", 1927). Without
/// trials it is everything.
pub fn wilson(successes: usize, count: usize) -> Interval {
    if count == 0 {
        return Interval { low: 0., high: 1. };
    }
    let (n, share) = (count as f64, successes as f64 / count as f64);
    let scale = 1. + Z * Z / n;
    let centre = (share + Z * Z / (2. * n)) / scale;
    let half = Z / scale * (share * (1. - share) / n + Z * Z / (4. * n * n)).sqrt();
    // Rounding must not leave the bounds that are exact.
    Interval {
        low: if successes == 0 { 0. } else { centre - half },
        high: if successes == count { 1. } else { centre + half },
    }
}
