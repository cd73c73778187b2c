//! Why a request gets no answer: a status, a code for programs and a sentence for people.

use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use infer::inputs::InputError;
use kiln_data::picture::DecodeError;
use kiln_model::explain::ExplainError;
use serde::Serialize;
use tracing::error;
use utoipa::ToSchema;

use crate::api::json;

/// Why a request gets no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// There is no such page.
    #[error("there is nothing at this address; /openapi.json lists what there is")]
    NotFound,
    /// The address takes another method.
    #[error("this address does not take this method; /openapi.json says what it takes")]
    Method,
    /// A question mark with nonsense behind.
    #[error("{0}")]
    Query(String),
    /// No model of this name.
    #[error("there is no model `{name}`; there {}: {}", if .known.len() == 1 { "is" } else { "are" }, .known.join(", "))]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// No class of this name or index.
    #[error("class: there is no `{name}`, by name or as a number below {classes}; /v1/model lists the classes")]
    UnknownClass {
        /// What was asked for.
        name: String,
        /// How many there are.
        classes: usize,
    },
    /// No layer of this name.
    #[error("{0}")]
    UnknownLayer(String),
    /// No bytes, or no part of a form with a file.
    #[error("no image: send its bytes as the body, or a form (multipart/form-data) with a part for each image")]
    NoImage,
    /// A form that cannot be taken apart.
    #[error("damaged form: {0}")]
    Form(String),
    /// The connection broke while the body was sent.
    #[error("the body ends early: {0}")]
    Body(String),
    /// Too many bytes.
    #[error("the body is too large: at most {} are accepted", bytes(*.limit))]
    BodyTooLarge {
        /// The most bytes.
        limit: usize,
    },
    /// Too many images.
    #[error("{found} images: at most {limit} are accepted at a time")]
    TooManyImages {
        /// How many were sent.
        found: usize,
        /// The most that are accepted.
        limit: usize,
    },
    /// The only image of a request cannot be decoded.
    #[error("{error}")]
    Image {
        /// The decoder's words.
        error: DecodeError,
    },
    /// The body did not come in time.
    #[error("the body did not arrive within {} s", .0.as_secs_f64())]
    SlowBody(Duration),
    /// The answer was not found in time.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The queue is full.
    #[error("the queue is full; try again in {retry_after} s")]
    Busy {
        /// Seconds after which there should be room.
        retry_after: u64,
    },
    /// The server is about to end.
    #[error("the server is shutting down")]
    Stopping,
    /// A defect of the server.
    #[error("the server failed on this request; its log says why")]
    Internal,
}

/// A number of bytes as people say it.
fn bytes(count: usize) -> String {
    if count >= 1 << 20 { format!("{} MB", count >> 20) } else { format!("{count} bytes") }
}

impl Problem {
    /// A query that cannot be read.
    pub fn query(error: QueryRejection) -> Self {
        let text = error.body_text();
        Self::Query(text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text).to_owned())
    }

    /// What cannot be explained, or fits no network.
    pub fn explain(error: kiln::Error) -> Self {
        match error {
            kiln::Error::Explain(ExplainError::Layer { .. }) => Self::UnknownLayer(error.to_string()),
            error => {
                error!("not computed: {error}");
                Self::Internal
            }
        }
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::UnknownModel { .. } | Self::UnknownLayer(_) => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Query(_) | Self::UnknownClass { .. } | Self::NoImage | Self::Form(_) | Self::Body(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::BodyTooLarge { .. } | Self::TooManyImages { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Image { error } => match error {
                DecodeError::Empty => StatusCode::BAD_REQUEST,
                DecodeError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                DecodeError::Memory { .. } => StatusCode::SERVICE_UNAVAILABLE,
                DecodeError::UnknownFormat => StatusCode::UNSUPPORTED_MEDIA_TYPE,
                DecodeError::Damaged { .. } | DecodeError::Unsupported { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            },
            Self::SlowBody(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Busy { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The name of the problem; programs may rely on it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::Method => "method",
            Self::Query(_) | Self::UnknownClass { .. } => "query",
            Self::UnknownModel { .. } => "unknown-model",
            Self::UnknownLayer(_) => "unknown-layer",
            Self::NoImage => "no-image",
            Self::Form(_) => "form",
            Self::Body(_) => "body",
            Self::BodyTooLarge { .. } => "body-too-large",
            Self::TooManyImages { .. } => "too-many-images",
            Self::Image { error: DecodeError::UnknownFormat } => "not-an-image",
            Self::Image { error } => InputError::decode("", error).code.name(),
            Self::SlowBody(_) => "slow-body",
            Self::Timeout(_) => "timeout",
            Self::Busy { .. } => "busy",
            Self::Stopping => "stopping",
            Self::Internal => "internal",
        }
    }
}

/// The body of an answer that is no answer.
#[derive(Serialize, ToSchema)]
pub struct ProblemBody {
    error: ProblemText,
}

#[derive(Serialize, ToSchema)]
struct ProblemText {
    /// The name of the problem: `no-image`, `form`, `query`, `body`, `unknown-model`, `unknown-layer`, `not-found`, `method`,
    /// `slow-body`, `body-too-large`, `too-many-images`, `too-large`, `not-an-image`, `decode`, `empty`, `busy`, `stopping`,
    /// `timeout`, `internal`.
    code: &'static str,
    /// What happened and what to do, in a sentence.
    message: String,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let text = ProblemText { code: self.code(), message: self.to_string() };
        let mut response = (self.status(), json(&ProblemBody { error: text })).into_response();
        match self {
            Self::Busy { retry_after } => {
                response.headers_mut().insert(header::RETRY_AFTER, retry_after.into());
            }
            // What is left of the body is not waited for.
            Self::SlowBody(_) | Self::BodyTooLarge { .. } | Self::Body(_) | Self::Stopping => {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}
