//! `POST /v1/predict`: images in, `infer`'s JSON out.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use infer::inputs::InputError;
use infer::report::SCHEMA;
use infer::{Classification, Prepared};
use kiln_data::picture::DecodeError;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use utoipa::{IntoParams, ToSchema};

use super::json;
use super::prepare::prepare;
use crate::batcher::Row;
use crate::limits::Deadline;
use crate::models::{Loaded, Model};
use crate::problem::{Problem, ProblemBody};
use crate::routes::App;
use crate::upload::{Upload, Uploads};

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
        (Vec<u8> = "application/octet-stream"), (Vec<u8> = "image/*"), (ImageForm = "multipart/form-data"),
    )),
    responses(
        (status = 200, description = "What the network says", body = Answers),
        (status = 400, description = "No image, a damaged form or query", body = ProblemBody),
        (status = 404, description = "No model of this name", body = ProblemBody),
        (status = 408, description = "The body did not arrive in time", body = ProblemBody),
        (status = 413, description = "Too many bytes, pixels or images", body = ProblemBody),
        (status = 415, description = "Not an image", body = ProblemBody),
        (status = 422, description = "A damaged image", body = ProblemBody),
        (status = 429, description = "The queue is full", body = ProblemBody,
            headers(("Retry-After" = u64, description = "Seconds"))),
        (status = 503, description = "The server is shutting down", body = ProblemBody),
        (status = 504, description = "No answer in time", body = ProblemBody),
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
    let uploads = Uploads::read(request, &app.limits, &app.memory, deadline).await?;
    let _room = app.admit(model, uploads.images.len())?;
    Ok(json(&deadline.for_answer(classify(&app, model, uploads, &query)).await?).into_response())
}

/// A form with a file for each image.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
struct ImageForm {
    #[schema(content_media_type = "application/octet-stream")]
    image: Vec<Vec<u8>>,
}

/// An image on its way, or why it stopped.
type Coming = Result<(Prepared, oneshot::Receiver<Row>), InputError>;

async fn classify(app: &Arc<App>, model: &Model, uploads: Uploads, query: &PredictQuery) -> Result<Answers, Problem> {
    let loaded = model.current();
    let alone = uploads.images.len() == 1;
    let mut answers =
        Answers { schema: SCHEMA, model: model.name().to_owned(), results: Vec::new(), errors: Vec::new() };
    for coming in submit(app, model, &loaded, uploads.images, alone).await? {
        match coming {
            Ok((image, row)) => answers.results.push(answer(app, model, &loaded, image, row, query).await?),
            Err(error) => answers.errors.push(error),
        }
    }
    Ok(answers)
}

/// Prepares images next to each other and hands each to the batcher as soon as it is ready.
async fn submit(
    app: &Arc<App>,
    model: &Model,
    loaded: &Arc<Loaded>,
    uploads: Vec<Upload>,
    alone: bool,
) -> Result<Vec<Coming>, Problem> {
    let mut coming: Vec<Option<Coming>> = uploads.iter().map(|_| None).collect();
    let mut tasks = JoinSet::new();
    for (at, upload) in uploads.into_iter().enumerate() {
        let (app, loaded, announced) = (Arc::clone(app), Arc::clone(loaded), model.batcher().announce());
        let name = upload.name.clone();
        tasks.spawn(async move { (at, name, announced, prepare(&app, loaded, upload).await) });
    }
    while let Some(done) = tasks.join_next().await {
        let (at, name, announced, prepared) = done.map_err(|_| Problem::Internal)?;
        coming[at] = Some(match prepared? {
            Ok(mut image) => {
                let pixels = std::mem::take(&mut image.fitted.pixels);
                let row = model.batcher().submit(announced, Arc::clone(loaded), pixels);
                Ok((image, row))
            }
            Err(error) => Err(refuse(app, model, &name, error, alone)?),
        });
    }
    Ok(coming.into_iter().flatten().collect())
}

/// An image that is none: an error among others, or that of the request.
fn refuse(app: &App, model: &Model, name: &str, error: DecodeError, alone: bool) -> Result<InputError, Problem> {
    app.metrics.refused(model.name());
    if alone { Err(Problem::Image { error }) } else { Ok(InputError::decode(name, &error)) }
}

async fn answer(
    app: &App,
    model: &Model,
    loaded: &Loaded,
    image: Prepared,
    row: oneshot::Receiver<Row>,
    query: &PredictQuery,
) -> Result<Classification, Problem> {
    let Row { logits, forward, waited, batch } = row.await.map_err(|_| Problem::Internal)?;
    app.metrics.classified(model.name(), image.decode + image.preprocess, waited, forward, batch);
    Ok(Classification::new(&image, logits, loaded.classifier.classes(), query.topk, query.logits, forward))
}
