//! What a network sees in a picture, and where it looks.
//!
//! ```text
//! feature maps   the results of convolutions and pools, a picture a channel
//! filters        the weights of the first convolution, a picture each
//! Grad-CAM       relu(sum over channels of mean gradient x feature map): where a layer holds what speaks for a class
//! occlusion      how much a class loses when a patch of the picture is covered
//! ```
//!
//! Sources: Selvaraju et al., *Grad-CAM*, 2017, section 3; Zeiler and Fergus, *Visualizing and Understanding Convolutional
//! Networks*, 2014, section 4.2.

use std::collections::HashMap;

use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};
use kiln_backend::{Backend, Training};

use crate::graph::{Graph, Interpreter, NodeId, Operation, Stage, Value};
use crate::inference::{BatchShapeError, InferenceNetwork};
use crate::metrics::softmax;
use crate::parameters::tensors;

/// What a layer makes of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureMaps {
    /// The layer, by its node's [name](crate::graph::Node::name).
    pub layer: String,
    /// What made them, such as `conv` or `max_pool`.
    pub kind: &'static str,
    /// `[C, H, W]`.
    pub shape: [usize; 3],
    /// The numbers, row by row, channel by channel.
    pub values: Vec<f32>,
}

impl FeatureMaps {
    fn of(graph: &Graph, stage: &Stage, values: Vec<f32>) -> Self {
        let (first, shape) = (graph.node(stage.first), &graph.node(stage.last).shape);
        let (layer, kind) = (first.name.clone(), first.operation.name());
        Self { layer, kind, shape: [shape[0], shape[1], shape[2]], values }
    }
}

/// The weights of a convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Filters {
    /// The layer's name.
    pub layer: String,
    /// `[out, in / groups, kh, kw]`.
    pub shape: [usize; 4],
    /// The numbers, row by row.
    pub values: Vec<f32>,
}

/// How much each place of a picture matters to a class.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    /// The layer that was looked at; empty where it was the whole network.
    pub layer: String,
    /// The class that is explained.
    pub class: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// One number a place, row by row. Of Grad-CAM 0 to 1, the largest 1, or all 0 where nothing speaks for the class; of
    /// occlusion the probability that is lost, -1 to 1.
    pub values: Vec<f32>,
}

/// The square that covers a part of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occluder {
    /// Its side, in pixels.
    pub side: usize,
    /// How far it moves, in pixels.
    pub stride: usize,
}

impl Occluder {
    /// Where it begins along a side of this length: every `stride` pixels, and so that it ends at the end.
    pub fn places(&self, length: usize) -> Vec<usize> {
        let last = length.saturating_sub(self.side);
        let mut places: Vec<usize> = (0..=last).step_by(self.stride.max(1)).collect();
        places.extend(places.last().filter(|&&place| place < last).map(|_| last));
        places
    }
}

/// Why there is no explanation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// Grad-CAM needs feature maps.
    #[error("the network convolves nothing, so no layer holds places of the picture")]
    NoConvolution,
    /// A layer that is not there, or gives rows.
    #[error("no layer `{layer}` that gives images; there are {}", .layers.join(", "))]
    Layer {
        /// What was asked for.
        layer: String,
        /// The layers that can be asked for.
        layers: Vec<String>,
    },
    /// A class that is not there.
    #[error("class {class}: the network knows {classes} classes, from 0")]
    Class {
        /// What was asked for.
        class: usize,
        /// How many there are.
        classes: usize,
    },
    /// A square of no size, or one that does not move.
    #[error("a square of {} pixels that moves by {} covers nothing", .0.side, .0.stride)]
    Occluder(Occluder),
    /// Not the pixels of one image.
    #[error(transparent)]
    Pixels(#[from] BatchShapeError),
}

impl<B: Backend> InferenceNetwork<B> {
    /// What the network does with an image.
    pub fn graph(&self) -> Graph {
        self.architecture.graph(&self.sizes, self.shape)
    }

    /// The feature maps of each convolution and pooling, after the normalisation and ReLU that belong to it, for the pixels of
    /// one image `[C, H, W]`.
    ///
    /// # Errors
    /// If they are not the pixels of one image.
    pub fn feature_maps(&self, pixels: &[u8]) -> Result<Vec<FeatureMaps>, ExplainError> {
        let (images, shape) = self.one_image(pixels)?;
        let graph = self.graph();
        let stages = graph.stages();
        let images = Tensor::<B, 4>::from_data(TensorData::new(images, shape), &self.device);
        let mut maps = Vec::new();
        Interpreter::new(&graph, tensors(self.network())).run(images, |id, value| {
            if let (Some(stage), Value::Image(image)) = (stages.iter().find(|stage| stage.last == id), &value) {
                maps.push(FeatureMaps::of(&graph, stage, numbers(image.clone())));
            }
            value
        });
        Ok(maps)
    }

    /// The weights of the first convolution; `None` if there is none.
    pub fn filters(&self) -> Option<Filters> {
        let graph = self.graph();
        let conv = graph.nodes().iter().find_map(|node| match &node.operation {
            Operation::Conv { weight, shape, .. } => Some((node.name.clone(), weight, *shape)),
            _ => None,
        });
        let (layer, weight, shape) = conv?;
        let weight = tensors(self.network()).remove(weight)?;
        let weight: Tensor<B, 4> = Tensor::from_primitive(burn::tensor::TensorPrimitive::Float(weight));
        Some(Filters { layer, shape, values: numbers(weight) })
    }

    /// Where a layer holds what speaks for a class (Grad-CAM), for the pixels of one image `[C, H, W]`. Without a layer, the
    /// last convolution with all that belongs to it; without a class, the likeliest one.
    ///
    /// # Errors
    /// If there is no such layer or class, or they are not the pixels of one image.
    pub fn grad_cam(&self, pixels: &[u8], layer: Option<&str>, class: Option<usize>) -> Result<HeatMap, ExplainError> {
        let graph = self.graph();
        let target = target(&graph, layer)?;
        let (_, heat) = self.results_with_cams(pixels, &graph, &[target], class)?.remove(0);
        Ok(heat)
    }

    /// The [feature maps](Self::feature_maps) of every [stage](Graph::stages) with their [Grad-CAM](Self::grad_cam), in their
    /// order, from one pass forward and one back; either may differ in the last digits from what is computed alone.
    ///
    /// # Errors
    /// If there is no such class, or they are not the pixels of one image.
    pub fn feature_maps_with_cams(
        &self,
        pixels: &[u8],
        class: Option<usize>,
    ) -> Result<Vec<(FeatureMaps, HeatMap)>, ExplainError> {
        let graph = self.graph();
        let stages = graph.stages();
        let targets: Vec<NodeId> = stages.iter().map(|stage| stage.last).collect();
        let results = self.results_with_cams(pixels, &graph, &targets, class)?;
        let maps =
            stages.iter().zip(results).map(|(stage, (values, heat))| (FeatureMaps::of(&graph, stage, values), heat));
        Ok(maps.collect())
    }

    /// The results of nodes that give images, each with its Grad-CAM.
    fn results_with_cams(
        &self,
        pixels: &[u8],
        graph: &Graph,
        targets: &[NodeId],
        class: Option<usize>,
    ) -> Result<Vec<(Vec<f32>, HeatMap)>, ExplainError> {
        let (images, shape) = self.one_image(pixels)?;
        // Gradients flow back to the targets; weights and images are constants.
        let weights = tensors(self.network()).into_iter();
        let weights = weights.map(|(name, weight)| (name, Training::<B>::from_inner(weight))).collect();
        let images = Tensor::<B, 4>::from_data(TensorData::new(images, shape), &self.device);
        // What is added to a result has the result's gradient; of the result itself no leaf can be made behind another.
        let mut added: HashMap<usize, (Tensor<Training<B>, 4>, Tensor<B, 4>)> = HashMap::new();
        let values =
            Interpreter::<Training<B>>::new(graph, weights).run(Tensor::from_inner(images), |id, value| match value {
                Value::Image(image) if targets.contains(&id) => {
                    let zeros = image.zeros_like().detach().require_grad();
                    added.insert(id.index(), (zeros.clone(), image.clone().inner()));
                    Value::Image(image + zeros)
                }
                value => value,
            });
        let Some(logits) = values.last().map(Value::row) else { unreachable!("a graph ends in rows") };
        let class = self.class_or_likeliest(class, &numbers(logits.clone().inner()))?;
        let gradients = logits.slice([0..1, class..class + 1]).sum().backward();
        let heat = |&target: &NodeId| {
            let (zeros, maps) = &added[&target.index()];
            let [_, _, height, width] = maps.dims();
            let maps = numbers(maps.clone());
            let gradient = zeros.grad(&gradients).map_or_else(|| vec![0.; maps.len()], numbers);
            let values = cam(&maps, &gradient, height * width);
            (maps, HeatMap { layer: graph.node(target).name.clone(), class, height, width, values })
        };
        Ok(targets.iter().map(heat).collect())
    }

    /// How much probability a class loses when a square of the picture is covered with the mean colour, for the pixels of one
    /// image `[C, H, W]`: one number a place of the square. Without a class, the likeliest one.
    ///
    /// # Errors
    /// If there is no such class, they are not the pixels of one image, or the square covers nothing.
    pub fn occlusion(&self, pixels: &[u8], occluder: Occluder, class: Option<usize>) -> Result<HeatMap, ExplainError> {
        /// Places that go through the network together.
        const BATCH: usize = 64;
        let (image, [_, channels, rows, columns]) = self.one_image(pixels)?;
        if occluder.side == 0 || occluder.stride == 0 {
            return Err(ExplainError::Occluder(occluder));
        }
        let row = self.logits(image.clone(), [1, channels, rows, columns])?;
        let class = self.class_or_likeliest(class, &row)?;
        let whole = softmax(&row, self.temperature)[class];
        let (tops, lefts) = (occluder.places(rows), occluder.places(columns));
        let places: Vec<[usize; 2]> = tops.iter().flat_map(|&top| lefts.iter().map(move |&left| [top, left])).collect();
        let mut values = Vec::with_capacity(places.len());
        for batch in places.chunks(BATCH) {
            let images =
                batch.iter().flat_map(|&place| covered(&image, [channels, rows, columns], place, occluder.side));
            let logits = self.logits(images.collect(), [batch.len(), channels, rows, columns])?;
            values.extend(
                logits.chunks_exact(row.len()).map(|row| (whole - softmax(row, self.temperature)[class]) as f32),
            );
        }
        let (height, width) = (tops.len(), lefts.len());
        Ok(HeatMap { layer: String::new(), class, height, width, values })
    }

    fn one_image(&self, pixels: &[u8]) -> Result<(Vec<f32>, [usize; 4]), ExplainError> {
        let (images, shape) = self.normalise(pixels)?;
        match shape[0] {
            1 => Ok((images, shape)),
            _ => Err(BatchShapeError::Length { found: pixels.len(), shape: [1, shape[1], shape[2], shape[3]] }.into()),
        }
    }

    fn class_or_likeliest(&self, class: Option<usize>, logits: &[f32]) -> Result<usize, ExplainError> {
        let likeliest = || crate::metrics::top(logits, 1, self.temperature)[0].class;
        let class = class.unwrap_or_else(likeliest);
        let classes = logits.len();
        if class < classes { Ok(class) } else { Err(ExplainError::Class { class, classes }) }
    }
}

/// The layer of this name that gives images, or the last convolution.
fn target(graph: &Graph, layer: Option<&str>) -> Result<NodeId, ExplainError> {
    let Some(layer) = layer else { return graph.last_convolution().ok_or(ExplainError::NoConvolution) };
    let found = graph.layer(layer).filter(|&id| id.index() > 0 && graph.node(id).shape.len() == 3);
    found.ok_or_else(|| {
        let named = graph.nodes().iter().skip(1).filter(|node| node.shape.len() == 3);
        ExplainError::Layer { layer: layer.to_owned(), layers: named.map(|node| node.name.clone()).collect() }
    })
}

/// The mean gradient of each channel weighs its map; what speaks against the class is dropped, and the largest becomes 1.
fn cam(maps: &[f32], gradients: &[f32], plane: usize) -> Vec<f32> {
    let mut sum = vec![0f32; plane];
    for (map, gradient) in maps.chunks_exact(plane).zip(gradients.chunks_exact(plane)) {
        let weight = gradient.iter().sum::<f32>() / plane as f32;
        sum.iter_mut().zip(map).for_each(|(sum, value)| *sum += weight * value);
    }
    let largest = sum.iter().copied().fold(0f32, f32::max);
    let scale = if largest > 0. { 1. / largest } else { 0. };
    sum.iter().map(|value| value.max(0.) * scale).collect()
}

/// The normalised image `[C, H, W]` with a square of zeros, which are the mean colour.
fn covered(image: &[f32], [channels, rows, columns]: [usize; 3], [top, left]: [usize; 2], side: usize) -> Vec<f32> {
    let mut image = image.to_vec();
    for channel in 0..channels {
        for row in top..(top + side).min(rows) {
            let start = (channel * rows + row) * columns;
            image[start + left..start + (left + side).min(columns)].fill(0.);
        }
    }
    image
}

fn numbers<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    let data = tensor.into_data().convert::<f32>();
    data.into_vec::<f32>().unwrap_or_else(|error| unreachable!("converted to f32: {error:?}"))
}
