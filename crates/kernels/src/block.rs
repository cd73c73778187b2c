//! A convolution and what follows it at once, forward and backward.
#![allow(unsafe_code)] // Results are written into memory that is not cleared first.

use std::mem::MaybeUninit;

use crate::panels::Finish;
use crate::scratch::filled;
use crate::shape::{Conv2d, Window};
use crate::{channels_last, few, lanes, pool, product, stream, winners};

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
    pub winners: &'a [u8],
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

    /// Runs the block on `x` `[N, C, H, W]` with `weight` `[O, C / groups, kh, kw]` and `bias` `[O]`: `[N, O, H', W']`.
    ///
    /// # Panics
    /// If a slice has another length than its shape says, or something does not fit.
    pub fn forward(&self, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        self.run(x, weight, bias, false).0
    }

    /// Runs the block and keeps where each maximum was found: `ky * kw + kx` inside its window, the first one's place
    /// among equals. Without pooling the places are empty.
    ///
    /// # Panics
    /// As [`ConvBlock::forward`], or if the windows have more than 256 places.
    pub fn forward_training(&self, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> (Vec<f32>, Vec<u8>) {
        self.run(x, weight, bias, true)
    }

    fn run(&self, x: &[f32], weight: &[f32], bias: Option<&[f32]>, training: bool) -> (Vec<f32>, Vec<u8>) {
        let Self { conv, max_pool, relu } = self;
        self.assert_operands(x, weight);
        assert!(bias.is_none_or(|bias| bias.len() == conv.weight[0]), "one bias for each output channel");
        let len = self.output().iter().product();
        let places = if training && max_pool.is_some() { len } else { 0 };
        let mut winners = Vec::new();
        if lanes::suits(self) {
            // SAFETY: the kernel writes a result and, with room for places, a place for each output of each image.
            let output = unsafe {
                filled(len, |out| winners = filled(places, |places| lanes::forward(self, x, weight, bias, out, places)))
            };
            return (output, winners);
        }
        if !training && few::suits(self) {
            // SAFETY: the kernel writes every result.
            return (unsafe { filled(len, |out| few::forward(self, x, weight, bias, out)) }, winners);
        }
        if stream::suits(self) {
            return (stream::forward(self, x, weight, bias), winners);
        }
        let convolve = |relu, out: &mut [MaybeUninit<f32>]| {
            product::forward(conv, x, weight, Finish { bias, relu, ..Finish::default() }, out);
        };
        let Some(window) = max_pool else {
            // SAFETY: the kernel writes every result.
            return (unsafe { filled(len, |out| convolve(*relu, out)) }, winners);
        };
        // ReLU never changes which value is the largest, but makes ties: it comes after the maximum.
        let image = conv.output();
        // SAFETY: as above.
        let values = unsafe { filled(image.iter().product(), |out| convolve(false, out)) };
        let mut output = if training {
            let (output, places) = pool::max_pool2d_training(window, image, &values);
            winners = places;
            output
        } else {
            pool::max_pool2d(window, image, &values)
        };
        if *relu {
            pool::relu(&mut output);
        }
        (output, winners)
    }

    /// The gradients from `grad`, the gradient of the result `[N, O, H', W']`.
    ///
    /// # Panics
    /// If a slice has another length than its shape says.
    pub fn backward(&self, saved: Saved<'_>, grad: &[f32], needs: Needs) -> Gradients {
        let len: usize = self.output().iter().product();
        self.assert_operands(saved.x, saved.weight);
        assert_eq!(grad.len(), len, "one gradient for each result");
        assert!(!self.relu || saved.output.len() == len, "the results of the forward pass");
        assert_eq!(
            saved.winners.len(),
            if self.max_pool.is_some() { len } else { 0 },
            "the winners of the forward pass"
        );
        if winners::suits(self) {
            return winners::backward(self, saved, grad, needs);
        }
        let rectified;
        let mut dense = grad;
        if self.relu {
            rectified = pool::relu_backward(saved.output, grad);
            dense = &rectified;
        }
        let bias = needs.bias.then(|| channels_last::sum_over_channels(self.output(), dense));
        let unpooled;
        if let Some(window) = &self.max_pool {
            unpooled = pool::max_pool2d_backward(window, self.conv.output(), dense, saved.winners);
            dense = &unpooled;
        }
        let conv = &self.conv;
        // SAFETY: each kernel writes every element of its result.
        unsafe {
            Gradients {
                x: needs
                    .x
                    .then(|| filled(saved.x.len(), |out| product::input_gradient(conv, dense, saved.weight, out))),
                weight: needs
                    .weight
                    .then(|| filled(saved.weight.len(), |out| product::weight_gradient(conv, saved.x, dense, out))),
                bias,
            }
        }
    }

    /// Runs a convolution without bias and what follows it in a network that is not trained: `x` `[N, C, H, W]` gives
    /// `relu(conv(x) * scale + shift + residual)` `[N, O, H', W']`, with one scale and shift for each output channel, the
    /// residual optional, ReLU and no pooling as the block says.
    ///
    /// # Panics
    /// As [`ConvBlock::forward`], or if the block has max-pooling.
    pub fn forward_affine(
        &self,
        x: &[f32],
        weight: &[f32],
        [scale, shift]: [&[f32]; 2],
        residual: Option<&[f32]>,
    ) -> Vec<f32> {
        self.assert_operands(x, weight);
        let (outputs, len) = (self.conv.weight[0], self.output().iter().product());
        assert!(self.max_pool.is_none(), "pooling comes after the residual");
        assert!(scale.len() == outputs && shift.len() == outputs, "one scale and shift for each output channel");
        assert!(residual.is_none_or(|residual| residual.len() == len), "a residual of the result's shape");
        let finish = Finish { scale: Some(scale), bias: Some(shift), residual, relu: self.relu };
        // SAFETY: the kernel writes every result.
        unsafe { filled(len, |out| product::forward(&self.conv, x, weight, finish, out)) }
    }

    fn assert_operands(&self, x: &[f32], weight: &[f32]) {
        let Conv2d { image, weight: shape, groups, .. } = self.conv;
        // Work is cut by images and outputs: where there are none of either, results would never be written.
        assert!(image[1..].iter().all(|&size| size > 0), "images without pixels: {image:?}");
        assert!(shape.iter().all(|&size| size > 0), "a weight without numbers: {shape:?}");
        assert_eq!(x.len(), image.iter().product::<usize>(), "the images have another shape than {image:?}");
        assert_eq!(weight.len(), shape.iter().product::<usize>(), "the weight has another shape than {shape:?}");
        assert!(groups > 0 && image[1] == shape[1] * groups && shape[0].is_multiple_of(groups), "{:?}", self.conv);
    }
}
