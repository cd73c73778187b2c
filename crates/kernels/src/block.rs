//! The description of a convolution block, of what its backward pass reads and of what it returns.

use crate::shape::{Conv2d, Window};

/// `relu(max_pool(conv(x) + bias))`, each part after the convolution optional.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvBlock {
    /// The convolution.
    pub conv: Conv2d,
    /// Max-pooling after the bias, if any; its windows have at most 256 places.
    pub max_pool: Option<Window>,
    /// Whether ReLU ends the block.
    pub relu: bool,
}

/// What the backward pass of a block works with.
#[derive(Clone, Copy, Debug)]
pub struct Saved<'a> {
    /// Images `[N, C, H, W]`.
    pub x: &'a [f32],
    /// Weight `[O, C / groups, kh, kw]`.
    pub weight: &'a [f32],
    /// What the forward pass gave `[N, O, H', W']`.
    pub output: &'a [f32],
    /// Where it found each maximum; empty without pooling.
    pub argmax: &'a [u8],
}

/// Which gradients are wanted. The images themselves need none, which saves the dearest part of the first layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Gradient of the images.
    pub x: bool,
    /// Gradient of the weight.
    pub weight: bool,
    /// Gradient of the bias.
    pub bias: bool,
}

/// The gradients of a block; each is present exactly if it was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gradients {
    /// Gradient of the images `[N, C, H, W]`.
    pub x: Option<Vec<f32>>,
    /// Gradient of the weight `[O, C / groups, kh, kw]`.
    pub weight: Option<Vec<f32>>,
    /// Gradient of the bias `[O]`.
    pub bias: Option<Vec<f32>>,
}

impl ConvBlock {
    /// Shape of the result `[N, O, H', W']`.
    ///
    /// # Panics
    /// If the kernel or the window does not fit; see [`Conv2d::output`] and [`Window::output`].
    pub fn output(&self) -> [usize; 4] {
        let conv = self.conv.output();
        self.max_pool.as_ref().map_or(conv, |window| window.output(conv))
    }

    pub(crate) fn assert_operands(&self, x: &[f32], weight: &[f32]) {
        let Conv2d { image, weight: shape, groups, .. } = self.conv;
        // Work is cut by images and outputs: where there are none of either, results would never be written.
        assert!(image[1..].iter().all(|&size| size > 0), "images without pixels: {image:?}");
        assert!(shape.iter().all(|&size| size > 0), "a weight without numbers: {shape:?}");
        assert_eq!(x.len(), image.iter().product::<usize>(), "the images have another shape than {image:?}");
        assert_eq!(weight.len(), shape.iter().product::<usize>(), "the weight has another shape than {shape:?}");
        assert!(groups > 0 && image[1] == shape[1] * groups && shape[0].is_multiple_of(groups), "{:?}", self.conv);
    }
}
