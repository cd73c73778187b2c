//! What requests with images send, for the description.
#![expect(dead_code, reason = "only described")]

use utoipa::ToSchema;

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
