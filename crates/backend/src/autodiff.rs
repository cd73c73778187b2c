//! Gradients of Kiln's operations: `Autodiff<B>` records them as single steps of the graph, and each step calls the
//! inner backend's own backward operation.

use burn::tensor::backend::AutodiffBackend;
use burn::tensor::ops::{FloatTensor, IntTensor};
use burn::tensor::{Shape, TensorMetadata};
use burn_autodiff::{
    Autodiff, NodeId,
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};

use crate::operations::{
    Backend, ConvBlock, CrossEntropy, Needs, NormGradients, NormOptions, Pool, SavedConvBlock, SavedNorm,
    TrainedConvBlock, TrainedNorm, composed,
};

/// Backward step of a block, over its parents `[x, weight]` or `[x, weight, bias]`.
#[derive(Debug)]
struct ConvBlockStep;

/// Input and weight are kept by the graph's checkpointer; the rest is ours.
type ConvBlockState<B> = (NodeId, NodeId, TrainedConvBlock<B>, ConvBlock);

impl<B: Backend, const N: usize> Backward<B, N> for ConvBlockStep {
    type State = ConvBlockState<B>;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let (x, weight, trained, block) = ops.state;
        let parent = |index: usize| ops.parents.get(index).and_then(|node| node.as_ref()).map(|node| node.id);
        let needs = Needs { x: parent(0).is_some(), weight: parent(1).is_some(), bias: parent(2).is_some() };
        let grad = grads.consume::<B>(&ops.node);
        let saved = SavedConvBlock {
            x: checkpointer.retrieve_node_output(x),
            weight: checkpointer.retrieve_node_output(weight),
            trained,
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
struct MaxPoolStep;

impl<B: Backend> Backward<B, 1> for MaxPoolStep {
    type State = (Shape, IntTensor<B>, Pool);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            let (input, winners, pool) = ops.state;
            grads.register::<B>(node.id, B::max_pool2d_training_backward(input, grad, winners, &pool));
        }
    }
}

/// Backward step of mean-pooling.
#[derive(Debug)]
struct MeanPoolStep;

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
struct ConcatStep;

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
    fn record<B: Backend, C: CheckpointStrategy, const N: usize>(
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
struct BatchNormStep;

impl<B: Backend, const N: usize> Backward<B, N> for BatchNormStep {
    type State = (NodeId, FloatTensor<B>, TrainedNorm<B>, NormOptions);

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let (x, weight, trained, options) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let saved = SavedNorm { x: checkpointer.retrieve_node_output(x), weight, trained };
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
struct ChannelAffineStep;

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

/// Backward step of a product, over `[x, weight]`.
#[derive(Debug)]
struct ProductStep;

impl<B: Backend> Backward<B, 2> for ProductStep {
    /// Both factors.
    type State = [NodeId; 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [x, weight] = ops.state.map(|node| checkpointer.retrieve_node_output(node));
        let needs = ops.parents.each_ref().map(Option::is_some);
        for (node, gradient) in ops.parents.into_iter().zip(B::product_backward(x, weight, grad, needs)) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

/// Backward step of the cross-entropy, whose gradient is known since the forward pass.
#[derive(Debug)]
struct CrossEntropyStep;

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

impl<B: Backend, C: CheckpointStrategy> Backend for Autodiff<B, C> {
    fn conv_block(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        block: &ConvBlock,
    ) -> FloatTensor<Self> {
        // One arm per number of parents: the graph fixes it in the type.
        macro_rules! record {
            ([$($node:expr),+], $bias:expr) => {
                match ConvBlockStep.prepare::<C>([$($node),+]).compute_bound().stateful() {
                    OpsKind::Tracked(mut step) => {
                        let (x_id, weight_id) = (step.checkpoint(&x), step.checkpoint(&weight));
                        let trained = B::conv_block_training(x.primitive, weight.primitive, $bias, block);
                        let output = trained.output.clone();
                        step.finish((x_id, weight_id, trained, block.clone()), output)
                    }
                    OpsKind::UnTracked(step) => step.finish(B::conv_block(x.primitive, weight.primitive, $bias, block)),
                }
            };
        }
        match bias {
            Some(bias) => record!([x.node.clone(), weight.node.clone(), bias.node.clone()], Some(bias.primitive)),
            None => record!([x.node.clone(), weight.node.clone()], None),
        }
    }

    fn max_pool2d_values(x: FloatTensor<Self>, pool: &Pool) -> FloatTensor<Self> {
        Self::max_pool2d_training(x, pool).0
    }

    fn max_pool2d_training(x: FloatTensor<Self>, pool: &Pool) -> (FloatTensor<Self>, IntTensor<Self>) {
        match MaxPoolStep.prepare::<C>([x.node.clone()]).compute_bound().stateful() {
            OpsKind::Tracked(step) => {
                let input = x.primitive.shape();
                let (output, winners) = B::max_pool2d_training(x.primitive, pool);
                (step.finish((input, winners.clone(), pool.clone()), output), winners)
            }
            OpsKind::UnTracked(step) => {
                let (output, winners) = B::max_pool2d_training(x.primitive, pool);
                (step.finish(output), winners)
            }
        }
    }

    fn mean_pool2d(x: FloatTensor<Self>, pool: &Pool) -> FloatTensor<Self> {
        let input = x.primitive.shape();
        let y = B::mean_pool2d(x.primitive, pool);
        match MeanPoolStep.prepare::<C>([x.node.clone()]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((input, pool.clone()), y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }

    fn concat(parts: Vec<FloatTensor<Self>>) -> FloatTensor<Self> {
        // The graph fixes the number of parents in the type.
        match &parts[..] {
            [a, b] => ConcatStep::record::<B, C, _>([a, b]),
            [a, b, c] => ConcatStep::record::<B, C, _>([a, b, c]),
            [a, b, c, d] => ConcatStep::record::<B, C, _>([a, b, c, d]),
            _ => composed::concat::<Self>(parts),
        }
    }

    fn batch_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: Option<FloatTensor<Self>>,
        options: NormOptions,
    ) -> TrainedNorm<Self> {
        let constant = |tensor: &FloatTensor<B>| <Self as AutodiffBackend>::from_inner(tensor.clone());
        macro_rules! record {
            ([$($node:expr),+], $residual:expr) => {
                match BatchNormStep.prepare::<C>([$($node),+]).compute_bound().stateful() {
                    OpsKind::Tracked(mut step) => {
                        let x_id = step.checkpoint(&x);
                        let scale = weight.primitive.clone();
                        let trained = B::batch_norm(x.primitive, weight.primitive, bias.primitive, $residual, options);
                        let (mean, variance) = (constant(&trained.mean), constant(&trained.variance));
                        let output = trained.output.clone();
                        let output = step.finish((x_id, scale, trained, options), output);
                        TrainedNorm { output, mean, variance }
                    }
                    OpsKind::UnTracked(step) => {
                        let trained = B::batch_norm(x.primitive, weight.primitive, bias.primitive, $residual, options);
                        let (mean, variance) = (constant(&trained.mean), constant(&trained.variance));
                        TrainedNorm { output: step.finish(trained.output), mean, variance }
                    }
                }
            };
        }
        let (a, b, c) = (x.node.clone(), weight.node.clone(), bias.node.clone());
        match residual {
            Some(residual) => record!([a, b, c, residual.node.clone()], Some(residual.primitive)),
            None => record!([a, b, c], None),
        }
    }

    fn channel_affine(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        residual: Option<FloatTensor<Self>>,
        relu: bool,
    ) -> FloatTensor<Self> {
        macro_rules! record {
            ([$($node:expr),+], $residual:expr) => {{
                let factor = scale.primitive.clone();
                let run = |residual| B::channel_affine(x.primitive, scale.primitive, shift.primitive, residual, relu);
                match ChannelAffineStep.prepare::<C>([$($node),+]).compute_bound().stateful() {
                    OpsKind::Tracked(step) => {
                        let y = run($residual);
                        step.finish((factor, relu.then(|| y.clone())), y)
                    }
                    OpsKind::UnTracked(step) => step.finish(run($residual)),
                }
            }};
        }
        let node = x.node.clone();
        match residual {
            Some(residual) => record!([node, residual.node.clone()], Some(residual.primitive)),
            None => record!([node], None),
        }
    }

    fn product(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        match ProductStep.prepare::<C>([x.node.clone(), weight.node.clone()]).compute_bound().stateful() {
            OpsKind::Tracked(mut step) => {
                let factors = [step.checkpoint(&x), step.checkpoint(&weight)];
                step.finish(factors, B::product(x.primitive, weight.primitive))
            }
            OpsKind::UnTracked(step) => step.finish(B::product(x.primitive, weight.primitive)),
        }
    }

    fn cross_entropy(logits: FloatTensor<Self>, targets: IntTensor<B>, smoothing: f64) -> CrossEntropy<Self> {
        let node = logits.node.clone();
        let CrossEntropy { loss, gradient } = B::cross_entropy(logits.primitive, targets, smoothing);
        let constant = <Self as AutodiffBackend>::from_inner(gradient.clone());
        let loss = match CrossEntropyStep.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish(gradient, loss),
            OpsKind::UnTracked(step) => step.finish(loss),
        };
        CrossEntropy { loss, gradient: constant }
    }
}
