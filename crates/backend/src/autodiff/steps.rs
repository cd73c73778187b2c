//! The steps of the graph: what each keeps of the forward pass, and whose gradients it gives.

use burn::tensor::ops::{FloatTensor, IntTensor};
use burn::tensor::{Shape, TensorMetadata};
use burn_autodiff::{
    Autodiff, NodeId,
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};

use crate::operations::Backend;
use crate::types::{
    ConvBlock, ConvBlockActivations, Needs, NormActivations, NormGradients, NormOptions, Pool, SavedConvBlock,
    SavedNorm,
};

/// Backward step of a block, over its parents `[x, weight]` or `[x, weight, bias]`.
#[derive(Debug)]
pub(super) struct ConvBlockStep;

/// Input and weight are kept by the graph's checkpointer; the rest is ours.
type ConvBlockState<B> = (NodeId, NodeId, ConvBlockActivations<B>, ConvBlock);

impl<B: Backend, const N: usize> Backward<B, N> for ConvBlockStep {
    type State = ConvBlockState<B>;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let (x, weight, activations, block) = ops.state;
        let parent = |index: usize| ops.parents.get(index).and_then(|node| node.as_ref()).map(|node| node.id);
        let needs = Needs { x: parent(0).is_some(), weight: parent(1).is_some(), bias: parent(2).is_some() };
        let grad = grads.consume::<B>(&ops.node);
        let saved = SavedConvBlock {
            x: checkpointer.retrieve_node_output(x),
            weight: checkpointer.retrieve_node_output(weight),
            activations,
        };
        let gradients = B::conv_block_backward(saved, grad, &block, needs);
        for (index, gradient) in [gradients.x, gradients.weight, gradients.bias].into_iter().enumerate() {
            if let (Some(node), Some(gradient)) = (parent(index), gradient) {
                grads.register::<B>(node, gradient);
            }
        }
    }
}

/// Backward step of max-pooling.
#[derive(Debug)]
pub(super) struct MaxPoolStep;

impl<B: Backend> Backward<B, 1> for MaxPoolStep {
    type State = (Shape, IntTensor<B>, Pool);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            let (input, argmax, pool) = ops.state;
            grads.register::<B>(node.id, B::max_pool2d_training_backward(input, grad, argmax, &pool));
        }
    }
}

/// Backward step of mean-pooling.
#[derive(Debug)]
pub(super) struct MeanPoolStep;

impl<B: Backend> Backward<B, 1> for MeanPoolStep {
    type State = (Shape, Pool);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            let (input, pool) = ops.state;
            grads.register::<B>(node.id, B::mean_pool2d_backward(input, grad, &pool));
        }
    }
}

/// Backward step of putting channels one after the other.
#[derive(Debug)]
pub(super) struct ConcatStep;

impl<B: Backend, const N: usize> Backward<B, N> for ConcatStep {
    /// Channels of each part.
    type State = Vec<usize>;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        for (node, grad) in ops.parents.into_iter().zip(B::split(grad, &ops.state)) {
            if let Some(node) = node {
                grads.register::<B>(node.id, grad);
            }
        }
    }
}

impl ConcatStep {
    pub(super) fn record<B: Backend, C: CheckpointStrategy, const N: usize>(
        parts: [&FloatTensor<Autodiff<B, C>>; N],
    ) -> FloatTensor<Autodiff<B, C>> {
        let y = B::concat(parts.iter().map(|part| part.primitive.clone()).collect());
        match Self.prepare::<C>(parts.map(|part| part.node.clone())).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish(parts.iter().map(|part| part.primitive.shape()[1]).collect(), y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
}

/// Backward step of a normalisation by the batch's statistics, over `[x, weight, bias]` or with a residual behind them.
#[derive(Debug)]
pub(super) struct BatchNormStep;

impl<B: Backend, const N: usize> Backward<B, N> for BatchNormStep {
    type State = (NodeId, FloatTensor<B>, NormActivations<B>, NormOptions);

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let (x, weight, activations, options) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let saved = SavedNorm { x: checkpointer.retrieve_node_output(x), weight, activations };
        let NormGradients { x, weight, bias, residual } = B::batch_norm_backward(saved, grad, options);
        for (node, gradient) in ops.parents.into_iter().zip([x, weight, bias, residual]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

/// Backward step of an affine function of each channel, over `[x]` or `[x, residual]`.
#[derive(Debug)]
pub(super) struct ChannelAffineStep;

impl<B: Backend, const N: usize> Backward<B, N> for ChannelAffineStep {
    /// The scale, and the output if ReLU clipped it.
    type State = (FloatTensor<B>, Option<FloatTensor<B>>);

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let (scale, output) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let grad = match output {
            Some(output) => B::relu_backward(output, grad),
            None => grad,
        };
        let mut parents = ops.parents.into_iter();
        if let Some(Some(node)) = parents.next() {
            let zeros = B::float_zeros(scale.shape(), &B::float_device(&scale), scale.dtype().into());
            grads.register::<B>(node.id, B::channel_affine(grad.clone(), scale, zeros, None, false));
        }
        if let Some(Some(node)) = parents.next() {
            grads.register::<B>(node.id, grad);
        }
    }
}

/// Backward step of a linear layer, over `[x, weight]`.
#[derive(Debug)]
pub(super) struct LinearStep;

impl<B: Backend> Backward<B, 2> for LinearStep {
    /// Both factors.
    type State = [NodeId; 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [x, weight] = ops.state.map(|node| checkpointer.retrieve_node_output(node));
        let needs = ops.parents.each_ref().map(Option::is_some);
        for (node, gradient) in ops.parents.into_iter().zip(B::linear_layer_backward(x, weight, grad, needs)) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

/// Backward step of the cross-entropy, whose gradient is known since the forward pass.
#[derive(Debug)]
pub(super) struct CrossEntropyStep;

impl<B: Backend> Backward<B, 1> for CrossEntropyStep {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            let grad = B::float_reshape(grad, Shape::new([1, 1]));
            grads.register::<B>(node.id, B::float_mul(ops.state, grad));
        }
    }
}
