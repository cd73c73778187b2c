//! A network's layers: output shapes, parameters, multiply-adds.

use std::fmt;

use kiln_backend::Pool;

use crate::graph::{Graph, Operation};

/// One step, for one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSummary {
    /// The layer's name in weights files; empty for layers without weights.
    pub name: String,
    /// What it does.
    pub kind: String,
    /// Output shape without the batch: `[C, H, W]`, or `[features]`.
    pub output: Vec<usize>,
    /// Trained numbers.
    pub parameters: usize,
    /// Multiplications with a following addition.
    pub multiply_adds: usize,
}

/// A network's layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Input shape without the batch: `[C, H, W]`.
    pub input: [usize; 3],
    /// The layers in order.
    pub layers: Vec<LayerSummary>,
}

impl Summary {
    /// Trained numbers in all.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.parameters).sum()
    }

    /// Multiply-adds for one image.
    pub fn multiply_adds(&self) -> usize {
        self.layers.iter().map(|layer| layer.multiply_adds).sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = |sides: &[usize]| sides.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
        let name = self.layers.iter().map(|layer| layer.name.len()).max().unwrap_or(0).max(8);
        writeln!(f, "{:<name$} {:<22} {:>12} {:>12} {:>14}", "name", "layer", "output", "parameters", "multiply-adds")?;
        writeln!(f, "{:<name$} {:<22} {:>12}", "", "image", shape(&self.input))?;
        for LayerSummary { name: own, kind, output, parameters, multiply_adds } in &self.layers {
            writeln!(f, "{own:<name$} {kind:<22} {:>12} {parameters:>12} {multiply_adds:>14}", shape(output))?;
        }
        write!(f, "{:<name$} {:<22} {:>12} {:>12} {:>14}", "", "total", "", self.parameters(), self.multiply_adds())
    }
}

impl Summary {
    /// Of a network, from what it does.
    pub fn of(graph: &Graph) -> Self {
        let mut layers: Vec<LayerSummary> = Vec::new();
        for node in graph.nodes() {
            let output = node.shape.clone();
            let channels = output[0];
            let without_weights = |kind: String| LayerSummary::without_weights(kind, output.clone());
            let layer = match &node.operation {
                Operation::Input => continue,
                Operation::Conv { bias, shape, options, .. } => {
                    let [_, _, height, width] = *shape;
                    let stride = if options.stride[0] == 1 { String::new() } else { format!("/{}", options.stride[0]) };
                    let weights: usize = shape.iter().product();
                    LayerSummary {
                        name: node.name.clone(),
                        kind: format!("conv {height}x{width}{stride}"),
                        parameters: weights + if bias.is_some() { channels } else { 0 },
                        multiply_adds: weights * output[1] * output[2],
                        output,
                    }
                }
                Operation::Norm { .. } => match graph.node(node.inputs[0]).operation {
                    // A convolution and its normalisation are one layer.
                    Operation::Conv { .. } => {
                        if let Some(conv) = layers.last_mut() {
                            conv.kind.push_str(", norm");
                            conv.parameters += 2 * channels;
                        }
                        continue;
                    }
                    _ => LayerSummary {
                        name: node.name.clone(),
                        parameters: 2 * channels,
                        ..without_weights("norm".to_owned())
                    },
                },
                Operation::Relu => without_weights("ReLU".to_owned()),
                Operation::MaxPool(pool) => without_weights(pooling("max-pool", pool)),
                Operation::AvgPool(pool) => without_weights(pooling("avg-pool", pool)),
                Operation::AdaptiveAvgPool(size) => without_weights(format!("avg-pool to {size}x{size}")),
                Operation::Add | Operation::Concat | Operation::Flatten => {
                    without_weights(node.operation.name().to_owned())
                }
                Operation::Linear { bias, shape: [to, from], .. } => LayerSummary {
                    name: node.name.clone(),
                    kind: "linear".to_owned(),
                    parameters: from * to + if bias.is_some() { *to } else { 0 },
                    multiply_adds: from * to,
                    output,
                },
            };
            layers.push(layer);
        }
        Self { input: graph.input(), layers }
    }
}

impl LayerSummary {
    fn without_weights(kind: String, output: Vec<usize>) -> Self {
        Self { name: String::new(), kind, output, parameters: 0, multiply_adds: 0 }
    }
}

fn pooling(kind: &str, pool: &Pool) -> String {
    let (kernel, stride) = (pool.kernel, pool.stride);
    match kernel == stride {
        true => format!("{kind} {}", kernel[0]),
        false => format!("{kind} {}x{}/{}", kernel[0], kernel[1], stride[0]),
    }
}
