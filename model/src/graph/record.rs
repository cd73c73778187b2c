//! The pass that writes down what it is told.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use burn::module::ParamId;
use burn::nn::{Linear, conv::Conv2d};
use burn::tensor::backend::Backend as BurnBackend;
use kiln_backend::{Pool, conv2d_output, pool2d_output};

use super::{Node, NodeId, Operation};
use crate::batch_norm::BatchNorm;
use crate::network::Network;
use crate::parameters::parameters;
use crate::pass::{Pass, options};

/// Writes down each operation with the shape of its result.
pub(super) struct Recorder {
    /// Names of the parameters.
    names: HashMap<ParamId, String>,
    nodes: RefCell<Vec<Node>>,
    taken: RefCell<HashSet<String>>,
}

impl Recorder {
    pub(super) fn new<B: BurnBackend>(network: &Network<B>) -> Self {
        let names = parameters(network).into_iter().map(|parameter| (parameter.id, parameter.name)).collect();
        Self { names, nodes: RefCell::default(), taken: RefCell::default() }
    }

    pub(super) fn input(&self, shape: [usize; 3]) -> NodeId {
        self.write("input".to_owned(), Operation::Input, Vec::new(), shape.to_vec())
    }

    pub(super) fn into_nodes(self) -> Vec<Node> {
        self.nodes.into_inner()
    }

    fn write(&self, name: String, operation: Operation, inputs: Vec<NodeId>, shape: Vec<usize>) -> NodeId {
        let mut taken = self.taken.borrow_mut();
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let name = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name));
        let name = name.unwrap_or_else(|| unreachable!("there are more numbers than nodes"));
        taken.insert(name.clone());
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(Node { name, operation, inputs, shape });
        NodeId(nodes.len() - 1)
    }

    /// A step without weights, named after the layer whose result it takes last.
    fn step(&self, operation: Operation, inputs: Vec<NodeId>, shape: Vec<usize>) -> NodeId {
        let name = {
            let nodes = self.nodes.borrow();
            let before = &nodes[inputs.last().map_or(0, |id| id.0)].name;
            format!("{}/{}", before.split('/').next().unwrap_or_default(), operation.name())
        };
        self.write(name, operation, inputs, shape)
    }

    fn shape(&self, id: NodeId) -> Vec<usize> {
        self.nodes.borrow()[id.0].shape.clone()
    }

    fn image(&self, id: NodeId) -> [usize; 3] {
        let shape = self.shape(id);
        [shape[0], shape[1], shape[2]]
    }

    /// The layer that a weight belongs to.
    fn layer(&self, weight: ParamId) -> String {
        let name = self.names.get(&weight).map_or("", String::as_str);
        name.strip_suffix(".weight").unwrap_or(name).to_owned()
    }

    fn convolve<B: BurnBackend>(&self, x: NodeId, conv: &Conv2d<B>) -> NodeId {
        let [c, h, w] = self.image(x);
        let shape = conv.weight.lazy_shape();
        let shape = [shape[0], shape[1], shape[2], shape[3]];
        let options = options(conv);
        let output = conv2d_output([1, c, h, w], shape, None, &options).unwrap_or_else(|error| panic!("{error}"));
        let layer = self.layer(conv.weight.id);
        let (weight, bias) = (format!("{layer}.weight"), conv.bias.as_ref().map(|_| format!("{layer}.bias")));
        self.write(layer, Operation::Conv { weight, bias, shape, options }, vec![x], output[1..].to_vec())
    }

    fn norm<B: BurnBackend>(&self, x: NodeId, norm: &BatchNorm<B>) -> NodeId {
        let shape = self.shape(x);
        assert_eq!(norm.channels(), shape[0], "one scale for each channel");
        let layer = self.layer(norm.weight.id);
        let [weight, bias, mean, variance] =
            ["weight", "bias", "running_mean", "running_var"].map(|name| format!("{layer}.{name}"));
        let operation = Operation::Norm { weight, bias, mean, variance, epsilon: norm.epsilon };
        self.write(layer, operation, vec![x], shape)
    }

    fn relu(&self, x: NodeId, clips: bool) -> NodeId {
        if clips { self.step(Operation::Relu, vec![x], self.shape(x)) } else { x }
    }

    fn pooled(&self, x: NodeId, pool: Pool, operation: fn(Pool) -> Operation) -> NodeId {
        let [c, h, w] = self.image(x);
        let output = pool2d_output([1, c, h, w], &pool).unwrap_or_else(|error| panic!("{error}"));
        self.step(operation(pool), vec![x], output[1..].to_vec())
    }
}

impl<B: BurnBackend> Pass<B> for Recorder {
    type Image = NodeId;
    type Row = NodeId;

    fn is_training(&self) -> bool {
        false
    }

    fn conv(&self, x: NodeId, conv: &Conv2d<B>, max_pool: Option<Pool>, relu: bool) -> NodeId {
        let y = self.convolve(x, conv);
        let y = max_pool.map_or(y, |pool| self.pooled(y, pool, Operation::MaxPool));
        self.relu(y, relu)
    }

    fn conv_norm(
        &self,
        x: NodeId,
        conv: &Conv2d<B>,
        norm: &BatchNorm<B>,
        residual: Option<NodeId>,
        relu: bool,
    ) -> NodeId {
        let mut y = self.norm(self.convolve(x, conv), norm);
        if let Some(residual) = residual {
            assert_eq!(self.shape(residual), self.shape(y), "a residual of the result's shape");
            // Named after the last one, which is the branch that was computed.
            y = self.step(Operation::Add, vec![residual, y], self.shape(y));
        }
        self.relu(y, relu)
    }

    fn norm_relu(&self, x: NodeId, norm: &BatchNorm<B>) -> NodeId {
        self.relu(self.norm(x, norm), true)
    }

    fn max_pool(&self, x: NodeId, pool: Pool) -> NodeId {
        self.pooled(x, pool, Operation::MaxPool)
    }

    fn avg_pool(&self, x: NodeId, pool: Pool) -> NodeId {
        self.pooled(x, pool, Operation::AvgPool)
    }

    fn adaptive_avg_pool(&self, x: NodeId, size: usize) -> NodeId {
        self.step(Operation::AdaptiveAvgPool(size), vec![x], vec![self.image(x)[0], size, size])
    }

    fn concat(&self, images: Vec<NodeId>) -> NodeId {
        let shapes: Vec<_> = images.iter().map(|&image| self.image(image)).collect();
        let [_, h, w] = shapes[0];
        assert!(shapes.iter().all(|shape| shape[1..] == [h, w]), "images of one size: {shapes:?}");
        let channels = shapes.iter().map(|shape| shape[0]).sum();
        self.step(Operation::Concat, images, vec![channels, h, w])
    }

    fn flatten(&self, x: NodeId) -> NodeId {
        self.step(Operation::Flatten, vec![x], vec![self.shape(x).iter().product()])
    }

    fn linear(&self, x: NodeId, linear: &Linear<B>, relu: bool) -> NodeId {
        let shape = linear.weight.lazy_shape();
        let shape = [shape[1], shape[0]];
        assert_eq!(self.shape(x), [shape[1]], "the features that the layer takes");
        let layer = self.layer(linear.weight.id);
        let (weight, bias) = (format!("{layer}.weight"), linear.bias.as_ref().map(|_| format!("{layer}.bias")));
        self.relu(self.write(layer, Operation::Linear { weight, bias, shape }, vec![x], vec![shape[0]]), relu)
    }

    fn dropout(&self, x: NodeId, _: f64) -> NodeId {
        x
    }
}
