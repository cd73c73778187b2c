//! Runs a [`ConvBlock`] forward and backward: chooses the algorithm by the block's shape.
//!
//! ```text
//! forward     direct_batch       few channels, eight images or more: one image per SIMD lane
//!             direct_channels    inference on fewer than eight small images: output channels along the vectors
//!             pointwise          a linear layer on a small batch: streams the weight once
//!             gemm               everything else, as an implicit GEMM
//! backward    sparse_backward    max-pooled blocks on small images: visits only the non-zero gradients
//!             gemm               everything else
//! ```
#![allow(unsafe_code)] // Outputs are written into uninitialised memory.

mod bias_gradient;
mod chwn;
mod direct_batch;
mod direct_channels;
pub(crate) mod gemm;
mod pointwise;
mod quads;
mod sparse_backward;

use std::mem::MaybeUninit;

use self::bias_gradient::bias_gradient;
use crate::block::{ConvBlock, Gradients, Needs, Saved};
use crate::pack::Epilogue;
use crate::scratch::filled;
use crate::{pool, relu};

impl ConvBlock {
    /// Runs the block on `x` `[N, C, H, W]` with `weight` `[O, C / groups, kh, kw]` and `bias` `[O]`; returns
    /// `[N, O, H', W']`.
    ///
    /// # Panics
    /// If the length of a slice does not match its shape, or the kernel or pooling window does not fit.
    pub fn forward(&self, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        self.run(x, weight, bias, false).0
    }

    /// Runs the block and also returns the argmax of the pooling: the index `ky * kw + kx` of each maximum within its
    /// window, the first one among equals. It is empty without pooling.
    ///
    /// # Panics
    /// As [`ConvBlock::forward`], or if the pooling windows have more than 256 elements.
    pub fn forward_training(&self, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> (Vec<f32>, Vec<u8>) {
        self.run(x, weight, bias, true)
    }

    fn run(&self, x: &[f32], weight: &[f32], bias: Option<&[f32]>, training: bool) -> (Vec<f32>, Vec<u8>) {
        let Self { conv, max_pool, relu } = self;
        self.assert_operands(x, weight);
        assert!(bias.is_none_or(|bias| bias.len() == conv.weight[0]), "one bias for each output channel");
        let len = self.output().iter().product();
        let argmax_len = if training && max_pool.is_some() { len } else { 0 };
        let mut argmax = Vec::new();
        if direct_batch::is_applicable(self) {
            // SAFETY: the kernel writes every output and, where `argmax` is not empty, every index.
            let output = unsafe {
                filled(len, |out| {
                    argmax = filled(argmax_len, |argmax| direct_batch::forward(self, x, weight, bias, out, argmax))
                })
            };
            return (output, argmax);
        }
        if !training && direct_channels::is_applicable(self) {
            // SAFETY: the kernel writes every output.
            return (unsafe { filled(len, |out| direct_channels::forward(self, x, weight, bias, out)) }, argmax);
        }
        if pointwise::is_applicable(self) {
            return (pointwise::forward(self, x, weight, bias), argmax);
        }
        let convolve = |relu, out: &mut [MaybeUninit<f32>]| {
            gemm::forward(conv, x, weight, Epilogue { bias, relu, ..Epilogue::default() }, out);
        };
        let Some(window) = max_pool else {
            // SAFETY: the kernel writes every output.
            return (unsafe { filled(len, |out| convolve(*relu, out)) }, argmax);
        };
        // ReLU preserves the maximum but creates ties, which would change the argmax: it runs after the pooling.
        let image = conv.output();
        // SAFETY: as above.
        let values = unsafe { filled(image.iter().product(), |out| convolve(false, out)) };
        let mut output = if training {
            let (output, indices) = pool::max_pool2d_training(window, image, &values);
            argmax = indices;
            output
        } else {
            pool::max_pool2d(window, image, &values)
        };
        if *relu {
            relu::relu_in_place(&mut output);
        }
        (output, argmax)
    }

    /// The gradients of the block, given `grad`, the gradient of its output `[N, O, H', W']`.
    ///
    /// # Panics
    /// If the length of a slice does not match its shape.
    pub fn backward(&self, saved: Saved<'_>, grad: &[f32], needs: Needs) -> Gradients {
        let len: usize = self.output().iter().product();
        self.assert_operands(saved.x, saved.weight);
        assert_eq!(grad.len(), len, "one gradient for each output");
        assert!(!self.relu || saved.output.len() == len, "the output of the forward pass");
        assert_eq!(saved.argmax.len(), if self.max_pool.is_some() { len } else { 0 }, "the argmax of the forward pass");
        if sparse_backward::is_applicable(self) {
            return sparse_backward::backward(self, saved, grad, needs);
        }
        let masked;
        let mut dense = grad;
        if self.relu {
            masked = relu::relu_backward(saved.output, grad);
            dense = &masked;
        }
        let bias = needs.bias.then(|| bias_gradient(self.output(), dense));
        let unpooled;
        if let Some(window) = &self.max_pool {
            unpooled = pool::max_pool2d_backward(window, self.conv.output(), dense, saved.argmax);
            dense = &unpooled;
        }
        let conv = &self.conv;
        // SAFETY: each kernel writes every element of its output.
        unsafe {
            Gradients {
                x: needs.x.then(|| filled(saved.x.len(), |out| gemm::input_gradient(conv, dense, saved.weight, out))),
                weight: needs
                    .weight
                    .then(|| filled(saved.weight.len(), |out| gemm::weight_gradient(conv, saved.x, dense, out))),
                bias,
            }
        }
    }

    /// Convolution with a folded normalisation, for inference: `relu(conv(x) * scale + shift + residual)`, from `x`
    /// `[N, C, H, W]` to `[N, O, H', W']`.
    ///
    /// `scale` and `shift` are per output channel; the residual is optional, and ReLU is applied if the block has it.
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
        assert!(residual.is_none_or(|residual| residual.len() == len), "a residual of the output's shape");
        let epilogue = Epilogue { scale: Some(scale), bias: Some(shift), residual, relu: self.relu };
        // SAFETY: the kernel writes every output.
        unsafe { filled(len, |out| gemm::forward(&self.conv, x, weight, epilogue, out)) }
    }
}
