//! From a request's body to images in memory, within limits of size and time.

use std::sync::{Arc, OnceLock};

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{Deadline, Limits};
use crate::problem::Problem;

/// The longest name of an image that is kept, in characters.
const LONGEST_NAME: usize = 200;

/// An image that was sent.
pub struct Upload {
    /// The file's name in the form, or the part's name.
    pub name: String,
    /// The file.
    pub bytes: Bytes,
    /// What the request was granted. Whoever holds an image holds it, even if nobody waits any more.
    granted: Arc<Granted>,
}

/// What a request was granted.
pub struct Granted {
    /// For its body.
    #[expect(dead_code, reason = "held")]
    memory: Option<OwnedSemaphorePermit>,
    /// In the queue.
    places: OnceLock<Vec<OwnedSemaphorePermit>>,
}

impl Upload {
    /// Keeps places in the queue as long as there is any image of the request, or what this gives.
    pub fn keep(&self, places: Vec<OwnedSemaphorePermit>) -> Arc<Granted> {
        let _ = self.granted.places.set(places);
        Arc::clone(&self.granted)
    }

    /// The images of a request, in the order in which they were sent; at least one.
    ///
    /// Reads the body: a form with images, or else an image itself.
    ///
    /// # Errors
    /// If it is too long, too slow, damaged, or has no image, or if too many bodies are in memory.
    pub async fn read(
        request: Request,
        limits: &Limits,
        memory: &Arc<Semaphore>,
        deadline: Deadline,
    ) -> Result<Vec<Self>, Problem> {
        let is_form = is_form(request.headers());
        let (parts, body) = request.into_parts();
        let (bytes, memory) = deadline.for_body(collect(body, limits.body, memory)).await?;
        let granted = Arc::new(Granted { memory, places: OnceLock::new() });
        if is_form {
            let whole = Request::from_parts(parts, Body::from(bytes));
            form(whole, limits.images, &granted).await
        } else if bytes.is_empty() {
            Err(Problem::NoImage)
        } else {
            Ok(vec![Self { name: "image".to_owned(), bytes, granted }])
        }
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.trim_start().get(..19).is_some_and(|start| start.eq_ignore_ascii_case("multipart/form-data"))
}

/// All of a body. Memory is granted as bytes arrive, so that a promise of many blocks nobody.
async fn collect(
    mut body: Body,
    limit: usize,
    memory: &Arc<Semaphore>,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Problem> {
    let too_large = Problem::BodyTooLarge { limit };
    let promised = hyper::body::Body::size_hint(&body).exact().unwrap_or(0);
    if promised > limit as u64 {
        return Err(too_large);
    }
    let mut bytes = Vec::new();
    let mut granted: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Problem::Body(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(too_large);
        }
        // The limit of a body is far below 4 GiB.
        let more = Arc::clone(memory).try_acquire_many_owned(data.len() as u32);
        let more = more.map_err(|_| Problem::Busy { retry_after: 1 })?;
        match &mut granted {
            Some(granted) => granted.merge(more),
            None => granted = Some(more),
        }
        bytes.extend_from_slice(&data);
    }
    Ok((bytes.into(), granted))
}

/// The parts of a form that are files, or that are called like one.
async fn form(request: Request, most: usize, granted: &Arc<Granted>) -> Result<Vec<Upload>, Problem> {
    let mut request = request;
    DefaultBodyLimit::disable().apply(&mut request);
    let damaged = |error: &dyn std::error::Error| Problem::Form(error.source().unwrap_or(error).to_string());
    let mut form = Multipart::from_request(request, &()).await.map_err(|error| Problem::Form(error.body_text()))?;
    let mut images = Vec::new();
    while let Some(part) = form.next_field().await.map_err(|error| damaged(&error))? {
        let name = part.file_name().or_else(|| part.name()).unwrap_or("image");
        let name = name.chars().take(LONGEST_NAME).collect();
        let is_file = part.file_name().is_some() || matches!(part.name(), Some("image" | "images" | "file" | "files"));
        let bytes = part.bytes().await.map_err(|error| damaged(&error))?;
        if is_file {
            images.push(Upload { name, bytes, granted: Arc::clone(granted) });
        }
    }
    match images.len() {
        0 => Err(Problem::NoImage),
        found if found > most => Err(Problem::TooManyImages { found, limit: most }),
        _ => Ok(images),
    }
}
