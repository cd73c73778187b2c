//! Temperature scaling: one number by which logits are divided so that probabilities mean what they say.
//!
//! The cross-entropy of held-out images is a convex function of the reciprocal of the temperature, so its minimum is the one
//! place where the derivative is zero (Guo et al., "On Calibration of Modern Neural Networks", 2017).

/// Why no temperature can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemperatureError {
    /// There is nothing to go by.
    #[error("there are no images to find a temperature by")]
    NoImages,
    /// All images are classified correctly: the colder, the better.
    #[error(
        "no temperature is best: all {images} images are classified correctly, so there are no mistakes to learn from"
    )]
    NoMistakes {
        /// Images.
        images: usize,
    },
    /// The network knows nothing of these images: the hotter, the better.
    #[error("no temperature is best: the network's logits say less about the {images} images than chance")]
    NoInformation {
        /// Images.
        images: usize,
    },
}

/// The temperature at which logits `[N, classes]`, row by row, give the classes `[N]` the smallest cross-entropy; the same
/// numbers give the same temperature.
///
/// # Errors
/// If there are no images, or none is misclassified, or the logits are worse than none.
///
/// # Panics
/// If there are fewer logits than labels ask for, or a label is not below `classes`.
pub fn fit_temperature(logits: &[f32], classes: usize, labels: &[usize]) -> Result<f64, TemperatureError> {
    /// Logits that need a colder or hotter one are no network's.
    const COLDEST: f64 = 1e-4;
    let images = labels.len();
    if images == 0 {
        return Err(TemperatureError::NoImages);
    }
    let slope = |inverse: f64| {
        let rows = logits.chunks_exact(classes).zip(labels);
        rows.map(|(row, &label)| slope(row, label, inverse)).fold((0., 0.), |(a, b), (c, d)| (a + c, b + d))
    };
    if slope(0.).0 >= 0. {
        return Err(TemperatureError::NoInformation { images });
    }
    let (mut low, mut high) = (0., 1.);
    while slope(high).0 < 0. {
        (low, high) = (high, 2. * high);
        if high > 1. / COLDEST {
            return Err(TemperatureError::NoMistakes { images });
        }
    }
    // Newton's method, and halves where it would leave the bounds.
    let mut inverse = high;
    for _ in 0..200 {
        let (first, second) = slope(inverse);
        *(if first < 0. { &mut low } else { &mut high }) = inverse;
        let step = inverse - first / second;
        let next = if low < step && step < high { step } else { (low + high) / 2. };
        let moved = (next - inverse).abs();
        inverse = next;
        if moved <= 1e-13 * inverse {
            break;
        }
    }
    Ok(1. / inverse)
}

/// First and second derivative of an image's cross-entropy by the reciprocal of the temperature: how far the mean of the logits
/// under the probabilities lies above the label's logit, and their variance.
fn slope(logits: &[f32], label: usize, inverse: f64) -> (f64, f64) {
    let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let (mut total, mut mean, mut square) = (0., 0., 0.);
    for &logit in logits {
        let below = f64::from(logit) - largest;
        let weight = (below * inverse).exp();
        total += weight;
        mean += weight * below;
        square += weight * below * below;
    }
    let mean = mean / total;
    (mean - (f64::from(logits[label]) - largest), square / total - mean * mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_must_be_something_to_go_by() {
        assert_eq!(fit_temperature(&[], 2, &[]), Err(TemperatureError::NoImages));
        let right = fit_temperature(&[1., 0., 0., 1e-3], 2, &[0, 1]);
        assert_eq!(right, Err(TemperatureError::NoMistakes { images: 2 }));
        let wrong = fit_temperature(&[1., 0., 0., 1.], 2, &[1, 0]);
        assert_eq!(wrong, Err(TemperatureError::NoInformation { images: 2 }));
        let blank = fit_temperature(&[0.; 4], 2, &[1, 0]);
        assert_eq!(blank, Err(TemperatureError::NoInformation { images: 2 }));
    }

    #[test]
    fn three_of_four_right_deserve_three_quarters() {
        // Two classes whose logits are 8 apart: the best probability is 3/4, so the logits should be ln 3 apart.
        let logits = [8., 0., 8., 0., 8., 0., 8., 0.];
        let temperature = fit_temperature(&logits, 2, &[0, 0, 0, 1]).unwrap();
        assert!((temperature - 8. / 3f64.ln()).abs() < 1e-12, "{temperature}");
    }
}
