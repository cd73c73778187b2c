//! What a network is told to: one pass through it, which computes with tensors ([`crate::Compute`]) or writes down what is done
//! ([`crate::Graph`]).
//!
//! A network says once what follows what. Its results, its gradients, its summary and its files for other runtimes all come from
//! that, so they cannot disagree.

use burn::nn::{Linear, PaddingConfig2d, conv::Conv2d};
use burn::tensor::backend::Backend as BurnBackend;
use kiln_backend::{ConvOptions, Pool};

use crate::batch_norm::BatchNorm;

/// What networks are made of. Images are `[N, C, H, W]`, rows are `[N, features]`.
pub trait Pass<B: BurnBackend> {
    /// Images between layers.
    type Image: Clone;
    /// A row of features for each image.
    type Row: Clone;

    /// Whether this pass trains: networks then run their auxiliary heads too.
    fn is_training(&self) -> bool;

    /// Convolution with bias, then max-pooling and ReLU if wanted.
    fn conv(&self, x: Self::Image, conv: &Conv2d<B>, max_pool: Option<Pool>, relu: bool) -> Self::Image;

    /// Convolution and normalisation; then a residual is added and ReLU clips, if wanted.
    fn conv_norm(
        &self,
        x: Self::Image,
        conv: &Conv2d<B>,
        norm: &BatchNorm<B>,
        residual: Option<Self::Image>,
        relu: bool,
    ) -> Self::Image;

    /// Normalisation and ReLU.
    fn norm_relu(&self, x: Self::Image, norm: &BatchNorm<B>) -> Self::Image;

    /// The largest value under each window.
    fn max_pool(&self, x: Self::Image, pool: Pool) -> Self::Image;

    /// The mean under each window; padding counts as zeros.
    fn avg_pool(&self, x: Self::Image, pool: Pool) -> Self::Image;

    /// The means of `size` x `size` parts of nearly equal size.
    fn adaptive_avg_pool(&self, x: Self::Image, size: usize) -> Self::Image;

    /// The channels of all images, one after the other.
    fn concat(&self, images: Vec<Self::Image>) -> Self::Image;

    /// From images to rows: `[N, C * H * W]`.
    fn flatten(&self, x: Self::Image) -> Self::Row;

    /// Matrix product and bias, then ReLU if wanted.
    fn linear(&self, x: Self::Row, linear: &Linear<B>, relu: bool) -> Self::Row;

    /// Sets features to zero with this probability in training.
    fn dropout(&self, x: Self::Row, probability: f64) -> Self::Row;
}

/// What a network gives.
#[derive(Clone, Debug)]
pub struct Logits<Row> {
    /// `[N, classes]`.
    pub main: Row,
    /// In training, what auxiliary heads give, and how much their loss weighs.
    pub auxiliary: Vec<(Row, f64)>,
}

impl<Row> From<Row> for Logits<Row> {
    fn from(main: Row) -> Self {
        Self { main, auxiliary: Vec::new() }
    }
}

/// Options of a layer's convolution.
///
/// # Panics
/// If padding differs between opposite sides.
pub(crate) fn options<B: BurnBackend>(conv: &Conv2d<B>) -> ConvOptions<2> {
    let [kh, kw] = conv.kernel_size;
    let padding = match &conv.padding {
        PaddingConfig2d::Valid => [0, 0],
        PaddingConfig2d::Same => [kh / 2, kw / 2],
        PaddingConfig2d::Explicit(top, left, bottom, right) => {
            assert!(top == bottom && left == right, "padding that differs between opposite sides");
            [*top, *left]
        }
    };
    ConvOptions::new(conv.stride, padding, conv.dilation, conv.groups)
}
