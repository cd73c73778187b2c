//! The description of the addresses, for programs that write clients.

use utoipa::OpenApi;

use crate::api;

/// OpenAPI 3.1, made from the code that answers.
#[derive(OpenApi)]
#[openapi(
    info(title = "Kiln", description = "Image classification over HTTP"),
    paths(
        api::predict::predict,
        api::explain::explain,
        api::model::model,
        api::state::health,
        api::state::metrics,
    ),
    tags(
        (name = "inference", description = "Images in, classes out"),
        (name = "operation", description = "For those who run the server"),
    ),
)]
pub struct Description;
