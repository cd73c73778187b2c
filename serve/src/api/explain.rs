//! `POST /v1/explain`: what a network saw in an image, layer by layer.

mod drawing;

use std::sync::Arc;
use std::time::Instant;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use infer::{AnswerOptions, Classification, Named, Prepared};
use kiln_model::explain::ExplainError;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use self::drawing::{Heat, Maps, Saw};
use super::forms::{ImageFile, ImageProblems, OneImageForm};
use super::json;
use super::prepare::prepare;
use crate::limits::Deadline;
use crate::models::{Loaded, Stage};
use crate::problem::Problem;
use crate::routes::App;
use crate::upload::Upload;

/// How many classes the answer names.
const NAMED: usize = 10;

/// What a request may say behind its question mark.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExplainQuery {
    /// The model's name; without it, the first model.
    #[serde(default)]
    model: Option<String>,
    /// The layer to show; without it, all of them.
    #[serde(default)]
    layer: Option<String>,
    /// The class that Grad-CAM explains, by name or index; without it, the likeliest one.
    #[serde(default)]
    class: Option<String>,
}

/// What a network saw in an image.
#[derive(Serialize, ToSchema)]
pub struct Explanation {
    /// The form of this object: `kiln.explanation/1`.
    schema: &'static str,
    /// The model's name.
    model: String,
    /// What the network says about the image.
    result: Classification,
    /// The class that is explained.
    class: Named,
    /// What the preprocessing made of the image.
    saw: Saw,
    /// The convolutions and pools in order.
    layers: Vec<LayerExplanation>,
}

/// What a layer made of an image.
#[derive(Serialize, ToSchema)]
pub struct LayerExplanation {
    /// Its name.
    name: String,
    /// What it is, such as `conv`.
    kind: &'static str,
    /// Shape of its result, `[C, H, W]`.
    shape: [usize; 3],
    /// Its feature maps, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    maps: Option<Maps>,
    /// Where it holds what speaks for the class (Grad-CAM), if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    cam: Option<Heat>,
}

/// Shows what a network saw in an image, and where its layers looked.
///
/// The body is an image, or a form with one.
#[utoipa::path(
    post, path = "/v1/explain", tag = "inference", params(ExplainQuery),
    request_body(description = "An image, or a form with one", content(
        (ImageFile = "application/octet-stream"), (ImageFile = "image/*"), (OneImageForm = "multipart/form-data"),
    )),
    responses(
        (status = 200, description = "What the network saw", body = Explanation),
        ImageProblems,
    ),
)]
pub async fn explain(
    State(app): State<Arc<App>>,
    query: Result<Query<ExplainQuery>, QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let deadline = Deadline::of(&app.limits);
    let Query(query) = query.map_err(Problem::query)?;
    let model = app.models.find(query.model.as_deref())?;
    app.has_room(model)?;
    let mut uploads = Upload::read(request, &app.limits, &app.memory, deadline).await?;
    let found = uploads.len();
    let (Some(upload), 1) = (uploads.pop(), found) else {
        return Err(Problem::TooManyImages { found, limit: 1 });
    };
    let _granted = upload.keep(vec![app.admit(model, 1)?, app.explainer.admit()?]);
    let loaded = model.current();
    let class = query.class.as_deref().map(|class| index(class, &loaded)).transpose()?;
    let (name, pixels) = (model.name().to_owned(), app.limits.pixels);
    let explained = app.explainer.explain(move || {
        let image = prepare(&loaded, &upload, pixels).map_err(|error| Problem::Image { error })?;
        rayon::scope(|_| Explanation::of(name, &loaded, &image, class, &query, deadline))
    });
    Ok(json(&deadline.for_answer(explained).await?).into_response())
}

/// The index of a class that a request names.
fn index(class: &str, model: &Loaded) -> Result<usize, Problem> {
    model.classifier.class(class).ok_or_else(|| Problem::UnknownClass {
        name: class.chars().take(100).collect(),
        classes: model.classifier.classes().len(),
    })
}

impl Explanation {
    fn of(
        model: String,
        loaded: &Loaded,
        image: &Prepared,
        class: Option<usize>,
        query: &ExplainQuery,
        deadline: Deadline,
    ) -> Result<Self, Problem> {
        let (classifier, pixels) = (&loaded.classifier, &image.fitted.pixels);
        let start = Instant::now();
        let logits = classifier.logits_of_pixels(pixels).map_err(Problem::explain)?;
        let forward = start.elapsed();
        let options = AnswerOptions { topk: logits.len(), logits: false, reject_below: None };
        let all = Classification::new(image, logits.clone(), &[], classifier, options, forward);
        let class = class.unwrap_or(all.predictions[0].class);
        let named = all.predictions.iter().find(|named| named.class == class).cloned();
        let class = named.unwrap_or_else(|| unreachable!("all classes are named"));
        let mut result = all;
        result.predictions.truncate(NAMED);
        let layers = layers(loaded, pixels, query, class.class, deadline)?;
        Ok(Self {
            schema: "kiln.explanation/1",
            model,
            result,
            class,
            saw: Saw::of(classifier.preprocess(), pixels),
            layers,
        })
    }
}

fn layers(
    loaded: &Loaded,
    pixels: &[u8],
    query: &ExplainQuery,
    class: usize,
    deadline: Deadline,
) -> Result<Vec<LayerExplanation>, Problem> {
    let graph = loaded.classifier.graph();
    let named = query.layer.as_ref().map(|layer| graph.stages_of(layer));
    let named = named.map(|stages| stages.into_iter().map(|stage| &graph.node(stage.first).name).collect::<Vec<_>>());
    let asked = |stage: &Stage| named.as_ref().is_none_or(|named| named.contains(&&stage.name));
    if let (Some(layer), false) = (&query.layer, loaded.stages.iter().any(asked)) {
        let layers = loaded.stages.iter().map(|stage| stage.name.clone()).collect();
        return Err(Problem::explain(ExplainError::Layer { layer: layer.clone(), layers }.into()));
    }
    deadline.check()?;
    let seen = loaded.classifier.feature_maps_with_cams(pixels, Some(class)).map_err(Problem::explain)?;
    let explained = loaded.stages.iter().zip(&seen).map(|(stage, (maps, heat))| {
        let (maps, cam) = if asked(stage) { (Some(Maps::of(maps)), Some(Heat::of(heat))) } else { (None, None) };
        LayerExplanation { name: stage.name.clone(), kind: stage.kind, shape: stage.shape, maps, cam }
    });
    Ok(explained.collect())
}
