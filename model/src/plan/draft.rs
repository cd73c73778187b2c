//! What of a graph is computed together.

use std::collections::HashMap;

use kiln_backend::{ConvOptions, Pool};
use kiln_kernels::Conv2d;

use super::Norm;
use crate::graph::{Graph, Node, Operation};

/// A step of the plan. Nodes are meant by their numbers.
#[derive(Debug)]
pub(super) struct Draft {
    pub kind: Kind,
    /// Whose results it takes; a second one of a convolution is its residual.
    pub inputs: Vec<usize>,
    /// The node whose result it gives.
    pub output: usize,
}

#[expect(clippy::large_enum_variant, reason = "there are some hundred, for a moment")]
#[derive(Debug)]
pub(super) enum Kind {
    /// A convolution, or a linear layer as one of the whole image, with what is done before and after.
    Conv {
        weight: String,
        bias: Option<String>,
        norm: Option<Norm>,
        prologue: Option<Norm>,
        geometry: Conv2d,
        relu: bool,
    },
    Norm {
        norm: Norm,
        relu: bool,
    },
    MaxPool(Pool),
    AvgPool(Pool),
    AdaptiveAvgPool(usize),
    Concat,
}

/// The steps of a graph, in order; `None` if it has something that no step does.
pub(super) fn of(graph: &Graph) -> Option<Vec<Draft>> {
    let nodes = graph.nodes();
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        node.inputs.iter().for_each(|input| users[input.index()].push(index));
    }
    let mut drafting = Drafting {
        nodes,
        users,
        same: (0..nodes.len()).collect(),
        done: vec![false; nodes.len()],
        prologues: HashMap::new(),
    };
    let mut drafts = Vec::new();
    for index in 1..nodes.len() {
        if !drafting.done[index] && drafting.step(index, &mut drafts).is_none() {
            return None;
        }
    }
    Some(drafts)
}

struct Drafting<'a> {
    nodes: &'a [Node],
    users: Vec<Vec<usize>>,
    /// The node that has the same result in the same layout.
    same: Vec<usize>,
    /// Nodes that belong to a step already.
    done: Vec<bool>,
    /// What happens to the input of a convolution, and whose result that was.
    prologues: HashMap<usize, (Norm, usize)>,
}

impl Drafting<'_> {
    /// Drafts the step that begins with a node.
    fn step(&mut self, index: usize, drafts: &mut Vec<Draft>) -> Option<()> {
        let node = &self.nodes[index];
        let mut inputs: Vec<usize> = node.inputs.iter().map(|input| self.same[input.index()]).collect();
        let mut output = index;
        let kind = match &node.operation {
            Operation::Conv { weight, bias, shape, options } => {
                let prologue = self.prologues.remove(&index);
                let prologue = prologue.map(|(norm, source)| {
                    inputs = vec![source];
                    norm
                });
                let norm = self.follow(output).and_then(|next| norm_of(&self.nodes[next]).map(|norm| (norm, next)));
                let norm = norm.map(|(norm, next)| {
                    output = self.absorb(next);
                    norm
                });
                if let Some((sum, other)) = self.sum_after(index, output) {
                    inputs.push(other);
                    output = self.absorb(sum);
                }
                let (relu, last) = self.relu_after(output);
                output = last;
                let geometry = geometry(*shape, options);
                Kind::Conv {
                    weight: weight.clone(),
                    bias: bias.clone(),
                    norm,
                    prologue,
                    relu: relu || self.clips_later(output),
                    geometry,
                }
            }
            Operation::Linear { weight, bias, shape: [outputs, _] } => {
                let (relu, last) = self.relu_after(output);
                output = last;
                let image = &self.nodes[inputs[0]].shape;
                let side = |axis: usize| image.get(axis).copied().unwrap_or(1);
                let geometry = Conv2d::new([1; 4], [*outputs, side(0), side(1), side(2)]);
                Kind::Conv { weight: weight.clone(), bias: bias.clone(), norm: None, prologue: None, relu, geometry }
            }
            Operation::Norm { .. } => {
                let norm = norm_of(node)?;
                let (relu, last) = self.relu_after(output);
                output = last;
                let conv = self.follow(output).filter(|&next| relu && is_pointwise(&self.nodes[next]));
                if let Some(conv) = conv {
                    self.prologues.insert(conv, (norm, inputs[0]));
                    return Some(());
                }
                Kind::Norm { norm, relu }
            }
            Operation::MaxPool(pool) => {
                // The largest number clipped is the largest of the clipped ones: the convolution before clips them.
                let clipped =
                    drafts.last().is_some_and(|last| last.output == inputs[0] && self.clips_later(last.output));
                if let (true, last) = if clipped { self.relu_after(output) } else { (false, output) } {
                    self.same[last] = output;
                }
                Kind::MaxPool(pool.clone())
            }
            Operation::AvgPool(pool) => Kind::AvgPool(pool.clone()),
            Operation::AdaptiveAvgPool(size) => Kind::AdaptiveAvgPool(*size),
            Operation::Concat => Kind::Concat,
            Operation::Flatten => {
                self.same[index] = inputs[0];
                return Some(());
            }
            Operation::Input | Operation::Relu | Operation::Add => return None,
        };
        drafts.push(Draft { kind, inputs, output });
        Some(())
    }

    /// The only node that takes a node's result.
    fn follow(&self, index: usize) -> Option<usize> {
        match self.users[index][..] {
            [only] => Some(only),
            _ => None,
        }
    }

    fn absorb(&mut self, index: usize) -> usize {
        self.done[index] = true;
        index
    }

    /// The sum that alone takes a node's result, and what else it takes; `None` if that is computed after the node `first`, whose
    /// step will not wait for it.
    fn sum_after(&self, first: usize, index: usize) -> Option<(usize, usize)> {
        let sum = self.follow(index).filter(|&next| matches!(self.nodes[next].operation, Operation::Add))?;
        let mut others = self.nodes[sum].inputs.iter().map(|input| input.index()).filter(|&other| other != index);
        let other = others.next().filter(|&other| other < first)?;
        Some((sum, self.same[other]))
    }

    /// Whether ReLU alone takes a node's result, and the last node of both.
    fn relu_after(&mut self, index: usize) -> (bool, usize) {
        match self.follow(index).filter(|&next| matches!(self.nodes[next].operation, Operation::Relu)) {
            Some(relu) => (true, self.absorb(relu)),
            None => (false, index),
        }
    }

    /// Whether a result goes through max-pooling and then ReLU alone.
    fn clips_later(&self, index: usize) -> bool {
        let pool = self.follow(index).filter(|&next| matches!(self.nodes[next].operation, Operation::MaxPool(_)));
        let next = pool.and_then(|pool| self.follow(pool));
        next.is_some_and(|next| matches!(self.nodes[next].operation, Operation::Relu))
    }
}

fn norm_of(node: &Node) -> Option<Norm> {
    let Operation::Norm { weight, bias, mean, variance, epsilon } = &node.operation else { return None };
    let [weight, bias, mean, variance] = [weight, bias, mean, variance].map(String::clone);
    Some(Norm { weight, bias, mean, variance, epsilon: *epsilon })
}

fn is_pointwise(node: &Node) -> bool {
    match &node.operation {
        Operation::Conv { shape: [_, _, 1, 1], options, .. } => {
            options.stride == [1, 1] && options.padding == [0, 0] && options.groups == 1
        }
        _ => false,
    }
}

/// A convolution of an image that is not known yet.
fn geometry(weight: [usize; 4], options: &ConvOptions<2>) -> Conv2d {
    let ConvOptions { stride, padding, dilation, groups } = *options;
    Conv2d { image: [1; 4], weight, stride, padding: padding.map(|padding| [padding; 2]), dilation, groups }
}
