//! What requests with images send, and what they get where they get no answer, for the description.
#![expect(dead_code, reason = "only described")]

use utoipa::{IntoResponses, ToSchema};

use crate::problem::ProblemBody;

/// The bytes of an image.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
pub struct ImageFile(Vec<u8>);

/// A form with a file for each image.
#[derive(ToSchema)]
pub struct ImageForm {
    image: Vec<ImageFile>,
}

/// A form with a file.
#[derive(ToSchema)]
pub struct OneImageForm {
    image: ImageFile,
}

/// Why there is no answer.
#[derive(IntoResponses)]
pub enum ImageProblems {
    /// No image, a damaged form, or a query that cannot be read or names no class
    #[response(status = 400)]
    Request(ProblemBody),
    /// No model or layer of this name
    #[response(status = 404)]
    Unknown(ProblemBody),
    /// The body did not arrive in time
    #[response(status = 408)]
    Slow(ProblemBody),
    /// Too many bytes, pixels or images
    #[response(status = 413)]
    TooLarge(ProblemBody),
    /// Not an image
    #[response(status = 415)]
    NoImage(ProblemBody),
    /// A damaged image
    #[response(status = 422)]
    Damaged(ProblemBody),
    /// Too many wait
    #[response(status = 429, headers(("Retry-After" = u64, description = "Seconds")))]
    Busy(ProblemBody),
    /// The server is shutting down
    #[response(status = 503)]
    Stopping(ProblemBody),
    /// No answer in time
    #[response(status = 504)]
    Timeout(ProblemBody),
}
