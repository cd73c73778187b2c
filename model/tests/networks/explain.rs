//! Explanations against PyTorch's, and the graph that they walk.
//!
//! `golden/explain.py` made `golden/explain.json`.

use std::collections::HashSet;
use std::path::Path;

use kiln_backend::Reference;
use kiln_data::Preprocess;
use kiln_model::explain::{ExplainError, HeatMap, Occluder};
use kiln_model::weights::{self, Config, Description, FORMAT, Provenance, Weights};
use kiln_model::{Architecture, InferenceNetwork};
use serde_json::Value;

use crate::{golden, zoo};

fn table() -> Value {
    serde_json::from_str(include_str!("../golden/explain.json")).unwrap()
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32).collect()
}

/// An architecture with the golden weights for images of this size, and the golden pixels.
fn network(name: &str, side: usize) -> (InferenceNetwork<Reference>, Vec<u8>) {
    let architecture: Architecture = name.parse().unwrap();
    let network = match architecture {
        Architecture::LectureCnn => golden::network::<Reference>(architecture, &Default::default()),
        _ => zoo::network::<Reference>(architecture, false, &Default::default()),
    };
    let preprocess = Preprocess { height: side, width: side, ..architecture.preprocess() };
    let description = Description {
        architecture: name.to_owned(),
        classes: (0..zoo::CLASSES).map(|class| class.to_string()).collect(),
        config: Config { classes: zoo::CLASSES },
        format: FORMAT,
        preprocess,
        temperature: None,
        training: Provenance::default(),
    };
    let bytes = weights::to_bytes(&network, &description).unwrap();
    let weights = Weights::from_bytes(&bytes, Path::new("golden")).unwrap();
    let channels = architecture.input()[0];
    let pixels = zoo::mixed("pixels", channels * side * side).map(|value| (256. * value) as u8).collect();
    (InferenceNetwork::new(weights, Default::default()).unwrap(), pixels)
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold(0., |most, (a, b)| most.max((a - b).abs()))
}

#[test]
fn grad_cam_is_pytorchs() {
    for row in table()["cams"].as_array().unwrap() {
        let name = row["architecture"].as_str().unwrap();
        let (network, pixels) = network(name, number(&row["side"]));
        let given = row["given"].as_u64().map(|class| class as usize);
        let HeatMap { layer, class, height, width, values } =
            network.grad_cam(&pixels, row["layer"].as_str(), given).unwrap();
        assert_eq!([class, height, width], ["class", "height", "width"].map(|key| number(&row[key])), "{row}");
        let expected = numbers(&row["values"]);
        let difference = difference(&values, &expected);
        println!("{name} {layer}: {difference:.1e}");
        assert!(difference < 1e-4, "{name} {layer}: {difference:.1e}\n{values:?}\n{expected:?}");
        assert!(
            expected.iter().any(|value| (0.01..0.99).contains(value)) || expected.len() < 5,
            "{row} shows something"
        );
    }
}

#[test]
fn feature_maps_are_pytorchs() {
    let (network, pixels) = network("resnet18", 128);
    let maps = network.feature_maps(&pixels).unwrap();
    // 20 convolutions and a pooling; the mean over all at the end is none.
    assert_eq!(maps.len(), 21);
    for row in table()["feature_maps"].as_array().unwrap() {
        let maps = maps.iter().find(|maps| maps.layer == row["layer"].as_str().unwrap());
        let maps = maps.unwrap_or_else(|| panic!("no maps {row}"));
        assert_eq!(maps.shape.map(|side| side as f32).to_vec(), numbers(&row["shape"]), "{row}");
        assert_eq!(maps.values.len(), maps.shape.iter().product::<usize>());
        let squares: f64 = maps.values.iter().map(|&value| f64::from(value).powi(2)).sum();
        let expected = row["squares"].as_f64().unwrap();
        assert!((squares / expected - 1.).abs() < 1e-5, "{row}: {squares}");
        let sum: f64 = maps.values.iter().map(|&value| f64::from(value)).sum();
        assert!((sum - row["sum"].as_f64().unwrap()).abs() < 1e-5 * expected, "{row}: {sum}");
    }
}

#[test]
fn occlusion_is_pytorchs() {
    let row = &table()["occlusion"];
    let (network, pixels) = network("lecture-cnn", 28);
    let occluder = Occluder { side: number(&row["side"]), stride: number(&row["stride"]) };
    let map = network.occlusion(&pixels, occluder, None).unwrap();
    assert_eq!(map.class, number(&row["class"]));
    assert_eq!([map.height, map.width], [12, 12]);
    assert!(difference(&map.values, &numbers(&row["values"])) < 1e-6);
}

#[test]
fn what_cannot_be_explained_is_said() {
    let (network, pixels) = network("lecture-cnn", 28);
    let error = network.grad_cam(&pixels, Some("conv3"), None).unwrap_err();
    let expected = "no layer `conv3` that gives images; there are conv1, conv1/max_pool, conv1/relu, conv2, \
                    conv2/max_pool, conv2/relu";
    assert_eq!(error.to_string(), expected);
    assert!(matches!(network.grad_cam(&pixels, Some("fc"), None), Err(ExplainError::Layer { .. })));
    assert!(matches!(network.grad_cam(&pixels, Some("input"), None), Err(ExplainError::Layer { .. })));
    assert_eq!(network.grad_cam(&pixels, None, Some(10)), Err(ExplainError::Class { class: 10, classes: 10 }));
    assert!(matches!(network.grad_cam(&pixels[1..], None, None), Err(ExplainError::Pixels(_))));
    assert!(matches!(network.feature_maps(&pixels.repeat(2)), Err(ExplainError::Pixels(_))));
    let still = Occluder { side: 4, stride: 0 };
    assert_eq!(network.occlusion(&pixels, still, None), Err(ExplainError::Occluder(still)));
}

#[test]
fn a_network_without_convolutions_has_no_place_to_look_at() {
    let architecture = Architecture::Mlp;
    let graph = architecture.graph(&architecture.sizes(10), architecture.input());
    assert_eq!(graph.last_convolution(), None);
    assert!(graph.stages().is_empty());
}

/// Every node has its own name, and takes the results of earlier ones; layers are found by name.
#[test]
fn graphs_are_in_order_and_named() {
    for architecture in Architecture::all() {
        let graph = architecture.graph(&architecture.sizes(10), architecture.input());
        let names: HashSet<_> = graph.nodes().iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names.len(), graph.nodes().len(), "{architecture}");
        for (id, node) in graph.iter().skip(1) {
            assert!(!node.inputs.is_empty() && node.inputs.iter().all(|&input| input < id), "{architecture} {node:?}");
            assert_eq!(graph.layer(&node.name), Some(id));
        }
        // All but the last are used.
        let unused = graph.iter().filter(|&(id, _)| graph.users(id).next().is_none()).count();
        assert_eq!(unused, 1, "{architecture}");
    }
    let graph = Architecture::ResNet(50).graph(&Architecture::ResNet(50).sizes(10), [3, 224, 224]);
    let name = |layer: &str| graph.layer(layer).map(|id| graph.node(id).name.clone());
    assert_eq!(name("layer4").as_deref(), Some("layer4.2.bn3/relu"));
    assert_eq!(name("layer1.0.downsample").as_deref(), Some("layer1.0.downsample.1"));
    assert_eq!(name("layer"), None);
    assert_eq!(graph.last_convolution(), graph.layer("layer4"));
}

/// At once, or one after the other.
#[test]
fn all_stages_at_once_have_the_maps_and_the_heat_of_each_alone() {
    let (network, pixels) = network("resnet18", 128);
    let (all, heats): (Vec<_>, Vec<_>) = network.feature_maps_with_cams(&pixels, Some(3)).unwrap().into_iter().unzip();
    assert_eq!(all, network.feature_maps(&pixels).unwrap());
    for heat in &heats {
        let alone = network.grad_cam(&pixels, Some(&heat.layer), Some(3)).unwrap();
        assert_eq!((heat.class, heat.height, heat.width), (alone.class, alone.height, alone.width));
        let difference = difference(&heat.values, &alone.values);
        assert!(difference < 1e-4, "{}: {difference:.1e}", heat.layer);
    }
}

#[test]
fn squares_reach_the_end() {
    assert_eq!(Occluder { side: 20, stride: 20 }.places(28), [0, 8]);
    assert_eq!(Occluder { side: 7, stride: 7 }.places(28), [0, 7, 14, 21]);
    assert_eq!(Occluder { side: 30, stride: 3 }.places(28), [0]);
}
