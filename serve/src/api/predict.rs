//! `POST /v1/predict`: images in, `infer`'s JSON out.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use infer::inputs::InputError;
use infer::report::SCHEMA;
use infer::{AnswerOptions, Classification, Prepared};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::forms::{ImageFile, ImageForm, ImageProblems};
use super::json;
use super::prepare::submit;
use crate::batcher::Row;
use crate::limits::Deadline;
use crate::models::{Loaded, Model};
use crate::problem::Problem;
use crate::routes::App;
use crate::upload::Upload;

/// What a request may say behind its question mark.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PredictQuery {
    /// The model's name; without it, the first model.
    #[serde(default)]
    pub model: Option<String>,
    /// How many classes to name, best first.
    #[serde(default = "three")]
    #[param(default = 3, minimum = 1)]
    pub topk: usize,
    /// Whether to give all logits, in class order.
    #[serde(default)]
    pub logits: bool,
}

fn three() -> usize {
    3
}

/// The answer: the JSON of `infer --format json`.
#[derive(Serialize, ToSchema)]
pub struct Answers {
    /// The form of this object: `kiln.infer/1`.
    schema: &'static str,
    /// The model's name.
    model: String,
    /// Images that were classified, in the order in which they were sent.
    results: Vec<Classification>,
    /// Images that were not.
    errors: Vec<InputError>,
}

/// Classifies an image, or several.
///
/// The body is an image (PNG, JPEG, BMP, WebP or GIF; its type is recognised by content), or a form with a file for each image.
/// A form of several images is answered with 200, `results` and `errors`, where some or all of them are no images.
#[utoipa::path(
    post, path = "/v1/predict", tag = "inference", params(PredictQuery),
    request_body(description = "An image, or a form with images", content(
        (ImageFile = "application/octet-stream"), (ImageFile = "image/*"), (ImageForm = "multipart/form-data"),
    )),
    responses(
        (status = 200, description = "What the network says", body = Answers),
        ImageProblems,
    ),
)]
pub async fn predict(
    State(app): State<Arc<App>>,
    query: Result<Query<PredictQuery>, QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let deadline = Deadline::of(&app.limits);
    let Query(query) = query.map_err(Problem::query)?;
    if query.topk == 0 {
        return Err(Problem::Query("topk: expected a whole number from 1 up".to_owned()));
    }
    let model = app.models.find(query.model.as_deref())?;
    app.has_room(model)?;
    let uploads = Upload::read(request, &app.limits, &app.memory, deadline).await?;
    let _granted = uploads[0].keep(vec![app.admit(model, uploads.len())?]);
    Ok(json(&deadline.for_answer(classify(&app, model, uploads, &query)).await?).into_response())
}

async fn classify(app: &App, model: &Model, uploads: Vec<Upload>, query: &PredictQuery) -> Result<Answers, Problem> {
    let loaded = model.current();
    let alone = uploads.len() == 1;
    let mut answers =
        Answers { schema: SCHEMA, model: model.name().to_owned(), results: Vec::new(), errors: Vec::new() };
    // All are on their way before the first is waited for.
    let send = |upload: Upload| (upload.name.clone(), submit(app, model, Arc::clone(&loaded), upload));
    let coming: Vec<_> = uploads.into_iter().map(send).collect();
    for (name, outcome) in coming {
        match outcome.await.map_err(|_| Problem::Internal)? {
            Ok((image, row)) => answers.results.push(answer(app, model, &loaded, &image, row, query)),
            Err(error) => {
                app.metrics.refused(model.name());
                if alone {
                    return Err(Problem::Image { error });
                }
                answers.errors.push(InputError::decode(name, &error));
            }
        }
    }
    Ok(answers)
}

fn answer(
    app: &App,
    model: &Model,
    loaded: &Loaded,
    image: &Prepared,
    row: Row,
    query: &PredictQuery,
) -> Classification {
    let Row { logits, forward, waited, batch } = row;
    app.metrics.classified(model.name(), image.decode + image.preprocess, waited, forward, batch);
    let options = AnswerOptions { topk: query.topk, logits: query.logits, reject_below: None };
    Classification::new(image, logits, &[], &loaded.classifier, options, forward)
}
