//! From a graph's operations to ONNX's operators.
//!
//! Source: ONNX's `docs/Operators.md`, opset 17.

use kiln_backend::Pool;
use kiln_data::Preprocess;
use kiln_model::NamedTensor;
use kiln_model::graph::{Graph, Node as GraphNode, Operation};

use crate::schema::{Attribute, FLOAT, Node, Tensor};
use crate::tensor;

/// Nodes in the making, and the constants that they need besides the weights.
#[derive(Default)]
pub(crate) struct Lowering {
    pub(crate) nodes: Vec<Node>,
    pub(crate) constants: Vec<Tensor>,
}

impl Lowering {
    /// From pixels to normalised images: `(pixel / 255 - mean) / std`. Gives the name of the result.
    pub(crate) fn normalise(&mut self, pixels: &str, preprocess: &Preprocess) -> String {
        let channels = vec![1, preprocess.channels, 1, 1];
        self.node("preprocess/cast", "Cast", &[pixels], vec![int("to", i64::from(FLOAT))]);
        let steps = [
            ("preprocess/scale", "Div", vec![1], vec![255.]),
            ("preprocess/mean", "Sub", channels.clone(), preprocess.mean.clone()),
            ("preprocess/std", "Div", channels, preprocess.std.clone()),
        ];
        let mut last = "preprocess/cast".to_owned();
        for (name, operator, shape, values) in steps {
            let constant = self.constant(format!("{name}.value"), shape, values);
            self.node(name, operator, &[&last, &constant], Vec::new());
            last = name.to_owned();
        }
        last
    }

    /// All operations of a graph, from the value called `input` to the one called `output`.
    pub(crate) fn graph(&mut self, graph: &Graph, input: &str, output: &str) {
        // The name of each node's value.
        let mut values: Vec<String> = Vec::with_capacity(graph.nodes().len());
        for (index, node) in graph.nodes().iter().enumerate() {
            let inputs: Vec<&str> = node.inputs.iter().map(|id| values[id.index()].as_str()).collect();
            let value = match node.operation {
                Operation::Input => input.to_owned(),
                _ => {
                    let shape = node.inputs.first().map(|&id| graph.node(id).shape.as_slice()).unwrap_or_default();
                    self.operation(node, &inputs, shape)
                }
            };
            if index + 1 == graph.nodes().len()
                && let Some(last) = self.nodes.last_mut()
            {
                last.output = vec![output.to_owned()];
            }
            values.push(value);
        }
    }

    /// One operation on values of which the first has the shape `from`; gives the name of its value.
    fn operation(&mut self, node: &GraphNode, inputs: &[&str], from: &[usize]) -> String {
        let name = node.name.as_str();
        let with = |weights| with_weights(inputs, weights);
        let (operator, inputs, attributes) = match &node.operation {
            Operation::Input => unreachable!("the input is no operation"),
            Operation::Conv { weight, bias, shape, options } => {
                let [vertical, horizontal] = options.padding;
                let attributes = vec![
                    ints("dilations", &options.dilation),
                    int("group", options.groups as i64),
                    ints("kernel_shape", &shape[2..]),
                    ints("pads", &[vertical, horizontal, vertical, horizontal]),
                    ints("strides", &options.stride),
                ];
                ("Conv", with(&[Some(weight), bias.as_ref()]), attributes)
            }
            Operation::Norm { weight, bias, mean, variance, epsilon } => {
                let inputs = with(&[Some(weight), Some(bias), Some(mean), Some(variance)]);
                ("BatchNormalization", inputs, vec![float("epsilon", *epsilon as f32)])
            }
            Operation::Relu => ("Relu", with(&[]), Vec::new()),
            Operation::Add => ("Add", with(&[]), Vec::new()),
            Operation::MaxPool(pool) => ("MaxPool", with(&[]), max_pool(pool, from, &node.shape)),
            Operation::AvgPool(pool) => ("AveragePool", with(&[]), avg_pool(pool)),
            Operation::AdaptiveAvgPool(size) => return self.adaptive_avg_pool(name, inputs[0], from, *size),
            Operation::Concat => ("Concat", with(&[]), vec![int("axis", 1)]),
            Operation::Flatten => ("Flatten", with(&[]), vec![int("axis", 1)]),
            Operation::Linear { weight, bias, .. } => {
                ("Gemm", with(&[Some(weight), bias.as_ref()]), vec![int("transB", 1)])
            }
        };
        self.node(name, operator, &inputs, attributes);
        name.to_owned()
    }

    /// ONNX has no adaptive pooling. Where parts are of one size it is plain pooling, otherwise the means of rows and of columns
    /// are two products with matrices of shares.
    fn adaptive_avg_pool(&mut self, name: &str, input: &str, from: &[usize], size: usize) -> String {
        let (height, width) = (from[1], from[2]);
        if [height, width] == [size; 2] {
            return input.to_owned();
        }
        if size == 1 {
            self.node(name, "GlobalAveragePool", &[input], Vec::new());
        } else if height % size == 0 && width % size == 0 {
            let kernel = [height / size, width / size];
            let pool = Pool { kernel, stride: kernel, padding: [0; 2], ceil_mode: false };
            self.node(name, "AveragePool", &[input], avg_pool(&pool));
        } else {
            let rows = self.constant(format!("{name}.rows"), vec![size, height], shares(size, height));
            let down = format!("{name}/down");
            self.node(&down, "MatMul", &[&rows, input], Vec::new());
            let across = transpose(&shares(size, width), size, width);
            let columns = self.constant(format!("{name}.columns"), vec![width, size], across);
            self.node(name, "MatMul", &[&down, &columns], Vec::new());
        }
        name.to_owned()
    }

    fn node(&mut self, name: &str, operator: &str, inputs: &[&str], attribute: Vec<Attribute>) {
        self.nodes.push(Node {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![name.to_owned()],
            name: name.to_owned(),
            op_type: operator.to_owned(),
            attribute,
        });
    }

    /// Adds a constant and gives its name.
    fn constant(&mut self, name: String, shape: Vec<usize>, values: Vec<f32>) -> String {
        self.constants.push(tensor(NamedTensor { name: name.clone(), shape, values }));
        name
    }
}

fn with_weights<'a>(inputs: &[&'a str], weights: &[Option<&'a String>]) -> Vec<&'a str> {
    let weights = weights.iter().flatten().map(|name| name.as_str());
    inputs.iter().copied().chain(weights).collect()
}

/// Attributes of max-pooling from a shape to a shape. Padding at the end is so much that the last window fits: what the
/// runtimes make of `ceil_mode` differs, what lies in padding never counts.
fn max_pool(pool: &Pool, from: &[usize], to: &[usize]) -> Vec<Attribute> {
    let end = |side: usize| {
        let reach = (to[side + 1] - 1) * pool.stride[side] + pool.kernel[side];
        reach.saturating_sub(from[side + 1] + pool.padding[side])
    };
    let pads = [pool.padding[0], pool.padding[1], end(0), end(1)];
    vec![ints("kernel_shape", &pool.kernel), ints("pads", &pads), ints("strides", &pool.stride)]
}

fn avg_pool(pool: &Pool) -> Vec<Attribute> {
    let [vertical, horizontal] = pool.padding;
    vec![
        int("ceil_mode", i64::from(pool.ceil_mode)),
        int("count_include_pad", 1),
        ints("kernel_shape", &pool.kernel),
        ints("pads", &[vertical, horizontal, vertical, horizontal]),
        ints("strides", &pool.stride),
    ]
}

/// `[size, length]`: row i is the mean of the places from `floor(i * length / size)` to `ceil((i + 1) * length / size)`, as in
/// `torch.nn.AdaptiveAvgPool2d`.
fn shares(size: usize, length: usize) -> Vec<f32> {
    let mut shares = vec![0.; size * length];
    for (part, row) in shares.chunks_exact_mut(length).enumerate() {
        let (start, end) = (part * length / size, ((part + 1) * length).div_ceil(size));
        row[start..end].fill(1. / (end - start) as f32);
    }
    shares
}

fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

fn int(name: &str, value: i64) -> Attribute {
    Attribute { name: name.to_owned(), i: Some(value), r#type: 2, ..Attribute::default() }
}

fn float(name: &str, value: f32) -> Attribute {
    Attribute { name: name.to_owned(), f: Some(value), r#type: 1, ..Attribute::default() }
}

fn ints(name: &str, values: &[usize]) -> Attribute {
    let ints = values.iter().map(|&value| value as i64).collect();
    Attribute { name: name.to_owned(), ints, r#type: 7, ..Attribute::default() }
}
