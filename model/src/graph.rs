//! What a network does, as data: operations in order, each on the results of earlier ones.
//!
//! A network says what follows what to a [`Pass`](crate::Pass); the pass that writes it down makes this. Whatever needs the
//! network as a whole (its summary, its file for other runtimes, the results of single layers) reads it here, so none of them
//! can disagree with what is computed.

mod interpreter;
mod record;

use burn::tensor::backend::Backend as BurnBackend;
use kiln_backend::{ConvOptions, Pool};

use crate::network::Network;

pub(crate) use interpreter::{Interpreter, Value};
use record::Recorder;

/// A network for inference on images of one size: nodes in the order of computation. The first is the input, the last gives
/// the logits.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    nodes: Vec<Node>,
}

/// A step of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its name, which no other node has: the layer's in weights files, such as `layer1.0.conv1`; where it has no weights, that
    /// of the layer before it and what it does, such as `layer1.0.bn2/relu`.
    pub name: String,
    /// What it does.
    pub operation: Operation,
    /// Whose results it takes.
    pub inputs: Vec<NodeId>,
    /// Shape of its result for one image: `[C, H, W]`, or `[features]`.
    pub shape: Vec<usize>,
}

/// A node of its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(usize);

/// What a node does. Weights stand by their names in weights files; their layouts are PyTorch's.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// The images, as the preprocessing gives them.
    Input,
    /// A convolution.
    Conv {
        /// `[out, in / groups, kh, kw]`.
        weight: String,
        /// `[out]`.
        bias: Option<String>,
        /// The weight's shape.
        shape: [usize; 4],
        /// Stride, padding, dilation, groups.
        options: ConvOptions<2>,
    },
    /// `(x - mean) / sqrt(variance + epsilon) * weight + bias`, one number of each a channel.
    Norm {
        /// `[C]`.
        weight: String,
        /// `[C]`.
        bias: String,
        /// `[C]`.
        mean: String,
        /// `[C]`.
        variance: String,
        /// Added to the variance.
        epsilon: f64,
    },
    /// The larger of each number and 0.
    Relu,
    /// The sum of two images.
    Add,
    /// The largest number under each window.
    MaxPool(Pool),
    /// The mean under each window; padding counts as zeros.
    AvgPool(Pool),
    /// The means of so many parts of nearly equal size, down and across.
    AdaptiveAvgPool(usize),
    /// The channels of all inputs, one after the other.
    Concat,
    /// An image as a row of features.
    Flatten,
    /// Matrix product and bias.
    Linear {
        /// `[out, in]`.
        weight: String,
        /// `[out]`.
        bias: Option<String>,
        /// The weight's shape.
        shape: [usize; 2],
    },
}

impl Operation {
    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Conv { .. } => "conv",
            Self::Norm { .. } => "norm",
            Self::Relu => "relu",
            Self::Add => "add",
            Self::MaxPool(_) => "max_pool",
            Self::AvgPool(_) => "avg_pool",
            Self::AdaptiveAvgPool(_) => "adaptive_avg_pool",
            Self::Concat => "concat",
            Self::Flatten => "flatten",
            Self::Linear { .. } => "linear",
        }
    }
}

impl Graph {
    /// Records a network on images `[C, H, W]`. Weights are not even made; auxiliary heads, which only training uses, are left
    /// out.
    ///
    /// # Panics
    /// If the image does not fit a layer.
    pub fn of<B: BurnBackend>(network: &Network<B>, input: [usize; 3]) -> Self {
        let recorder = Recorder::new(network);
        let logits = network.run(&recorder, recorder.input(input)).main;
        let nodes = recorder.into_nodes();
        assert!(logits.0 + 1 == nodes.len(), "what is computed last are the logits");
        Self { nodes }
    }

    /// The nodes in the order of computation.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The nodes with their identities.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node)> {
        self.nodes.iter().enumerate().map(|(index, node)| (NodeId(index), node))
    }

    /// A node.
    ///
    /// # Panics
    /// If it is of another graph.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The nodes that take a node's result.
    pub fn users(&self, id: NodeId) -> impl Iterator<Item = (NodeId, &Node)> {
        self.iter().skip(id.0 + 1).filter(move |(_, node)| node.inputs.contains(&id))
    }

    /// Shape of the images: `[C, H, W]`.
    pub fn input(&self) -> [usize; 3] {
        let shape = &self.nodes[0].shape;
        [shape[0], shape[1], shape[2]]
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.nodes.last().map_or(0, |node| node.shape[0])
    }

    /// The node of this name; or, of a layer that others are parts of, such as `layer4`, the last one, whose result is the
    /// layer's.
    pub fn layer(&self, name: &str) -> Option<NodeId> {
        let exact = self.iter().find(|(_, node)| node.name == name);
        let part = |node: &Node| {
            let behind = matches!(
                node.operation,
                Operation::AvgPool(_) | Operation::AdaptiveAvgPool(_) | Operation::MaxPool(_) | Operation::Flatten
            );
            !behind && node.name.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '/']))
        };
        exact.or_else(|| self.iter().rfind(|(_, node)| part(node))).map(|(id, _)| id)
    }

    /// The last convolution's result after all that belongs to it: normalisation, sum, concatenation and ReLU. `None` if
    /// nothing is convolved.
    pub fn last_convolution(&self) -> Option<NodeId> {
        let (conv, _) = self.iter().rfind(|(_, node)| matches!(node.operation, Operation::Conv { .. }))?;
        let mut last = conv;
        while let Some((next, node)) = self.users(last).next() {
            let belongs =
                matches!(node.operation, Operation::Norm { .. } | Operation::Add | Operation::Concat | Operation::Relu);
            if !belongs {
                break;
            }
            last = next;
        }
        Some(last)
    }

    /// The stages that a reader wants to see: each convolution and pooling, with the normalisation and ReLU that follow it alone.
    pub fn stages(&self) -> Vec<Stage> {
        let starts = self.iter().filter(|(_, node)| {
            matches!(node.operation, Operation::Conv { .. } | Operation::MaxPool(_) | Operation::AvgPool(_))
        });
        starts.map(|(first, _)| Stage { first, last: self.finished(first) }).collect()
    }

    /// Those stages that a layer's name means: the one called so, those that are parts of it, or the one with this result.
    pub fn stages_of(&self, layer: &str) -> Vec<Stage> {
        let named = self.layer(layer);
        let part = |stage: &Stage| {
            let rest = self.node(stage.first).name.strip_prefix(layer);
            named == Some(stage.last) || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/']))
        };
        self.stages().into_iter().filter(part).collect()
    }

    /// A node's result after the normalisation and ReLU that alone take it.
    fn finished(&self, mut last: NodeId) -> NodeId {
        loop {
            let mut users = self.users(last);
            match (users.next(), users.next()) {
                (Some((next, Node { operation: Operation::Norm { .. } | Operation::Relu, .. })), None) => last = next,
                _ => return last,
            }
        }
    }
}

impl NodeId {
    /// Its place in the order of computation.
    pub fn index(self) -> usize {
        self.0
    }
}

/// A node and what directly belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The convolution or pooling, which names it.
    pub first: NodeId,
    /// The node whose result is the stage's.
    pub last: NodeId,
}
