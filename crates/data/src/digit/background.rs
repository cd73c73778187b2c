//! What the paper looks like: its noise, and its brightness as a plane, since light often falls from one side.

/// Ink differs from the paper by more than this, in grey levels, however clean the picture is.
const LEAST_CONTRAST: f32 = 10.0;

/// Ink differs from the paper by more than this many standard deviations of the noise.
const NOISE_FACTOR: f32 = 4.0;

/// The number of border pixels to fit a plane to. More would only cost time.
const SAMPLES: usize = 16_384;

/// Whether ink is lighter or darker than its ground.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Light ink on a dark ground, as in MNIST.
    Light,
    /// Dark ink on light paper.
    Dark,
}

/// The paper: `level + right * x + down * y` grey levels, x and y from -1 to 1 across the picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Background {
    plane: [f32; 3],
    height: usize,
    /// Standard deviation of the paper's own pixels from the plane, in grey levels.
    noise: f32,
}

/// A pixel of the border: its position (-1 to 1) and value.
#[derive(Clone, Copy)]
struct Sample {
    x: f32,
    y: f32,
    value: f32,
}

impl Background {
    /// Estimates the paper from the picture's border, less than half of which may be covered by ink.
    pub(super) fn of(gray: &[u8], height: usize, width: usize) -> Self {
        let samples = border(gray, height, width);
        let mut plane = [median(samples.iter().map(|sample| sample.value).collect()), 0.0, 0.0];
        let mut noise = spread(&samples, plane);
        // Ink on the border is an outlier, and stands out more clearly from each better plane.
        for _ in 0..4 {
            let limit = (3.0 * noise).max(LEAST_CONTRAST);
            let paper: Vec<Sample> =
                samples.iter().copied().filter(|sample| residual(sample, plane).abs() <= limit).collect();
            let Some(better) = fit(&paper) else { break };
            plane = better;
            noise = spread(&samples, plane);
        }
        Self { plane, height, noise }
    }

    /// The paper's brightness in the middle of the picture, in grey levels.
    pub(super) fn level(&self) -> f32 {
        self.plane[0]
    }

    /// The largest strength that may be noise, in grey levels.
    pub(super) fn floor(&self) -> u8 {
        (NOISE_FACTOR * self.noise).clamp(LEAST_CONTRAST, 255.0) as u8
    }

    /// Whether what stands out from the paper is lighter or darker, whichever adds up to more; `None` if nothing stands out.
    pub(super) fn ink(&self, gray: &[u8], width: usize) -> Option<Ink> {
        let floor = f32::from(self.floor());
        let mut balance = 0.0f64;
        for (y, row) in gray.chunks_exact(width).enumerate() {
            let (start, step) = self.row(y, width);
            let outliers = row.iter().enumerate().map(|(x, &pixel)| {
                let difference = f32::from(pixel) - (start + step * x as f32);
                if difference.abs() > floor { difference } else { 0.0 }
            });
            balance += f64::from(outliers.sum::<f32>());
        }
        (balance != 0.0).then_some(if balance > 0.0 { Ink::Light } else { Ink::Dark })
    }

    /// The paper's brightness at the first pixel of a row, and its change from pixel to pixel.
    fn row(&self, y: usize, width: usize) -> (f32, f32) {
        let [level, right, down] = self.plane;
        let first = level + right * unit(0, width) + down * unit(y, self.height);
        (first, if width > 1 { right * 2.0 / (width - 1) as f32 } else { 0.0 })
    }
}

/// Maps a position from 0 to `length - 1` onto -1 to 1.
fn unit(at: usize, length: usize) -> f32 {
    if length > 1 { 2.0 * at as f32 / (length - 1) as f32 - 1.0 } else { 0.0 }
}

/// The pixels near the edge, within a sixteenth of the shorter side but at least one pixel, thinned to about [`SAMPLES`].
fn border(gray: &[u8], height: usize, width: usize) -> Vec<Sample> {
    let depth = (height.min(width) / 16).max(1);
    let count = 2 * depth * (height + width);
    // The step is odd, so that columns are sampled evenly enough although the inner part of rows is skipped.
    let step = (count / SAMPLES).max(1) | 1;
    let mut samples = Vec::with_capacity(count / step + 1);
    let mut index = 0;
    for (y, row) in gray.chunks_exact(width).enumerate() {
        let edge = y < depth || y + depth >= height;
        let (left, right) = if edge || 2 * depth >= width { (width, width) } else { (depth, width - depth) };
        for x in (0..left).chain(right..width) {
            if index % step == 0 {
                samples.push(Sample { x: unit(x, width), y: unit(y, height), value: f32::from(row[x]) });
            }
            index += 1;
        }
    }
    samples
}

fn residual(sample: &Sample, [level, right, down]: [f32; 3]) -> f32 {
    sample.value - (level + right * sample.x + down * sample.y)
}

/// The standard deviation from a plane, estimated by the median so that ink does not count.
fn spread(samples: &[Sample], plane: [f32; 3]) -> f32 {
    1.4826 * median(samples.iter().map(|sample| residual(sample, plane).abs()).collect())
}

fn median(mut values: Vec<f32>) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// The least-squares plane; `None` if the samples do not determine one (too few, or all on a line).
fn fit(samples: &[Sample]) -> Option<[f32; 3]> {
    // The normal equations, with the right-hand side as the fourth column.
    let mut rows = [[0.0f64; 4]; 3];
    for sample in samples {
        let terms = [1.0, f64::from(sample.x), f64::from(sample.y), f64::from(sample.value)];
        for (row, factor) in rows.iter_mut().zip(terms) {
            row.iter_mut().zip(terms).for_each(|(sum, term)| *sum += factor * term);
        }
    }
    // No pivoting: the matrix is symmetric and positive definite unless there are too few samples.
    for pivot in 0..3 {
        if rows[pivot][pivot] <= 1e-6 * samples.len() as f64 {
            return None;
        }
        for other in 0..3 {
            if other != pivot {
                let factor = rows[other][pivot] / rows[pivot][pivot];
                let subtracted = rows[pivot];
                rows[other].iter_mut().zip(subtracted).for_each(|(value, term)| *value -= factor * term);
            }
        }
    }
    Some(std::array::from_fn(|index| (rows[index][3] / rows[index][index]) as f32))
}
