//! Uploads become pixels on the decoders' threads.

use std::sync::Arc;

use infer::inputs::Source;
use infer::{Prepared, prepare_bytes};
use kiln_data::picture::DecodeError;
use tokio::sync::oneshot;

use crate::batcher::Outcome;
use crate::models::{Loaded, Model};
use crate::routes::App;
use crate::upload::Upload;

/// Decodes and fits an image of at most `pixels` pixels for a model.
///
/// # Errors
/// If it is none.
pub fn prepare(model: &Loaded, upload: &Upload, pixels: u64) -> Result<Prepared, DecodeError> {
    prepare_bytes(Source::File(upload.name.as_str().into()), &upload.bytes, model.classifier.preprocess(), pixels)
}

/// Sends an image on its way: to a decoder, from there to the model's batcher, from there back. Nothing is done for who does not
/// wait any more. What waits hears nothing if the server fails.
pub fn submit(app: &App, model: &Model, loaded: Arc<Loaded>, upload: Upload) -> oneshot::Receiver<Outcome> {
    let (reply, outcome) = oneshot::channel();
    let batcher = model.batcher().clone();
    let (announced, pixels) = (batcher.announce(), app.limits.pixels);
    app.decoders.take(move || {
        if reply.is_closed() {
            return;
        }
        match prepare(&loaded, &upload, pixels) {
            Ok(image) => batcher.submit(announced, loaded, image, reply),
            // Who has gone meanwhile gets nothing.
            Err(error) => drop(reply.send(Err(error))),
        }
    });
    outcome
}
