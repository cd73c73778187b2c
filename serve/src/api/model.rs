//! `GET /v1/model`: what is served.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use kiln_data::Preprocess;
use kiln_model::weights::Provenance;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::json;
use crate::models::Model;
use crate::problem::{Problem, ProblemBody};
use crate::routes::App;

/// What a request may say behind its question mark.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ModelQuery {
    /// Only the model of this name.
    #[serde(default)]
    model: Option<String>,
}

/// What is served.
#[derive(Serialize, ToSchema)]
pub struct ModelList {
    /// The form of this object: `kiln.serve/1`.
    schema: &'static str,
    /// The version of Kiln.
    version: &'static str,
    /// The models. The first one answers requests that name none.
    models: Vec<ModelDescription>,
    /// What a request may hold.
    limits: RequestLimits,
}

/// What a request may hold.
#[derive(Serialize, ToSchema)]
pub struct RequestLimits {
    /// The most bytes of a body.
    body_bytes: usize,
    /// The most pixels of an image.
    pixels: u64,
    /// The most images.
    images: usize,
}

/// A model.
#[derive(Serialize, ToSchema)]
pub struct ModelDescription {
    /// The name that requests give.
    name: String,
    /// The weights file, or `built-in`.
    path: String,
    /// The network.
    architecture: String,
    /// Names of the classes, by index.
    classes: Vec<String>,
    /// Shape of the network's input, `[C, H, W]`.
    input: [usize; 3],
    /// Numbers that were learnt.
    parameters: usize,
    /// Multiplications of an image.
    multiply_adds: usize,
    /// What logits are divided by before they become probabilities; 1 for weights that were not calibrated.
    temperature: f64,
    /// How images become the network's input.
    #[schema(value_type = Object)]
    preprocess: Preprocess,
    /// How the weights came about.
    #[schema(value_type = Object)]
    training: Provenance,
    /// The layers, in order.
    layers: Vec<Layer>,
}

/// A layer.
#[derive(Serialize, ToSchema)]
pub struct Layer {
    /// Its name, that of its tensors.
    name: String,
    /// What it is.
    kind: String,
    /// Shape of its output for an image.
    output: Vec<usize>,
    /// Numbers that were learnt.
    parameters: usize,
}

/// Describes the models.
#[utoipa::path(get, path = "/v1/model", tag = "inference", params(ModelQuery), responses(
    (status = 200, description = "The models", body = ModelList),
    (status = 404, description = "No model of this name", body = ProblemBody),
))]
pub async fn model(
    State(app): State<Arc<App>>,
    query: Result<Query<ModelQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(Problem::query)?;
    let models = match query.model {
        Some(name) => vec![describe(app.models.find(Some(&name))?)],
        None => app.models.iter().map(describe).collect(),
    };
    let limits = &app.limits;
    let limits = RequestLimits { body_bytes: limits.body, pixels: limits.pixels, images: limits.images };
    let list = ModelList { schema: "kiln.serve/1", version: env!("CARGO_PKG_VERSION"), models, limits };
    Ok(json(&list).into_response())
}

fn describe(model: &Model) -> ModelDescription {
    let loaded = model.current();
    let (description, summary) = (loaded.description.clone(), &loaded.summary);
    let layer = |layer: &kiln_model::LayerSummary| Layer {
        name: layer.name.clone(),
        kind: layer.kind.to_string(),
        output: layer.output.to_vec(),
        parameters: layer.parameters,
    };
    ModelDescription {
        name: model.name().to_owned(),
        path: loaded.path.clone(),
        architecture: description.architecture,
        classes: description.classes,
        input: [description.preprocess.channels, description.preprocess.height, description.preprocess.width],
        parameters: summary.parameters(),
        multiply_adds: summary.multiply_adds(),
        temperature: loaded.classifier.temperature(),
        layers: summary.layers.iter().map(layer).collect(),
        preprocess: description.preprocess,
        training: description.training,
    }
}
