//! The registry of architectures, as a table, and one of them layer by layer.

use kiln_model::{Architecture, LayerSummary, Summary};
use serde_json::{Value, json};

/// The classes that are assumed: as many as MNIST and its relatives have.
const CLASSES: usize = 10;

/// Every architecture, one a row.
pub fn table() -> String {
    let mut rows = vec![["name", "about", "parameters", "multiply-adds", "input"].map(str::to_owned)];
    for architecture in Architecture::ALL {
        let summary = architecture.summary(CLASSES);
        rows.push([
            architecture.name().to_owned(),
            architecture.about().to_owned(),
            summary.parameters().to_string(),
            summary.multiply_adds().to_string(),
            summary.input.map(|side| side.to_string()).join("x"),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [name, about, parameters, work, input] = std::array::from_fn(width);
    let line = |row: &[String; 5]| {
        let [a, b, c, d, e] = row;
        format!("{a:<name$}  {b:<about$}  {c:>parameters$}  {d:>work$}  {e:>input$}\n")
    };
    rows.iter().map(line).collect()
}

/// One architecture's layers.
pub fn layers(architecture: Architecture) -> String {
    format!("{}\n", architecture.summary(CLASSES))
}

/// The same as JSON: every architecture, or one with its layers.
pub fn to_json(only: Option<Architecture>) -> String {
    let models = match only {
        None => Architecture::ALL.into_iter().map(|architecture| model(architecture, false)).collect(),
        Some(architecture) => vec![model(architecture, true)],
    };
    format!("{:#}\n", json!({ "schema": "kiln.models/1", "models": Value::Array(models) }))
}

fn model(architecture: Architecture, with_layers: bool) -> Value {
    let summary = architecture.summary(CLASSES);
    let mut model = json!({
        "name": architecture.name(),
        "about": architecture.about(),
        "classes": CLASSES,
        "input": summary.input,
        "parameters": summary.parameters(),
        "multiply_adds": summary.multiply_adds(),
    });
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
