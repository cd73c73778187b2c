//! What a convolution block is, what its backward pass reads, and which gradients it returns.

use crate::shape::{Conv2d, Window};

/// `relu(max_pool(conv(x) + bias))`; bias, pooling and ReLU are each optional.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvBlock {
    /// Shapes, stride, padding, dilation and groups of the convolution.
    pub conv: Conv2d,
    /// Max-pooling after the bias, if any. For training, its windows must have at most 256 elements.
    pub max_pool: Option<Window>,
    /// Whether the block ends with ReLU.
    pub relu: bool,
}

/// What the backward pass of a block reads.
#[derive(Clone, Copy, Debug)]
pub struct Saved<'a> {
    /// Input `[N, C, H, W]`.
    pub x: &'a [f32],
    /// Weight `[O, C / groups, kh, kw]`.
    pub weight: &'a [f32],
    /// Output of the forward pass `[N, O, H', W']`; only read with ReLU.
    pub output: &'a [f32],
    /// Index of each maximum within its pooling window, `[N, O, H', W']`; empty without pooling.
    pub argmax: &'a [u8],
}

/// Which gradients to compute. The images that enter a network need none, which saves its first layer the most
/// expensive one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Gradient of the input.
    pub x: bool,
    /// Gradient of the weight.
    pub weight: bool,
    /// Gradient of the bias.
    pub bias: bool,
}

/// The gradients of a block; each is present exactly if it was requested.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gradients {
    /// Gradient of the input `[N, C, H, W]`.
    pub x: Option<Vec<f32>>,
    /// Gradient of the weight `[O, C / groups, kh, kw]`.
    pub weight: Option<Vec<f32>>,
    /// Gradient of the bias `[O]`.
    pub bias: Option<Vec<f32>>,
}

impl ConvBlock {
    /// Shape of the output `[N, O, H', W']`.
    ///
    /// # Panics
    /// If the kernel or the window does not fit; see [`Conv2d::output`] and [`Window::output`].
    pub fn output(&self) -> [usize; 4] {
        let conv = self.conv.output();
        self.max_pool.as_ref().map_or(conv, |window| window.output(conv))
    }

    pub(crate) fn assert_operands(&self, x: &[f32], weight: &[f32]) {
        let Conv2d { image, weight: shape, groups, .. } = self.conv;
        // Work is split over images and output channels: with an empty dimension, outputs would never be written.
        assert!(image[1..].iter().all(|&size| size > 0), "images without pixels: {image:?}");
        assert!(shape.iter().all(|&size| size > 0), "an empty weight: {shape:?}");
        assert_eq!(x.len(), image.iter().product::<usize>(), "the input does not have the shape {image:?}");
        assert_eq!(weight.len(), shape.iter().product::<usize>(), "the weight does not have the shape {shape:?}");
        assert!(groups > 0 && image[1] == shape[1] * groups && shape[0].is_multiple_of(groups), "{:?}", self.conv);
    }
}
