//! Gradients of Kiln's operations: `Autodiff<B>` records them as single steps of the graph, and each step calls the
//! inner backend's own backward operation.

mod steps;

use burn::tensor::ops::{FloatTensor, IntTensor};
use burn::tensor::{TensorMetadata, backend::AutodiffBackend};
use burn_autodiff::{
    Autodiff,
    checkpoint::strategy::CheckpointStrategy,
    ops::{Backward, OpsKind},
};

use self::steps::{
    BatchNormStep, ChannelAffineStep, ConcatStep, ConvBlockStep, CrossEntropyStep, LinearStep, MaxPoolStep,
    MeanPoolStep,
};
use crate::composed;
use crate::host::HostMemory;
use crate::operations::Backend;
use crate::types::{ConvBlock, CrossEntropy, NormActivations, NormOptions, Pool};

impl<B: Backend, C: CheckpointStrategy> HostMemory for Autodiff<B, C> {}

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
                        let activations = B::conv_block_training(x.primitive, weight.primitive, $bias, block);
                        let output = activations.output.clone();
                        step.finish((x_id, weight_id, activations, block.clone()), output)
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
                let (output, argmax) = B::max_pool2d_training(x.primitive, pool);
                (step.finish((input, argmax.clone(), pool.clone()), output), argmax)
            }
            OpsKind::UnTracked(step) => {
                let (output, argmax) = B::max_pool2d_training(x.primitive, pool);
                (step.finish(output), argmax)
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
    ) -> NormActivations<Self> {
        let constant = |tensor: &FloatTensor<B>| <Self as AutodiffBackend>::from_inner(tensor.clone());
        macro_rules! record {
            ([$($node:expr),+], $residual:expr) => {
                match BatchNormStep.prepare::<C>([$($node),+]).compute_bound().stateful() {
                    OpsKind::Tracked(mut step) => {
                        let x_id = step.checkpoint(&x);
                        let scale = weight.primitive.clone();
                        let activations = B::batch_norm(x.primitive, weight.primitive, bias.primitive, $residual, options);
                        let (mean, variance) = (constant(&activations.mean), constant(&activations.variance));
                        let output = activations.output.clone();
                        let output = step.finish((x_id, scale, activations, options), output);
                        NormActivations { output, mean, variance }
                    }
                    OpsKind::UnTracked(step) => {
                        let activations = B::batch_norm(x.primitive, weight.primitive, bias.primitive, $residual, options);
                        let (mean, variance) = (constant(&activations.mean), constant(&activations.variance));
                        NormActivations { output: step.finish(activations.output), mean, variance }
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

    fn linear_layer(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        match LinearStep.prepare::<C>([x.node.clone(), weight.node.clone()]).compute_bound().stateful() {
            OpsKind::Tracked(mut step) => {
                let factors = [step.checkpoint(&x), step.checkpoint(&weight)];
                step.finish(factors, B::linear_layer(x.primitive, weight.primitive))
            }
            OpsKind::UnTracked(step) => step.finish(B::linear_layer(x.primitive, weight.primitive)),
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
