//! The operations that Kiln adds to a Burn backend, with default bodies made of Burn's.

use burn::tensor::ops::{ConvOptions, FloatTensor, IntTensor};
use burn::tensor::{Shape, TensorMetadata};

/// A pooling window: sizes in pixels as `[height, width]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Size of the window.
    pub kernel: [usize; 2],
    /// Step from one window to the next.
    pub stride: [usize; 2],
    /// Border added on each side; it never wins a maximum.
    pub padding: [usize; 2],
    /// Whether a last window that reaches over the edge counts.
    pub ceil_mode: bool,
}

impl Pool {
    /// Windows of `size` x `size` side by side, as in `MaxPool2d(size)`.
    pub fn square(size: usize) -> Self {
        Self { kernel: [size; 2], stride: [size; 2], padding: [0; 2], ceil_mode: false }
    }
}

/// A convolution and what follows it at once: `relu(max_pool(conv(x) + bias))`, each part after the convolution optional.
///
/// The fused form lets a backend keep only the winners' places for the backward pass, and write the activations once.
#[derive(Clone, Debug)]
pub struct ConvBlock {
    /// Stride, padding, dilation, groups of the convolution.
    pub conv: ConvOptions<2>,
    /// Max-pooling after the bias, if any.
    pub max_pool: Option<Pool>,
    /// Whether ReLU ends the block.
    pub relu: bool,
}

impl ConvBlock {
    /// The convolution alone.
    pub fn plain(conv: ConvOptions<2>) -> Self {
        Self { conv, max_pool: None, relu: false }
    }
}

/// The result of a block whose gradient will be asked for.
#[derive(Clone, Debug)]
pub struct TrainedConvBlock<B: Backend> {
    /// Activations `[N, out, H', W']`.
    pub output: FloatTensor<B>,
    /// Where each maximum was found, in a form that only the same backend reads; `None` without pooling.
    pub winners: Option<IntTensor<B>>,
}

/// What the backward pass of a block has to work with.
#[derive(Clone, Debug)]
pub struct SavedConvBlock<B: Backend> {
    /// Input `[N, in, H, W]`.
    pub x: FloatTensor<B>,
    /// Weight `[out, in / groups, kh, kw]`.
    pub weight: FloatTensor<B>,
    /// What the forward pass gave.
    pub trained: TrainedConvBlock<B>,
}

/// Which gradients are wanted. The images themselves need none, which saves the dearest part of the first layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Gradient of the input.
    pub x: bool,
    /// Gradient of the weight.
    pub weight: bool,
    /// Gradient of the bias.
    pub bias: bool,
}

/// The gradients of a block; each is present exactly if it was asked for.
#[derive(Clone, Debug)]
pub struct ConvBlockGradients<B: Backend> {
    /// Gradient of the input `[N, in, H, W]`.
    pub x: Option<FloatTensor<B>>,
    /// Gradient of the weight `[out, in / groups, kh, kw]`.
    pub weight: Option<FloatTensor<B>>,
    /// Gradient of the bias `[out]`.
    pub bias: Option<FloatTensor<B>>,
}

/// A loss and what it says about the logits.
///
/// Both come from one pass, since the gradient `(softmax - target) / N` needs what the loss needs. Burn composes the
/// gradient of a logarithm from `recip`, which on ndarray is a 12- to 14-bit approximation wherever a buffer happens to
/// be aligned: neither exact nor the same from run to run.
#[derive(Clone, Debug)]
pub struct CrossEntropy<B: Backend> {
    /// The mean over the batch `[1]`.
    pub loss: FloatTensor<B>,
    /// Its gradient with respect to the logits `[N, C]`.
    pub gradient: FloatTensor<B>,
}

/// Burn's backend plus Kiln's operations.
///
/// All tensors are `[N, C, H, W]`. To give a backend faster kernels, override a forward operation together with its
/// backward one: they share the meaning of what was saved. Adding a backend without kernels is one empty `impl`.
///
/// The operations work on tensors whose shapes fit; [`crate::conv2d`] and its siblings check that and say what is wrong.
pub trait Backend: burn::tensor::backend::Backend {
    /// Runs a block for its result alone (inference).
    fn conv_block(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        block: &ConvBlock,
    ) -> FloatTensor<Self> {
        let mut y = Self::conv2d(x, weight, bias, block.conv.clone());
        if let Some(pool) = &block.max_pool {
            y = Self::max_pool2d(y, pool.kernel, pool.stride, pool.padding, [1, 1], pool.ceil_mode);
        }
        if block.relu { Self::relu(y) } else { y }
    }

    /// Runs a block and keeps what its backward pass needs.
    fn conv_block_training(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        block: &ConvBlock,
    ) -> TrainedConvBlock<Self> {
        let mut y = Self::conv2d(x, weight, bias, block.conv.clone());
        let mut winners = None;
        if let Some(pool) = &block.max_pool {
            let pooled =
                Self::max_pool2d_with_indices(y, pool.kernel, pool.stride, pool.padding, [1, 1], pool.ceil_mode);
            (y, winners) = (pooled.output, Some(pooled.indices));
        }
        TrainedConvBlock { output: if block.relu { Self::relu(y) } else { y }, winners }
    }

    /// The gradients of a block from `grad`, the gradient of its output `[N, out, H', W']`.
    fn conv_block_backward(
        saved: SavedConvBlock<Self>,
        grad: FloatTensor<Self>,
        block: &ConvBlock,
        needs: Needs,
    ) -> ConvBlockGradients<Self> {
        let SavedConvBlock { x, weight, trained } = saved;
        let mut grad = if block.relu { Self::relu_backward(trained.output, grad) } else { grad };
        if let (Some(pool), Some(winners)) = (&block.max_pool, trained.winners) {
            let conv_shape = conv_output_shape(&x.shape(), &weight.shape(), &block.conv);
            grad = Self::max_pool2d_training_backward(conv_shape, grad, winners, pool);
        }
        let options = || block.conv.clone();
        ConvBlockGradients {
            x: needs.x.then(|| Self::conv2d_x_backward(x.clone(), weight.clone(), grad.clone(), options())),
            weight: needs.weight.then(|| Self::conv2d_weight_backward(x, weight, grad.clone(), options())),
            bias: needs.bias.then(|| sum_over_channels::<Self>(grad)),
        }
    }

    /// Max-pooling that keeps where each maximum was found.
    fn max_pool2d_training(x: FloatTensor<Self>, pool: &Pool) -> (FloatTensor<Self>, IntTensor<Self>) {
        let pooled = Self::max_pool2d_with_indices(x, pool.kernel, pool.stride, pool.padding, [1, 1], pool.ceil_mode);
        (pooled.output, pooled.indices)
    }

    /// The gradient of max-pooling's input of shape `input` `[N, C, H, W]`.
    fn max_pool2d_training_backward(
        input: Shape,
        grad: FloatTensor<Self>,
        winners: IntTensor<Self>,
        pool: &Pool,
    ) -> FloatTensor<Self> {
        // Burn's operation wants the input back, but reads only its shape.
        let x = Self::float_empty(input, &Self::float_device(&grad), grad.dtype().into());
        let Pool { kernel, stride, padding, ceil_mode } = *pool;
        Self::max_pool2d_with_indices_backward(x, kernel, stride, padding, [1, 1], ceil_mode, grad, winners).x_grad
    }

    /// Mean cross-entropy of `logits` `[N, C]` against classes `targets` `[N]`; the share `smoothing` of each target is
    /// spread over all classes, as in PyTorch.
    fn cross_entropy(logits: FloatTensor<Self>, targets: IntTensor<Self>, smoothing: f64) -> CrossEntropy<Self> {
        let (device, dtype) = (Self::float_device(&logits), logits.dtype().into());
        let shape = logits.shape();
        let (count, classes) = (shape[0], shape[1]);
        let largest = Self::float_max_dim(logits.clone(), 1);
        let shifted = Self::float_sub(logits, largest);
        let exp = Self::float_exp(shifted.clone());
        let sum = Self::float_sum_dim(exp.clone(), 1);
        let log_probabilities = Self::float_sub(shifted, Self::float_log(sum.clone()));
        let zeros = Self::float_zeros(shape, &device, dtype);
        let targets = Self::int_reshape(targets, Shape::new([count, 1]));
        let ones = Self::float_ones(Shape::new([count, 1]), &device, dtype);
        let mut wanted = Self::float_scatter_add(1, zeros, targets, ones);
        if smoothing > 0. {
            wanted = Self::float_mul_scalar(wanted, (1. - smoothing).into());
            wanted = Self::float_add_scalar(wanted, (smoothing / classes as f64).into());
        }
        let share = -1. / count as f64;
        let products = Self::float_mul(wanted.clone(), log_probabilities);
        let loss = Self::float_mul_scalar(Self::float_sum(products), share.into());
        let difference = Self::float_sub(wanted, Self::float_div(exp, sum));
        CrossEntropy { loss, gradient: Self::float_mul_scalar(difference, share.into()) }
    }
}

/// Shape of a convolution's output; the operands are known to fit.
fn conv_output_shape(x: &Shape, weight: &Shape, options: &ConvOptions<2>) -> Shape {
    let side = |axis: usize| {
        let reach = options.dilation[axis] * (weight[axis + 2] - 1) + 1;
        (x[axis + 2] + 2 * options.padding[axis] - reach) / options.stride[axis] + 1
    };
    Shape::new([x[0], weight[0], side(0), side(1)])
}

/// Sum of `[N, C, H, W]` over all but the channels: `[C]`.
fn sum_over_channels<B: Backend>(grad: FloatTensor<B>) -> FloatTensor<B> {
    let shape = grad.shape();
    let rows = B::float_reshape(grad, Shape::new([shape[0], shape[1], shape[2] * shape[3]]));
    let sums = B::float_sum_dim(B::float_sum_dim(rows, 2), 0);
    B::float_reshape(sums, Shape::new([shape[1]]))
}
