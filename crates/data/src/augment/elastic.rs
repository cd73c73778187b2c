//! Elastic deformation: every pixel is displaced a little, and neighbours similarly, as if the paper were rubber.
//!
//! Simard et al., "Best Practices for Convolutional Neural Networks Applied to Visual Document Analysis", 2003.

use serde::{Deserialize, Serialize};

use super::sampling::Sampler;
use crate::picture::Picture;
use crate::random::Draw;

/// Random displacements, with the parameters of torchvision's `ElasticTransform`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Elastic {
    /// Strength: the smoothed noise is multiplied by `alpha / 2` pixels. The half comes from torchvision, which adds the noise
    /// to coordinates from -1 to 1.
    pub alpha: f64,
    /// Standard deviation of the Gaussian that smooths the noise, in pixels; 0 leaves the noise unsmoothed.
    pub sigma: f64,
}

impl Elastic {
    /// Deforms a picture by random noise, with bilinear sampling. Pixels from outside the picture are `fill`.
    pub fn apply(&self, picture: &Picture, fill: u8, draw: &mut Draw) -> Picture {
        let count = 2 * picture.height * picture.width;
        let noise: Vec<f32> = (0..count).map(|_| draw.between(-1.0, 1.0) as f32).collect();
        self.deform(picture, noise, fill)
    }

    /// Deforms a picture by noise `[2, H, W]` between -1 and 1: displacements along x, then along y. Missing values are 0.
    pub fn deform(&self, picture: &Picture, mut noise: Vec<f32>, fill: u8) -> Picture {
        let (height, width) = (picture.height, picture.width);
        let size = height * width;
        noise.resize(2 * size, 0.0);
        let kernel = gaussian(self.sigma);
        let smooth = |field| smoothed_columns(&smoothed_columns(field, width, &kernel), height, &kernel);
        let (x, y) = noise.split_at(size);
        let (x, y) = (smooth(x), smooth(y));
        let strength = (self.alpha / 2.0) as f32;
        let mut sampler = Sampler::new(picture, fill);
        for (row, (x, y)) in x.chunks_exact(width).zip(y.chunks_exact(width)).enumerate() {
            sampler.sample_displaced(row, x, y, strength);
        }
        sampler.into_picture()
    }
}

/// A Gaussian kernel with sum 1, cut off at four standard deviations.
fn gaussian(sigma: f64) -> Vec<f32> {
    // A Gaussian much wider than any picture is flat anyway.
    let sigma = if sigma > 0.0 { sigma.min(4096.0) } else { 0.0 };
    let radius = (8.0 * sigma + 1.0) as i32 / 2;
    let exact = (-radius..=radius).map(|x| if x == 0 { 1.0 } else { (-0.5 * (f64::from(x) / sigma).powi(2)).exp() });
    let sum: f64 = exact.clone().sum();
    exact.map(|weight| (weight / sum) as f32).collect()
}

/// How many neighbours are smoothed at once: as many as have their sums in vector registers.
const BLOCK: usize = 16;

/// Smooths the rows of a field `[H, W]` and transposes it to `[W, H]`. Beyond its ends a row continues as its mirror image.
fn smoothed_columns(field: &[f32], width: usize, kernel: &[f32]) -> Vec<f32> {
    let height = field.len() / width;
    let radius = kernel.len() / 2;
    let sources: Vec<usize> = (0..width + 2 * radius).map(|at| mirrored(at, radius, width)).collect();
    let mut line = vec![0.0; width.next_multiple_of(BLOCK) + 2 * radius];
    let mut output = vec![0.0; field.len()];
    for (row, values) in field.chunks_exact(width).enumerate() {
        line.iter_mut().zip(&sources).for_each(|(value, &source)| *value = values[source]);
        for start in (0..width).step_by(BLOCK) {
            let sums = weighted_sums(&line[start..], kernel);
            for (sum, column) in sums.into_iter().zip(start..width) {
                output[column * height + row] = sum;
            }
        }
    }
    output
}

fn weighted_sums(line: &[f32], kernel: &[f32]) -> [f32; BLOCK] {
    let mut sums = [0.0; BLOCK];
    for (values, weight) in line.windows(BLOCK).zip(kernel) {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += weight * value;
        }
    }
    sums
}

/// The index that `at - radius` stands for on an axis of `length` that is mirrored at its first and last index without
/// repeating them.
fn mirrored(at: usize, radius: usize, length: usize) -> usize {
    let period = 2 * (length - 1);
    if period == 0 {
        return 0;
    }
    let index = (at as isize - radius as isize).rem_euclid(period as isize) as usize;
    index.min(period - index)
}
