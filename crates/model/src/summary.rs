//! An image's walk through a network, layer by layer: output shapes, parameters, multiply-adds.

use std::fmt;

use kiln_backend::{ConvOptions, Pool, conv2d_output, pool2d_output};

/// One step of the walk, for one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSummary {
    /// The layer's name in weights files; empty for layers without weights.
    pub name: &'static str,
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
        writeln!(f, "{:<8} {:<22} {:>12} {:>12} {:>14}", "name", "layer", "output", "parameters", "multiply-adds")?;
        writeln!(f, "{:<8} {:<22} {:>12}", "", "image", shape(&self.input))?;
        for LayerSummary { name, kind, output, parameters, multiply_adds } in &self.layers {
            writeln!(f, "{name:<8} {kind:<22} {:>12} {parameters:>12} {multiply_adds:>14}", shape(output))?;
        }
        write!(f, "{:<8} {:<22} {:>12} {:>12} {:>14}", "", "total", "", self.parameters(), self.multiply_adds())
    }
}

/// Builds a [`Summary`] by walking along the layers; each step computes its shape from the last one.
#[derive(Clone, Debug)]
pub struct Walk {
    summary: Summary,
}

impl Walk {
    /// Starts with an image `[C, H, W]`.
    pub fn from_image(input: [usize; 3]) -> Self {
        Self { summary: Summary { input, layers: Vec::new() } }
    }

    /// Where the walk has come to.
    fn shape(&self) -> Vec<usize> {
        self.summary.layers.last().map_or_else(|| self.summary.input.to_vec(), |layer| layer.output.clone())
    }

    /// The image of the last step; a walk takes image layers only before it flattens.
    fn image(&self) -> [usize; 4] {
        let shape = self.shape();
        let [c, h, w] = shape[..] else { panic!("{shape:?} is no longer an image") };
        [1, c, h, w]
    }

    fn step(mut self, name: &'static str, kind: String, output: Vec<usize>, parameters: usize, work: usize) -> Self {
        self.summary.layers.push(LayerSummary { name, kind, output, parameters, multiply_adds: work });
        self
    }

    /// A convolution with bias, stride 1 and no padding.
    #[must_use]
    pub fn conv2d(self, name: &'static str, out: usize, kernel: usize) -> Self {
        let image = self.image();
        let weight = [out, image[1], kernel, kernel];
        let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        let [_, c, h, w] = conv2d_output(image, weight, Some(out), &options).unwrap_or_else(|error| panic!("{error}"));
        let weights: usize = weight.iter().product();
        self.step(name, format!("conv {kernel}x{kernel}"), vec![c, h, w], weights + out, weights * h * w)
    }

    /// Max-pooling with windows side by side.
    #[must_use]
    pub fn max_pool2d(self, size: usize) -> Self {
        let output = pool2d_output(self.image(), &Pool::square(size)).unwrap_or_else(|error| panic!("{error}"));
        self.step("", format!("max-pool {size}"), output[1..].to_vec(), 0, 0)
    }

    /// The activation that cuts off what is negative.
    #[must_use]
    pub fn relu(self) -> Self {
        let shape = self.shape();
        self.step("", "ReLU".to_owned(), shape, 0, 0)
    }

    /// From an image to a row of features.
    #[must_use]
    pub fn flatten(self) -> Self {
        let features = self.shape().iter().product();
        self.step("", "flatten".to_owned(), vec![features], 0, 0)
    }

    /// A linear layer with bias.
    #[must_use]
    pub fn linear(self, name: &'static str, out: usize) -> Self {
        let features: usize = self.shape().iter().product();
        self.step(name, "linear".to_owned(), vec![out], features * out + out, features * out)
    }

    /// Ends the walk.
    pub fn finish(self) -> Summary {
        self.summary
    }
}
