//! A pass with tensors.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{Param, ParamId};
use burn::nn::{Dropout, DropoutConfig, Linear, conv::Conv2d};
use burn::tensor::{Tensor, activation::relu, backend::Backend as BurnBackend, module};
use kiln_backend::{Backend, ConvBlock, Pool};

use crate::batch_norm::BatchNorm;
use crate::pass::{Pass, options};

/// A pass with tensors.
///
/// Its operations panic if an image does not fit a layer: the channels differ, or a kernel is larger than the padded image.
#[derive(Clone, Debug)]
pub struct Compute<B: BurnBackend> {
    device: B::Device,
    drops: bool,
    folded: Option<FoldedNorms<B>>,
}

/// Scale and shift `[C]` of each batch normalisation, by the identity of its weight.
type FoldedNorms<B> = Arc<Mutex<HashMap<ParamId, [Tensor<B, 1>; 2]>>>;

impl<B: BurnBackend> Compute<B> {
    /// A pass on a device.
    pub fn new(device: B::Device) -> Self {
        Self { device, drops: true, folded: None }
    }

    /// A pass over one network whose weights never change again: scale and shift of each normalisation, with the bias of the
    /// convolution before it, are computed once and kept.
    pub fn with_fixed_weights(device: B::Device) -> Self {
        Self { folded: Some(FoldedNorms::<B>::default()), ..Self::new(device) }
    }

    /// The same pass without dropout in training, so that results depend on no random generator.
    #[must_use]
    pub fn without_dropout(self) -> Self {
        Self { drops: false, ..self }
    }

    /// Scale and shift of a normalisation by its running statistics, over what a convolution with this bias gives.
    fn affine(&self, norm: &BatchNorm<B>, bias: Option<&Param<Tensor<B, 1>>>) -> [Tensor<B, 1>; 2] {
        let fold = || {
            let [scale, shift] = norm.affine();
            match bias {
                Some(bias) => [scale.clone(), shift + bias.val() * scale],
                None => [scale, shift],
            }
        };
        match &self.folded {
            Some(folded) => {
                let mut folded = folded.lock().unwrap_or_else(PoisonError::into_inner);
                folded.entry(norm.weight.id).or_insert_with(fold).clone()
            }
            None => fold(),
        }
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
        let affine = self.affine(norm, conv.bias.as_ref());
        kiln_backend::conv_affine(x, conv.weight.val(), affine, residual, &block)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    fn norm_relu(&self, x: Tensor<B, 4>, norm: &BatchNorm<B>) -> Tensor<B, 4> {
        if norm.uses_batch(&self.device) {
            return norm.train(x, None, true);
        }
        kiln_backend::channel_affine(x, self.affine(norm, None), None, true)
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
