//! A line in the log and a count for each request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{info, warn};

use crate::linger::Lingering;
use crate::problem::Problem;
use crate::routes::App;

/// What every answer says, so that a browser does with it only what is meant.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Answers a request, unless the server is about to end, and tells of it.
pub async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let start = Instant::now();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    // A path that a client made up would be a new label in the metrics, and any text in the log.
    let path = request.extensions().get::<MatchedPath>().cloned();
    let path = path.as_ref().map_or("other", MatchedPath::as_str);
    let method = request.method().clone();
    let tells = matches!(path, "/healthz" | "/metrics");
    let request = request.map(|body| Body::new(Lingering::new(body)));
    let mut response =
        if app.is_stopping() && !tells { Problem::Stopping.into_response() } else { next.run(request).await };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let (took, status) = (start.elapsed(), response.status());
    app.metrics.answered(path, status.as_u16(), took);
    let (status, ms) = (status.as_u16(), (took.as_secs_f64() * 1e6).round() / 1e3);
    if response.status().is_server_error() {
        warn!(request = number, %method, path, status, ms, "answered");
    } else {
        info!(request = number, %method, path, status, ms, "answered");
    }
    response
}
