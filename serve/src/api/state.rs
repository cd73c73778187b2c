//! What operators ask.

use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use utoipa::OpenApi;

use super::json;
use crate::metrics::CONTENT_TYPE;
use crate::openapi::Description;
use crate::routes::App;

/// Whether the server takes requests.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses(
    (status = 200, description = "It takes requests", content_type = "application/json", example = json!({"status": "ok"})),
    (status = 503, description = "It is shutting down", content_type = "application/json", example = json!({"status": "stopping"})),
))]
pub async fn health(State(app): State<Arc<App>>) -> Response {
    if app.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, json::json(&json!({ "status": "stopping" }))).into_response();
    }
    json::json(&json!({ "status": "ok" })).into_response()
}

/// Counts and durations for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operation", responses(
    (status = 200, description = "OpenMetrics text", content_type = "application/openmetrics-text", body = String),
))]
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], app.metrics_text()).into_response()
}

/// This description.
pub async fn openapi() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        Description::openapi().to_pretty_json().unwrap_or_else(|error| unreachable!("keys are strings: {error}"))
    });
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}
