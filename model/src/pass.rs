//! One pass through a network: with tensors ([`Compute`]), or with shapes alone ([`crate::Outline`]).
//!
//! A network says once what follows what. From that come its results, its gradients and its summary, which so cannot
//! disagree.

use burn::nn::{Dropout, DropoutConfig, Linear, PaddingConfig2d, conv::Conv2d};
use burn::tensor::{Tensor, activation::relu, backend::Backend as BurnBackend, module};
use kiln_backend::{Backend, ConvBlock, ConvOptions, Pool};

use crate::layers::BatchNorm;

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

/// A pass with tensors.
///
/// Its operations panic if an image does not fit a layer: the channels differ, or a kernel is larger than the padded image.
#[derive(Clone, Debug)]
pub struct Compute<B: BurnBackend> {
    device: B::Device,
    drops: bool,
}

impl<B: BurnBackend> Compute<B> {
    /// A pass on a device.
    pub fn new(device: B::Device) -> Self {
        Self { device, drops: true }
    }

    /// The same pass, in which training drops nothing: its results depend on no generator.
    #[must_use]
    pub fn without_dropout(self) -> Self {
        Self { drops: false, ..self }
    }
}

impl<B: Backend> Pass<B> for Compute<B> {
    type Image = Tensor<B, 4>;
    type Row = Tensor<B, 2>;

    fn is_training(&self) -> bool {
        B::ad_enabled(&self.device)
    }

    fn conv(&self, x: Tensor<B, 4>, conv: &Conv2d<B>, max_pool: Option<Pool>, relu: bool) -> Tensor<B, 4> {
        let block = ConvBlock { conv: options(conv), max_pool, relu };
        let bias = conv.bias.as_ref().map(|bias| bias.val());
        kiln_backend::conv_block(x, conv.weight.val(), bias, &block).unwrap_or_else(|error| panic!("{error}"))
    }

    fn conv_norm(
        &self,
        x: Tensor<B, 4>,
        conv: &Conv2d<B>,
        norm: &BatchNorm<B>,
        residual: Option<Tensor<B, 4>>,
        relu: bool,
    ) -> Tensor<B, 4> {
        if norm.uses_batch(&self.device) {
            return norm.train(self.conv(x, conv, None, false), residual, relu);
        }
        let block = ConvBlock { conv: options(conv), max_pool: None, relu };
        let [scale, mut shift] = norm.affine();
        if let Some(bias) = &conv.bias {
            shift = shift + bias.val() * scale.clone();
        }
        kiln_backend::conv_affine(x, conv.weight.val(), [scale, shift], residual, &block)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    fn norm_relu(&self, x: Tensor<B, 4>, norm: &BatchNorm<B>) -> Tensor<B, 4> {
        if norm.uses_batch(&self.device) {
            return norm.train(x, None, true);
        }
        kiln_backend::channel_affine(x, norm.affine(), None, true)
    }

    fn max_pool(&self, x: Tensor<B, 4>, pool: Pool) -> Tensor<B, 4> {
        kiln_backend::max_pool2d(x, &pool).unwrap_or_else(|error| panic!("{error}"))
    }

    fn avg_pool(&self, x: Tensor<B, 4>, pool: Pool) -> Tensor<B, 4> {
        kiln_backend::avg_pool2d(x, &pool).unwrap_or_else(|error| panic!("{error}"))
    }

    fn adaptive_avg_pool(&self, x: Tensor<B, 4>, size: usize) -> Tensor<B, 4> {
        let [_, _, height, width] = x.dims();
        if [height, width] == [size; 2] {
            return x;
        }
        if height % size == 0 && width % size == 0 {
            let kernel = [height / size, width / size];
            return self.avg_pool(x, Pool { kernel, stride: kernel, padding: [0; 2], ceil_mode: false });
        }
        module::adaptive_avg_pool2d(x, [size; 2])
    }

    fn concat(&self, images: Vec<Tensor<B, 4>>) -> Tensor<B, 4> {
        kiln_backend::concat(images)
    }

    fn flatten(&self, x: Tensor<B, 4>) -> Tensor<B, 2> {
        x.flatten(1, 3)
    }

    fn linear(&self, x: Tensor<B, 2>, linear: &Linear<B>, clips: bool) -> Tensor<B, 2> {
        let bias = linear.bias.as_ref().map(|bias| bias.val());
        let y = kiln_backend::linear(x, linear.weight.val(), bias);
        if clips { relu(y) } else { y }
    }

    fn dropout(&self, x: Tensor<B, 2>, probability: f64) -> Tensor<B, 2> {
        if !self.drops {
            return x;
        }
        let dropout: Dropout = DropoutConfig::new(probability).init();
        dropout.forward(x)
    }
}
