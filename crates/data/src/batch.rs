//! A batch as plain numbers, as the loader makes it and mixing changes it.

/// A batch as plain numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct PlainBatch {
    /// Normalised pixels `[N, C, H, W]`.
    pub images: Vec<f32>,
    /// `[N, C, H, W]`.
    pub shape: [usize; 4],
    /// Class of each image `[N]`.
    pub labels: Vec<usize>,
    /// Each image's index in the dataset `[N]`.
    pub indices: Vec<usize>,
    /// What the images are mixed with, if they are.
    pub mix: Option<Mix>,
}

/// What the images of a batch are mixed with: each image with another one of the batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// Class of the other image `[N]`.
    pub labels: Vec<usize>,
    /// The own class's share of the target, 0 to 1; the rest is the other's.
    pub share: f64,
}
