//! Whether a network is right as often as it says.

/// Images of about the same confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReliabilityBin {
    /// The confidences above this, ..
    pub low: f64,
    /// .. up to this one, are in the bin.
    pub high: f64,
    /// Images in it.
    pub images: usize,
    /// Those of them whose class came first.
    pub correct: usize,
    /// Sum of their confidences.
    confidence_sum: f64,
}

impl ReliabilityBin {
    /// Mean confidence of its images, 0 to 1; `None` without images.
    pub fn confidence(&self) -> Option<f64> {
        (self.images > 0).then(|| self.confidence_sum / self.images as f64)
    }

    /// Share of its images whose class came first, 0 to 1; `None` without images.
    pub fn accuracy(&self) -> Option<f64> {
        (self.images > 0).then(|| self.correct as f64 / self.images as f64)
    }
}

/// Sorts images, each given as `(confidence, whether it was right)`, into `bins` equal parts of the confidences from 0 to 1.
pub fn reliability(images: impl IntoIterator<Item = (f64, bool)>, bins: usize) -> Vec<ReliabilityBin> {
    let bound = |bin: usize| bin as f64 / bins as f64;
    let empty =
        |bin| ReliabilityBin { low: bound(bin), high: bound(bin + 1), images: 0, correct: 0, confidence_sum: 0. };
    let mut sorted: Vec<_> = (0..bins).map(empty).collect();
    for (confidence, correct) in images {
        let place = sorted.iter().position(|bin| confidence <= bin.high).unwrap_or(bins - 1);
        let bin = &mut sorted[place];
        bin.images += 1;
        bin.correct += usize::from(correct);
        bin.confidence_sum += confidence;
    }
    sorted
}

/// The expected calibration error, 0 to 1: how far accuracy and confidence are apart in a bin, as a mean over the images (Guo et
/// al., "On Calibration of Modern Neural Networks", 2017). Not a number without images.
pub fn expected_calibration_error(bins: &[ReliabilityBin]) -> f64 {
    let gaps = bins.iter().map(|bin| (bin.correct as f64 - bin.confidence_sum).abs()).sum::<f64>();
    gaps / bins.iter().map(|bin| bin.images).sum::<usize>() as f64
}
