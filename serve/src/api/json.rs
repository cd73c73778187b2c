//! Answers as JSON.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A text of JSON with its media type.
pub struct Json(Vec<u8>);

/// A value's JSON, on one line.
pub fn json(value: &impl Serialize) -> Json {
    let mut text = serde_json::to_vec(value).unwrap_or_else(|error| unreachable!("keys are strings: {error}"));
    text.push(b'\n');
    Json(text)
}

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
        (headers, self.0).into_response()
    }
}
