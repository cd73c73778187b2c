//! A network compiled for the CPU: what its graph says, with as little memory traffic as possible.
//!
//! ```text
//! graph   conv - norm - add - relu - concat - ...
//! draft   what is computed together: convolution, normalisation, residual and ReLU are one step             (draft)
//! layout  where each result lies: parts of a concatenation side by side, memory shared by what is not needed
//!         at the same time                                                                                 (layout)
//! steps   kernels with packed weights, one after the other, on one memory
//! ```
//!
//! Channels come last in all of it, so nothing is turned between two steps. The weights can be read back, for whoever wants the
//! network as tensors after all.

mod draft;
mod layout;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use kiln_backend::Pool;
use kiln_kernels::Conv2d;
use kiln_kernels::channels_last::{self, Conv, Place};

use crate::graph::{Graph, Operation};
use crate::parameters::NamedTensor;
use draft::{Draft, Kind};
use layout::{Layout, Slot};

/// Images go through together as long as their memory stays below this, in bytes.
const MOST_MEMORY: usize = 256 << 20;

/// Numbers of a cache line, at which every tensor begins.
const LINE: usize = 16;

/// A compiled network.
#[derive(Debug)]
pub(crate) struct Plan {
    input: [usize; 3],
    classes: usize,
    steps: Vec<Step>,
    layout: Layout,
    /// Where the images and the logits lie.
    ends: [Slot; 2],
    /// Weights that no convolution keeps.
    rest: Vec<NamedTensor>,
    /// Memories of earlier runs.
    memories: Mutex<Vec<Vec<f32>>>,
}

#[derive(Debug)]
struct Step {
    action: Action,
    x: Slot,
    out: Slot,
}

#[derive(Debug)]
enum Action {
    Conv {
        conv: Box<Conv>,
        residual: Option<Slot>,
        name: String,
        shape: Vec<usize>,
    },
    /// With the number of pixels.
    Affine {
        scale: Vec<f32>,
        shift: Vec<f32>,
        relu: bool,
        pixels: usize,
    },
    MaxPool([usize; 3], Pool),
    AvgPool([usize; 3], Pool),
    AdaptiveAvgPool([usize; 3], usize),
}

/// The weights by name, which are taken out one by one.
struct Tensors(HashMap<String, NamedTensor>);

impl Tensors {
    fn values(&self, name: &str) -> &[f32] {
        &self.0[name].values
    }

    fn take(&mut self, name: &str) -> NamedTensor {
        self.0.remove(name).unwrap_or_else(|| unreachable!("`{name}` belongs to one layer"))
    }
}

/// Outputs of a convolution that fill enough of a vector.
const WIDE: usize = 24;

impl Plan {
    /// Whether a network is faster compiled: not if all its convolutions are narrow. Those have kernels of their own, with one
    /// image per lane.
    pub(crate) fn pays(graph: &Graph) -> bool {
        let outputs = graph.nodes().iter().filter_map(|node| match node.operation {
            Operation::Conv { shape, .. } => Some(shape[0]),
            _ => None,
        });
        outputs.max().is_none_or(|widest| widest >= WIDE)
    }

    /// Compiles a network with the weights that it needs; gives them back if the graph has something that no step does.
    pub(crate) fn compile(graph: &Graph, tensors: Vec<NamedTensor>) -> Result<Self, Vec<NamedTensor>> {
        let Some(drafts) = draft::of(graph) else { return Err(tensors) };
        let layout = Layout::of(graph, &drafts);
        let order: Vec<String> = tensors.iter().map(|tensor| tensor.name.clone()).collect();
        let mut tensors = Tensors(tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect());
        let mut steps = Vec::with_capacity(drafts.len());
        for draft in &drafts {
            let out = layout.slot(draft.output);
            if let Kind::Concat = draft.kind {
                let copies = layout.copies.iter().filter(|copy| copy.concat == draft.output);
                steps.extend(copies.map(|copy| {
                    let channels = copy.channels;
                    let action = Action::Affine {
                        scale: vec![1.; channels],
                        shift: vec![0.; channels],
                        relu: false,
                        pixels: copy.pixels,
                    };
                    Step { action, x: copy.from, out: copy.to }
                }));
                continue;
            }
            steps.push(Step {
                action: action(graph, draft, &layout, &mut tensors),
                x: layout.slot(draft.inputs[0]),
                out,
            });
        }
        let last = drafts.last().map_or(0, |draft| draft.output);
        let ends = [layout.slot(0), layout.slot(last)];
        let rest = order.iter().filter_map(|name| tensors.0.remove(name)).collect();
        let (input, classes) = (graph.input(), graph.classes());
        Ok(Self { input, classes, steps, layout, ends, rest, memories: Mutex::default() })
    }

    /// Shape of the images: `[C, H, W]`.
    pub(crate) fn input(&self) -> [usize; 3] {
        self.input
    }

    /// The logits `[N, classes]` of images `[N, C, H, W]`.
    pub(crate) fn run(&self, images: &[f32]) -> Vec<f32> {
        let length: usize = self.input.iter().product();
        let most = (MOST_MEMORY / (4 * self.layout.size)).max(1);
        let count = images.len() / length;
        let turns = count.div_ceil(most).max(1);
        let mut memory = self.memories.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let mut logits = Vec::with_capacity(count * self.classes);
        for turn in 0..turns {
            let images = &images[count * turn / turns * length..count * (turn + 1) / turns * length];
            // Inside the pool, where starting a step wakes nobody who is not needed.
            rayon::scope(|_| self.turn(images, &mut memory, &mut logits));
        }
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        logits
    }

    fn turn(&self, images: &[f32], memory: &mut Vec<f32>, logits: &mut Vec<f32>) {
        let [channels, height, width] = self.input;
        let count = images.len() / (channels * height * width);
        let needed = self.layout.size * count + LINE;
        if memory.len() < needed {
            // Not `resize`, which would copy the old content.
            *memory = vec![0.; needed];
        }
        let start = memory.as_ptr().align_offset(LINE * size_of::<f32>());
        let memory = &mut memory[start..];
        let place = |slot: Slot| Place { start: slot.start * count + slot.channel, stride: slot.stride };
        let [first, last] = self.ends.map(place);
        channels_last::from_channels_first(memory, images, [count, channels, height, width], first);
        for Step { action, x, out } in &self.steps {
            let (x, out) = (place(*x), place(*out));
            let batch = |[channels, height, width]: [usize; 3]| [count, channels, height, width];
            match action {
                Action::Conv { conv, residual, .. } => conv.run(count, memory, x, residual.map(place), out),
                Action::Affine { scale, shift, relu, pixels } => {
                    channels_last::affine(memory, x, out, count * pixels, [scale, shift], *relu);
                }
                Action::MaxPool(image, pool) => channels_last::max_pool(memory, x, out, batch(*image), pool),
                Action::AvgPool(image, pool) => channels_last::avg_pool(memory, x, out, batch(*image), pool),
                Action::AdaptiveAvgPool(image, size) => {
                    channels_last::adaptive_avg_pool(memory, x, out, batch(*image), *size);
                }
            }
        }
        for image in 0..count {
            logits.extend_from_slice(&memory[last.start + image * last.stride..][..self.classes]);
        }
    }

    /// The weights as they were.
    pub(crate) fn tensors(&self) -> Vec<NamedTensor> {
        let packed = self.steps.iter().filter_map(|step| match &step.action {
            Action::Conv { conv, name, shape, .. } => {
                Some(NamedTensor { name: name.clone(), shape: shape.clone(), values: conv.weight() })
            }
            _ => None,
        });
        packed.chain(self.rest.iter().cloned()).collect()
    }
}

/// The kernels of a draft, with their weights.
fn action(graph: &Graph, draft: &Draft, layout: &Layout, tensors: &mut Tensors) -> Action {
    let image = |node: usize| {
        let shape = &graph.nodes()[node].shape;
        [shape[0], shape.get(1).copied().unwrap_or(1), shape.get(2).copied().unwrap_or(1)]
    };
    let x = image(draft.inputs[0]);
    match &draft.kind {
        Kind::Conv { weight, bias, norm, prologue, geometry, relu } => {
            let shape = tensors.0[weight].shape.clone();
            let geometry = Conv2d { image: [1, x[0], x[1], x[2]], ..geometry.clone() };
            let mut conv = Conv::new(geometry, &tensors.take(weight).values);
            let bias = bias.as_ref().map(|bias| tensors.values(bias));
            conv = match norm {
                Some(norm) => {
                    let [scale, mut shift] = norm.affine(tensors);
                    if let Some(bias) = bias {
                        shift
                            .iter_mut()
                            .zip(bias)
                            .zip(&scale)
                            .for_each(|((shift, bias), scale)| *shift += bias * scale);
                    }
                    conv.with_affine(Some(&scale), Some(&shift))
                }
                None => conv.with_affine(None, bias),
            };
            if *relu {
                conv = conv.with_relu();
            }
            if let Some(norm) = prologue {
                conv = conv.with_prologue(norm.affine(tensors));
            }
            let residual = draft.inputs.get(1).map(|&residual| layout.slot(residual));
            Action::Conv { conv: Box::new(conv), residual, name: weight.clone(), shape }
        }
        Kind::Norm { norm, relu } => {
            let [scale, shift] = norm.affine(tensors);
            Action::Affine { scale, shift, relu: *relu, pixels: x[1] * x[2] }
        }
        Kind::MaxPool(pool) => Action::MaxPool(x, pool.clone()),
        Kind::AvgPool(pool) => Action::AvgPool(x, pool.clone()),
        Kind::AdaptiveAvgPool(size) => Action::AdaptiveAvgPool(x, *size),
        Kind::Concat => unreachable!("a concatenation is a matter of the layout"),
    }
}

/// A normalisation, by the names of its weights.
#[derive(Clone, Debug)]
struct Norm {
    weight: String,
    bias: String,
    mean: String,
    variance: String,
    epsilon: f64,
}

impl Norm {
    /// Scale and shift of each channel that do the same.
    fn affine(&self, tensors: &Tensors) -> [Vec<f32>; 2] {
        let [weight, bias, mean, variance] =
            [&self.weight, &self.bias, &self.mean, &self.variance].map(|name| tensors.values(name));
        let scale = weight
            .iter()
            .zip(variance)
            .map(|(weight, variance)| weight * (1. / (variance + self.epsilon as f32).sqrt()));
        let scale: Vec<f32> = scale.collect();
        let shift = bias.iter().zip(mean).zip(&scale).map(|((bias, mean), scale)| bias - mean * scale).collect();
        [scale, shift]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Distribution, Tensor};
    use kiln_backend::{NdArray, relative_difference};

    use super::*;
    use crate::network::Network;
    use crate::parameters::{load_state_dict, state_dict};
    use crate::registry::Architecture;

    /// A network of each kind; the others differ from them in depth and width.
    const KINDS: [&str; 9] = [
        "lecture-cnn",
        "mlp",
        "resnet8",
        "vgg11_bn",
        "resnet18",
        "resnet50",
        "googlenet",
        "inception_v3",
        "densenet121",
    ];

    #[test]
    fn a_plan_gives_what_the_network_gives() {
        check(KINDS.map(|name| name.parse().unwrap()));
    }

    #[test]
    #[ignore = "some minutes"]
    fn a_plan_gives_what_every_network_gives() {
        check(Architecture::all());
    }

    /// The network with weights that a mistake would show in: numbers keep their size from layer to layer, and each
    /// normalisation has its own mean, variance, scale and shift.
    fn lively(network: Network<NdArray>) -> Network<NdArray> {
        let mut tensors = state_dict(&network);
        for (index, tensor) in tensors.iter_mut().enumerate() {
            let number = |at: usize| ((at * 7919 + index * 104_729) % 1009) as f32 / 1009.;
            let values = tensor.values.iter_mut().enumerate();
            match tensor.shape[..] {
                [_, ref fan_in @ ..] if !fan_in.is_empty() => {
                    let limit = (6. / fan_in.iter().product::<usize>() as f32).sqrt();
                    values.for_each(|(at, value)| *value = limit * (2. * number(at) - 1.));
                }
                _ if tensor.name.ends_with("running_var") || tensor.name.ends_with("weight") => {
                    values.for_each(|(at, value)| *value = 0.5 + number(at));
                }
                _ => values.for_each(|(at, value)| *value = 0.2 * (number(at) - 0.5)),
            }
        }
        load_state_dict(network, tensors).unwrap()
    }

    /// Compiled, or operation by operation: the same numbers; and the weights come back as they were.
    fn check(architectures: impl IntoIterator<Item = Architecture>) {
        for architecture in architectures {
            let device = Default::default();
            let sizes = architecture.sizes(7);
            let network = lively(architecture.seeded::<NdArray>(&sizes, 3, &device));
            let side = architecture.smallest_side().max(28);
            let shape = [architecture.input()[0], side, side];
            let graph = Graph::of(&network, shape);
            let weights = state_dict(&network);
            let plan =
                Plan::compile(&graph, weights.clone()).unwrap_or_else(|_| panic!("{architecture} cannot be compiled"));
            let by_name = |tensors: Vec<NamedTensor>| -> HashMap<String, NamedTensor> {
                tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect()
            };
            assert!(by_name(plan.tensors()) == by_name(weights), "{architecture}: other weights");
            let images = Tensor::<NdArray, 4>::random([2, shape[0], side, side], Distribution::Default, &device);
            let expected = network.forward(images.clone()).into_data();
            let images = images.into_data().into_vec::<f32>().unwrap();
            let logits = burn::tensor::TensorData::new(plan.run(&images), expected.shape.clone());
            let difference = relative_difference(&logits, &expected);
            println!("{architecture}: {difference:.1e}");
            assert!(difference < 1e-5, "{architecture}: {difference:.1e}");
            let (one, other) = logits.as_slice::<f32>().unwrap().split_at(7);
            assert!(
                one.iter().zip(other).all(|(one, other)| one != other),
                "{architecture}: images make no difference"
            );
            let alone = plan.run(&images[..images.len() / 2]);
            assert_eq!(
                alone,
                logits.as_slice::<f32>().unwrap()[..alone.len()],
                "{architecture}: alone, beside another"
            );
        }
    }
}
