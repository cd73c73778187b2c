//! Layers one after the other, numbered as in `torch.nn.Sequential`.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear, Relu, conv::Conv2d};
use burn::tensor::backend::Backend as BurnBackend;
use kiln_backend::Pool;

use super::BasicConv;
use crate::batch_norm::BatchNorm;
use crate::pass::Pass;

/// A layer of a sequence. Layers without weights count as well: names in weights files have the layer's place.
#[expect(clippy::large_enum_variant, reason = "a network has dozens, not thousands")]
#[derive(Module, Debug)]
pub enum Layer<B: BurnBackend> {
    /// A convolution.
    Conv(Conv2d<B>),
    /// A normalisation.
    Norm(BatchNorm<B>),
    /// Convolution, normalisation and ReLU as one layer.
    Basic(BasicConv<B>),
    /// A linear layer.
    Linear(Linear<B>),
    /// Max-pooling.
    MaxPool(MaxPool),
    /// ReLU.
    Relu(Relu),
    /// Dropout.
    Dropout(Dropout),
}

/// Max-pooling as a layer.
#[derive(Module, Clone, Debug)]
pub struct MaxPool {
    /// Its windows.
    #[module(skip)]
    pub pool: Pool,
}

impl<B: BurnBackend> Layer<B> {
    /// Max-pooling.
    pub fn max_pool(pool: Pool) -> Self {
        Self::MaxPool(MaxPool { pool })
    }

    /// ReLU.
    pub fn relu() -> Self {
        Self::Relu(Relu::new())
    }

    /// Dropout.
    pub fn dropout(probability: f64) -> Self {
        Self::Dropout(DropoutConfig::new(probability).init())
    }
}

/// Runs layers on images; what belongs together (convolution, normalisation, ReLU, pooling) goes as one operation.
///
/// # Panics
/// If a normalisation does not follow a convolution, or a layer takes no images.
pub fn run_images<B: BurnBackend, P: Pass<B>>(layers: &[Layer<B>], pass: &P, mut x: P::Image) -> P::Image {
    let mut rest = layers;
    loop {
        (x, rest) = match rest {
            [] => return x,
            [Layer::Conv(conv), Layer::Norm(norm), Layer::Relu(_), rest @ ..] => {
                (pass.conv_norm(x, conv, norm, None, true), rest)
            }
            [Layer::Conv(conv), Layer::Norm(norm), rest @ ..] => (pass.conv_norm(x, conv, norm, None, false), rest),
            // ReLU and the maximum may change places.
            [Layer::Conv(conv), Layer::Relu(_), Layer::MaxPool(pool), rest @ ..] => {
                (pass.conv(x, conv, Some(pool.pool.clone()), true), rest)
            }
            [Layer::Conv(conv), Layer::Relu(_), rest @ ..] => (pass.conv(x, conv, None, true), rest),
            [Layer::Conv(conv), rest @ ..] => (pass.conv(x, conv, None, false), rest),
            [Layer::Basic(conv), rest @ ..] => (conv.run(pass, x), rest),
            [Layer::MaxPool(pool), rest @ ..] => (pass.max_pool(x, pool.pool.clone()), rest),
            [..] => panic!("a layer that takes no images, or a normalisation without a convolution"),
        };
    }
}

/// Runs layers on rows of features.
///
/// # Panics
/// If a layer takes images.
pub fn run_rows<B: BurnBackend, P: Pass<B>>(layers: &[Layer<B>], pass: &P, mut x: P::Row) -> P::Row {
    let mut rest = layers;
    loop {
        (x, rest) = match rest {
            [] => return x,
            [Layer::Linear(linear), Layer::Relu(_), rest @ ..] => (pass.linear(x, linear, true), rest),
            [Layer::Linear(linear), rest @ ..] => (pass.linear(x, linear, false), rest),
            [Layer::Dropout(dropout), rest @ ..] => (pass.dropout(x, dropout.prob), rest),
            [..] => panic!("a layer that takes images"),
        };
    }
}
