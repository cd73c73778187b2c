//! Uploads become pixels on blocking threads, as many at a time as there are processors.

use std::sync::Arc;

use infer::inputs::Source;
use infer::{Prepared, prepare_bytes};
use kiln_data::picture::DecodeError;
use tokio::task::spawn_blocking;
use tracing::error;

use crate::models::Loaded;
use crate::problem::Problem;
use crate::routes::App;
use crate::upload::Upload;

/// Decodes and fits an image for a model. Who stops waiting before it is its turn costs nothing.
///
/// # Errors
/// The outer one if the server fails, the inner one if the image is none.
pub async fn prepare(app: &App, model: Arc<Loaded>, upload: Upload) -> Result<Result<Prepared, DecodeError>, Problem> {
    let turn = Arc::clone(&app.decoders).acquire_owned().await;
    let pixels = app.limits.pixels;
    let decoded = spawn_blocking(move || {
        let _turn = turn;
        let source = Source::File(upload.name.into());
        prepare_bytes(source, &upload.bytes, model.classifier.preprocess(), pixels)
    });
    decoded.await.map_err(|failed| {
        error!("decoding failed: {failed}");
        Problem::Internal
    })
}
