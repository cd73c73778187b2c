//! Kiln's networks as ONNX, for runtimes such as ONNX Runtime, OpenVINO and TensorRT.
//!
//! ```text
//! Weights -> Graph (kiln-model's record of what the network does) -> operators of ONNX's opset 17 -> bytes
//! ```
//!
//! A file takes `images` `[batch, C, H, W]`, float32, normalised; or, [with preprocessing](Options::with_preprocess), `pixels`
//! of the same shape, uint8, as [`Preprocess::pixels`](kiln_data::Preprocess::pixels) gives them. It gives `logits`
//! `[batch, classes]`. Tensors have PyTorch's names, nodes those of the graph. The metadata has, each as JSON, `architecture`,
//! `classes`, `preprocess`, `training` and, where there is one, `temperature` of Kiln's weights files.

mod lower;
pub mod schema;

use kiln_model::NamedTensor;
use kiln_model::weights::{Description, Weights, WeightsError};
use prost::Message;
use prost::bytes::Bytes;
use serde::Serialize;

use lower::Lowering;
use schema::{Dimension, Extent, FLOAT, IR_VERSION, Model, OperatorSet, Shape, StringEntry, Tensor, Type, UINT8};
use schema::{TensorType, ValueInfo};

/// The version of ONNX's operators that files use.
pub const OPSET: i64 = 17;

/// What goes into the file besides the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether the file takes pixels and normalises them itself.
    pub with_preprocess: bool,
}

/// The bytes of a file; the same weights give the same bytes.
///
/// # Errors
/// If the tensors are not those of the architecture.
pub fn to_bytes(weights: Weights, options: Options) -> Result<Vec<u8>, WeightsError> {
    Ok(model(weights, options)?.encode_to_vec())
}

/// The same as a message.
///
/// # Errors
/// As [`to_bytes`].
pub fn model(weights: Weights, options: Options) -> Result<Model, WeightsError> {
    let graph = weights.graph();
    let description = weights.description().clone();
    let name = weights.architecture().name().to_owned();
    let mut lowering = Lowering::default();
    let (input, element) = match options.with_preprocess {
        true => (lowering.normalise("pixels", &description.preprocess), ("pixels", UINT8)),
        false => ("images".to_owned(), ("images", FLOAT)),
    };
    lowering.graph(&graph, &input, LOGITS);
    let mut initializer: Vec<Tensor> = weights.into_tensors()?.into_iter().map(tensor).collect();
    initializer.append(&mut lowering.constants);
    let [channels, height, width] = graph.input();
    Ok(Model {
        ir_version: IR_VERSION,
        producer_name: "kiln".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(schema::Graph {
            node: lowering.nodes,
            name,
            initializer,
            input: vec![batch(element.0, element.1, &[channels, height, width])],
            output: vec![batch(LOGITS, FLOAT, &[graph.classes()])],
        }),
        opset_import: vec![OperatorSet { domain: String::new(), version: OPSET }],
        metadata_props: metadata(&description),
    })
}

const LOGITS: &str = "logits";

fn metadata(description: &Description) -> Vec<StringEntry> {
    fn entry(key: &str, value: &impl Serialize) -> StringEntry {
        let value =
            serde_json::to_string(value).unwrap_or_else(|error| unreachable!("it is in weights files: {error}"));
        StringEntry { key: key.to_owned(), value }
    }
    let mut entries = vec![
        entry("architecture", &description.architecture),
        entry("classes", &description.classes),
        entry("preprocess", &description.preprocess),
        entry("training", &description.training),
    ];
    entries.extend(description.temperature.map(|temperature| entry("temperature", &temperature)));
    entries
}

/// A value whose first dimension is the batch's.
fn batch(name: &str, elem_type: i32, shape: &[usize]) -> ValueInfo {
    let named = Extent::Named("batch".to_owned());
    let extents = std::iter::once(named).chain(shape.iter().map(|&side| Extent::Value(side as i64)));
    let dim = extents.map(|extent| Dimension { value: Some(extent) }).collect();
    let tensor_type = Some(TensorType { elem_type, shape: Some(Shape { dim }) });
    ValueInfo { name: name.to_owned(), r#type: Some(Type { tensor_type }) }
}

/// A tensor without a copy of its numbers.
fn tensor(NamedTensor { name, shape, values }: NamedTensor) -> Tensor {
    struct Numbers(Vec<f32>);
    impl AsRef<[u8]> for Numbers {
        fn as_ref(&self) -> &[u8] {
            bytemuck::cast_slice(&self.0)
        }
    }
    const { assert!(cfg!(target_endian = "little"), "ONNX's numbers are little-endian, and they are not turned") };
    let dims = shape.into_iter().map(|side| side as i64).collect();
    Tensor { dims, data_type: FLOAT, name, raw_data: Bytes::from_owner(Numbers(values)) }
}
