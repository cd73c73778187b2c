//! The registry of architectures, as a table, and one of them layer by layer.

use kiln_model::{Architecture, LayerSummary, Summary};
use serde_json::{Value, json};

/// The classes that are assumed: ImageNet's where torchvision publishes weights, else as many as MNIST has.
fn classes(architecture: Architecture) -> usize {
    if architecture.pretrained().is_some() { 1000 } else { 10 }
}

/// Every architecture, one a row.
pub fn table() -> String {
    let mut rows = vec![["name", "about", "parameters", "multiply-adds", "input", "top-1"].map(str::to_owned)];
    for architecture in Architecture::all() {
        let summary = architecture.summary(classes(architecture));
        rows.push([
            architecture.name().to_owned(),
            architecture.about().to_owned(),
            summary.parameters().to_string(),
            summary.multiply_adds().to_string(),
            summary.input.map(|side| side.to_string()).join("x"),
            architecture.pretrained().map_or_else(String::new, |weights| format!("{:.3}", weights.top1)),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [name, about, parameters, work, input, top1] = std::array::from_fn(width);
    let line = |row: &[String; 6]| {
        let [a, b, c, d, e, f] = row;
        format!("{a:<name$}  {b:<about$}  {c:>parameters$}  {d:>work$}  {e:>input$}  {f:>top1$}\n")
    };
    rows.iter().map(line).collect()
}

/// One architecture's layers.
pub fn layers(architecture: Architecture) -> String {
    format!("{}\n", architecture.summary(classes(architecture)))
}

/// The same as JSON: every architecture, or one with its layers.
pub fn to_json(only: Option<Architecture>) -> String {
    let models = match only {
        None => Architecture::all().map(|architecture| model(architecture, false)).collect(),
        Some(architecture) => vec![model(architecture, true)],
    };
    format!("{:#}\n", json!({ "schema": "kiln.models/1", "models": Value::Array(models) }))
}

fn model(architecture: Architecture, with_layers: bool) -> Value {
    let summary = architecture.summary(classes(architecture));
    let mut model = json!({
        "name": architecture.name(),
        "about": architecture.about(),
        "classes": classes(architecture),
        "input": summary.input,
        "parameters": summary.parameters(),
        "multiply_adds": summary.multiply_adds(),
    });
    if let Some(weights) = architecture.pretrained() {
        model["published"] = json!({ "file": weights.file, "top1": weights.top1, "top5": weights.top5 });
    }
    if with_layers {
        model["layers"] = layers_to_json(&summary);
    }
    model
}

fn layers_to_json(summary: &Summary) -> Value {
    let layer = |layer: &LayerSummary| {
        let LayerSummary { name, kind, output, parameters, multiply_adds } = layer;
        json!({
            "name": name, "kind": kind, "output": output, "parameters": parameters, "multiply_adds": multiply_adds
        })
    };
    summary.layers.iter().map(layer).collect()
}
