//! Pictures as PNG files: the confusion matrix, and a contact sheet of mistakes.

mod canvas;
mod heat;
mod letters;
mod sheet;

pub use heat::confusion;
pub use sheet::contact_sheet;
pub(crate) use sheet::thumbnail;
