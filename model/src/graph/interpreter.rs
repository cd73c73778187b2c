//! A graph computed node by node, so that the result of each can be seen and have a gradient.
//!
//! This is the plain way, without the fused operations of a [`Compute`](crate::Compute) pass: it is for looking into a network.

use std::collections::HashMap;

use burn::tensor::ops::FloatTensor;
use burn::tensor::{Tensor, TensorPrimitive, activation::relu};
use kiln_backend::{Backend, avg_pool2d, channel_affine, concat, conv2d, linear, max_pool2d};

use super::{Graph, Node, NodeId, Operation};
use crate::batch_norm;
use crate::compute::Compute;
use crate::pass::Pass;

/// A graph with the tensors of its weights, by name and in Burn's layouts.
pub(crate) struct Interpreter<'a, B: Backend> {
    graph: &'a Graph,
    weights: HashMap<String, FloatTensor<B>>,
}

/// The result of a node.
#[derive(Clone, Debug)]
pub(crate) enum Value<B: Backend> {
    /// `[N, C, H, W]`.
    Image(Tensor<B, 4>),
    /// `[N, features]`.
    Row(Tensor<B, 2>),
}

impl<B: Backend> Value<B> {
    fn image(&self) -> Tensor<B, 4> {
        match self {
            Self::Image(image) => image.clone(),
            Self::Row(_) => unreachable!("a graph was recorded with images here"),
        }
    }

    pub(crate) fn row(&self) -> Tensor<B, 2> {
        match self {
            Self::Row(row) => row.clone(),
            Self::Image(_) => unreachable!("a graph was recorded with rows here"),
        }
    }
}

impl<'a, B: Backend> Interpreter<'a, B> {
    /// With the weights that the graph names.
    pub(crate) fn new(graph: &'a Graph, weights: HashMap<String, FloatTensor<B>>) -> Self {
        Self { graph, weights }
    }

    /// The results of all nodes for `images` `[N, C, H, W]`; `inspect` may replace each before others take it.
    pub(crate) fn run(
        &self,
        images: Tensor<B, 4>,
        mut inspect: impl FnMut(NodeId, Value<B>) -> Value<B>,
    ) -> Vec<Value<B>> {
        let mut values: Vec<Value<B>> = Vec::with_capacity(self.graph.nodes.len());
        for (id, node) in self.graph.iter() {
            let value = match node.operation {
                Operation::Input => Value::Image(images.clone()),
                _ => self.compute(node, &values),
            };
            values.push(inspect(id, value));
        }
        values
    }

    fn compute(&self, node: &Node, values: &[Value<B>]) -> Value<B> {
        let input = |index: usize| &values[node.inputs[index].0];
        let fits = "the graph was recorded with shapes that fit";
        Value::Image(match &node.operation {
            Operation::Input => unreachable!("the input is given"),
            Operation::Conv { weight, bias, options, .. } => {
                let bias = bias.as_deref().map(|bias| self.weight(bias));
                conv2d(input(0).image(), self.weight(weight), bias, options.clone())
                    .unwrap_or_else(|error| unreachable!("{fits}: {error}"))
            }
            Operation::Norm { weight, bias, mean, variance, epsilon } => {
                let [weight, bias, mean, variance] = [weight, bias, mean, variance].map(|name| self.weight(name));
                let affine = batch_norm::affine([weight, bias], [mean, variance], *epsilon);
                channel_affine(input(0).image(), affine, None, false)
            }
            Operation::Relu => match input(0) {
                Value::Image(image) => relu(image.clone()),
                Value::Row(row) => return Value::Row(relu(row.clone())),
            },
            Operation::Add => input(0).image() + input(1).image(),
            Operation::MaxPool(pool) => {
                max_pool2d(input(0).image(), pool).unwrap_or_else(|error| unreachable!("{fits}: {error}"))
            }
            Operation::AvgPool(pool) => {
                avg_pool2d(input(0).image(), pool).unwrap_or_else(|error| unreachable!("{fits}: {error}"))
            }
            Operation::AdaptiveAvgPool(size) => {
                let x = input(0).image();
                Compute::new(x.device()).adaptive_avg_pool(x, *size)
            }
            Operation::Concat => concat((0..node.inputs.len()).map(|index| input(index).image()).collect()),
            Operation::Flatten => return Value::Row(input(0).image().flatten(1, 3)),
            Operation::Linear { weight, bias, .. } => {
                let bias = bias.as_deref().map(|bias| self.weight(bias));
                return Value::Row(linear(input(0).row(), self.weight(weight), bias));
            }
        })
    }

    fn weight<const D: usize>(&self, name: &str) -> Tensor<B, D> {
        let weight = self.weights.get(name).unwrap_or_else(|| panic!("no weight `{name}`"));
        Tensor::from_primitive(TensorPrimitive::Float(weight.clone()))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;
    use kiln_backend::{Reference, relative_difference};

    use super::*;
    use crate::parameters::tensors;
    use crate::registry::Architecture;

    /// Node by node, or with fused operations: the same numbers.
    #[test]
    fn a_graph_gives_what_the_network_gives() {
        let names = ["lecture-cnn", "mlp", "resnet8", "vgg11_bn", "resnet18", "resnet50", "googlenet", "densenet121"];
        for architecture in names.map(|name| name.parse::<Architecture>().unwrap()) {
            let device = Default::default();
            let network = architecture.seeded::<Reference>(&architecture.sizes(7), 3, &device);
            let side = architecture.smallest_side().max(28);
            let graph = Graph::of(&network, [architecture.input()[0], side, side]);
            let images = Tensor::random([2, graph.input()[0], side, side], Distribution::Default, &device);
            let values = Interpreter::new(&graph, tensors(&network)).run(images.clone(), |_, value| value);
            for ((_, node), value) in graph.iter().zip(&values) {
                let shape = match value {
                    Value::Image(image) => image.dims()[1..].to_vec(),
                    Value::Row(row) => row.dims()[1..].to_vec(),
                };
                assert_eq!(shape, node.shape, "{architecture} {}", node.name);
            }
            let logits = values.last().unwrap().row().into_data();
            let difference = relative_difference(&logits, &network.forward(images).into_data());
            assert!(difference < 1e-5, "{architecture}: {difference:.1e}");
        }
    }
}
