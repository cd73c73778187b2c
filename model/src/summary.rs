//! A network's layers: output shapes, parameters, multiply-adds.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;

use burn::module::{Module, ParamId};
use burn::nn::{Linear, conv::Conv2d};
use burn::tensor::backend::Backend as BurnBackend;
use kiln_backend::{Pool, conv2d_output, pool2d_output};

use crate::batch_norm::BatchNorm;
use crate::parameters::parameters;
use crate::pass::{Pass, options};

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

/// A pass with shapes alone: what follows what, and how large it is. Weights are not even made.
///
/// Its operations panic if an image does not fit a layer.
pub struct Outline {
    /// Names of the parameters.
    names: HashMap<ParamId, String>,
    layers: RefCell<Vec<LayerSummary>>,
}

impl Outline {
    /// Goes through a network with an image `[C, H, W]`.
    pub fn of<B: BurnBackend, M: Module<B>>(
        network: &M,
        input: [usize; 3],
        run: impl FnOnce(&M, &Self, [usize; 3]),
    ) -> Summary {
        let names = parameters(network).into_iter().map(|parameter| (parameter.id, parameter.name)).collect();
        let outline = Self { names, layers: RefCell::new(Vec::new()) };
        run(network, &outline, input);
        Summary { input, layers: outline.layers.into_inner() }
    }

    /// The layer to which a weight belongs.
    fn layer(&self, weight: ParamId) -> String {
        let name = self.names.get(&weight).map_or("", String::as_str);
        name.strip_suffix(".weight").unwrap_or(name).to_owned()
    }

    fn step(&self, name: String, kind: String, output: &[usize], parameters: usize, multiply_adds: usize) {
        self.layers.borrow_mut().push(LayerSummary { name, kind, output: output.to_vec(), parameters, multiply_adds });
    }

    fn pooled(&self, kind: &str, [c, h, w]: [usize; 3], pool: &Pool) -> [usize; 3] {
        let [_, c, h, w] = pool2d_output([1, c, h, w], pool).unwrap_or_else(|error| panic!("{error}"));
        let (kernel, stride) = (pool.kernel, pool.stride);
        let kind = match kernel == stride {
            true => format!("{kind} {}", kernel[0]),
            false => format!("{kind} {}x{}/{}", kernel[0], kernel[1], stride[0]),
        };
        self.step(String::new(), kind, &[c, h, w], 0, 0);
        [c, h, w]
    }

    fn convolved<B: BurnBackend>(
        &self,
        [c, h, w]: [usize; 3],
        conv: &Conv2d<B>,
        more: &str,
        more_parameters: usize,
    ) -> [usize; 3] {
        let shape = conv.weight.lazy_shape();
        let weight = [shape[0], shape[1], shape[2], shape[3]];
        let output = conv2d_output([1, c, h, w], weight, None, &options(conv));
        let [_, c, h, w] = output.unwrap_or_else(|error| panic!("{error}"));
        let weights: usize = weight.iter().product();
        let bias = if conv.bias.is_some() { c } else { 0 };
        let stride = if conv.stride[0] == 1 { String::new() } else { format!("/{}", conv.stride[0]) };
        let kind = format!("conv {}x{}{stride}{more}", weight[2], weight[3]);
        self.step(self.layer(conv.weight.id), kind, &[c, h, w], weights + bias + more_parameters, weights * h * w);
        [c, h, w]
    }

    fn relu(&self, shape: &[usize]) {
        self.step(String::new(), "ReLU".to_owned(), shape, 0, 0);
    }
}

impl<B: BurnBackend> Pass<B> for Outline {
    type Image = [usize; 3];
    type Row = usize;

    fn is_training(&self) -> bool {
        false
    }

    fn conv(&self, x: [usize; 3], conv: &Conv2d<B>, max_pool: Option<Pool>, relu: bool) -> [usize; 3] {
        let mut x = self.convolved(x, conv, "", 0);
        if let Some(pool) = max_pool {
            x = self.pooled("max-pool", x, &pool);
        }
        if relu {
            self.relu(&x);
        }
        x
    }

    fn conv_norm(
        &self,
        x: [usize; 3],
        conv: &Conv2d<B>,
        norm: &BatchNorm<B>,
        residual: Option<[usize; 3]>,
        relu: bool,
    ) -> [usize; 3] {
        let x = self.convolved(x, conv, ", norm", 2 * norm.channels());
        if let Some(residual) = residual {
            assert_eq!(residual, x, "a residual of the result's shape");
            self.step(String::new(), "add".to_owned(), &x, 0, 0);
        }
        if relu {
            self.relu(&x);
        }
        x
    }

    fn norm_relu(&self, x: [usize; 3], norm: &BatchNorm<B>) -> [usize; 3] {
        assert_eq!(norm.channels(), x[0], "one scale for each channel");
        self.step(self.layer(norm.weight.id), "norm".to_owned(), &x, 2 * norm.channels(), 0);
        self.relu(&x);
        x
    }

    fn max_pool(&self, x: [usize; 3], pool: Pool) -> [usize; 3] {
        self.pooled("max-pool", x, &pool)
    }

    fn avg_pool(&self, x: [usize; 3], pool: Pool) -> [usize; 3] {
        self.pooled("avg-pool", x, &pool)
    }

    fn adaptive_avg_pool(&self, [c, ..]: [usize; 3], size: usize) -> [usize; 3] {
        self.step(String::new(), format!("avg-pool to {size}x{size}"), &[c, size, size], 0, 0);
        [c, size, size]
    }

    fn concat(&self, images: Vec<[usize; 3]>) -> [usize; 3] {
        let [_, h, w] = images[0];
        assert!(images.iter().all(|image| image[1..] == [h, w]), "images of one size: {images:?}");
        let x = [images.iter().map(|image| image[0]).sum(), h, w];
        self.step(String::new(), "concat".to_owned(), &x, 0, 0);
        x
    }

    fn flatten(&self, x: [usize; 3]) -> usize {
        let features = x.iter().product();
        self.step(String::new(), "flatten".to_owned(), &[features], 0, 0);
        features
    }

    fn linear(&self, x: usize, linear: &Linear<B>, relu: bool) -> usize {
        let shape = linear.weight.lazy_shape();
        assert_eq!(shape[0], x, "the features that the layer takes");
        let (to, bias) = (shape[1], if linear.bias.is_some() { shape[1] } else { 0 });
        self.step(self.layer(linear.weight.id), "linear".to_owned(), &[to], x * to + bias, x * to);
        if relu {
            self.relu(&[to]);
        }
        to
    }

    fn dropout(&self, x: usize, _: f64) -> usize {
        x
    }
}
