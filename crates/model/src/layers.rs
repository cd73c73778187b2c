//! Burn's layers, run through Kiln's operations.

use burn::nn::{PaddingConfig2d, conv::Conv2d};
use burn::tensor::Tensor;
use kiln_backend::{Backend, ConvBlock, ConvOptions, Pool};

/// Runs `conv` on `x` `[N, in, H, W]`, then max-pooling and ReLU if asked for, as one operation: `[N, out, H', W']`.
///
/// # Panics
/// If the image does not fit the layer: the channels differ, or the kernel is larger than the padded image.
pub fn conv_block<B: Backend>(conv: &Conv2d<B>, x: Tensor<B, 4>, max_pool: Option<Pool>, relu: bool) -> Tensor<B, 4> {
    let [kh, kw] = conv.kernel_size;
    let padding = match &conv.padding {
        PaddingConfig2d::Valid => [0, 0],
        PaddingConfig2d::Same => [kh / 2, kw / 2],
        PaddingConfig2d::Explicit(top, left, bottom, right) => {
            assert!(top == bottom && left == right, "padding that differs between opposite sides");
            [*top, *left]
        }
    };
    let block = ConvBlock { conv: ConvOptions::new(conv.stride, padding, conv.dilation, conv.groups), max_pool, relu };
    let bias = conv.bias.as_ref().map(|bias| bias.val());
    kiln_backend::conv_block(x, conv.weight.val(), bias, &block).unwrap_or_else(|error| panic!("{error}"))
}
