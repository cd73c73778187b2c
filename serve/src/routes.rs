//! The addresses, and what all of them share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use kiln_cli::Failure;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::explainer::Explainer;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::models::{Model, Models};
use crate::observe::observe;
use crate::problem::Problem;
use crate::workers::Workers;
use crate::{api, page};

/// What requests share.
pub struct App {
    /// The models.
    pub models: Models,
    /// What is refused.
    pub limits: Limits,
    /// What is counted.
    pub metrics: Metrics,
    /// Bytes that bodies may still take.
    pub memory: Arc<Semaphore>,
    /// Who decodes.
    pub decoders: Workers,
    /// Who explains.
    pub explainer: Explainer,
    queue: Arc<Semaphore>,
    stopping: AtomicBool,
}

impl App {
    /// Nothing has been asked yet.
    ///
    /// # Errors
    /// If the system refuses threads.
    pub fn new(models: Models, limits: Limits) -> Result<Self, Failure> {
        Ok(Self {
            models,
            metrics: Metrics::new(),
            memory: Arc::new(Semaphore::new(limits.memory)),
            decoders: Workers::start("decoder", limits.decoders)?,
            explainer: Explainer::start()?,
            queue: Arc::new(Semaphore::new(limits.queue)),
            stopping: AtomicBool::new(false),
            limits,
        })
    }

    /// Room for so many images in the queue.
    ///
    /// # Errors
    /// If it is full.
    pub fn admit(&self, model: &Model, images: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let room = Arc::clone(&self.queue).try_acquire_many_owned(images as u32);
        room.map_err(|_| model.batcher().busy())
    }

    /// Whether there is room for an image, said before its body is read.
    ///
    /// # Errors
    /// If the queue is full.
    pub fn has_room(&self, model: &Model) -> Result<(), Problem> {
        if self.queue.available_permits() == 0 { Err(model.batcher().busy()) } else { Ok(()) }
    }

    /// From now on there are no answers, but for those that were begun.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether the server is about to end.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// The metrics' text, with what is measured when it is asked for.
    pub fn metrics_text(&self) -> String {
        let taken = |all: usize, left: &Semaphore| all.saturating_sub(left.available_permits()) as i64;
        self.metrics.queue.set(taken(self.limits.queue, &self.queue));
        self.metrics.bodies.set(taken(self.limits.memory, &self.memory));
        self.metrics.text()
    }
}

/// All addresses.
pub fn router(app: Arc<App>) -> Router {
    let page = page::FILES
        .iter()
        .fold(Router::new(), |router, file| router.route(file.path, get(|| async { file.response() })));
    page.route("/v1/predict", post(api::predict::predict))
        .route("/v1/explain", post(api::explain::explain))
        .route("/v1/model", get(api::model::model))
        .route("/healthz", get(api::state::health))
        .route("/metrics", get(api::state::metrics))
        .route("/openapi.json", get(api::state::openapi))
        .method_not_allowed_fallback(|| async { Problem::Method })
        .fallback(|| async { Problem::NotFound })
        .layer(from_fn_with_state(Arc::clone(&app), observe))
        .with_state(app)
}
