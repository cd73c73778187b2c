//! Batches of images, before they become tensors.

/// A batch as plain numbers, not yet tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct PlainBatch {
    /// Normalised pixels `[N, C, H, W]`.
    pub images: Vec<f32>,
    /// The shape of `images`: `[N, C, H, W]`.
    pub shape: [usize; 4],
    /// Class of each image `[N]`.
    pub labels: Vec<usize>,
    /// Each image's index in the dataset `[N]`.
    pub indices: Vec<usize>,
    /// What the images have been mixed with; `None` if they have not.
    pub mix: Option<Mix>,
}

/// How a batch's images have been mixed: each with another image of the same batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// Class of the other image `[N]`.
    pub labels: Vec<usize>,
    /// Weight of the image's own class in the target, 0 to 1; the other image's class has the rest.
    pub share: f64,
}
