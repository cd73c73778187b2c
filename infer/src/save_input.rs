//! What the network saw, as PNG files.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use kiln_data::Preprocess;
use kiln_data::preprocess::Fitted;

use crate::inputs::Source;
use crate::{PredictError, Prepared};

/// Where inputs are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaveInput {
    /// The one image's input.
    File(PathBuf),
    /// A folder, in which each image's input is called like the image, with `.png` behind.
    Folder(PathBuf),
}

impl SaveInput {
    /// Writes an image's input; of several digits, one beside the other. A file that exists is an error, and stays as it is.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, image: &Prepared, preprocess: &Preprocess) -> Result<(), PredictError> {
        let path = match self {
            Self::File(path) => path.clone(),
            Self::Folder(folder) => {
                let failed = |error| PredictError::Save { path: folder.clone(), error };
                std::fs::create_dir_all(folder).map_err(failed)?;
                free(folder, &image.source)
            }
        };
        let inputs: Vec<&Fitted> = match &image.digits {
            Some(digits) if !digits.is_empty() => digits.iter().collect(),
            _ => vec![&image.fitted],
        };
        let write = || {
            let mut png = io::Cursor::new(Vec::new());
            picture(&inputs, preprocess).write_to(&mut png, ImageFormat::Png).map_err(io::Error::other)?;
            std::fs::File::create_new(&path)?.write_all(png.get_ref())
        };
        write().map_err(|error| PredictError::Save { path: path.clone(), error })
    }
}

/// A file in the folder called like the image; with a number behind if there is one of that name.
fn free(folder: &Path, source: &Source) -> PathBuf {
    let stem = match source {
        Source::File(path) | Source::InFolder(path) => {
            path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
        }
        Source::Standard => "input".to_owned(),
    };
    let mut path = folder.join(format!("{stem}.png"));
    let mut number = 2;
    while path.exists() {
        path = folder.join(format!("{stem}-{number}.png"));
        number += 1;
    }
    path
}

/// Inputs `[C, H, W]` side by side.
fn picture(inputs: &[&Fitted], preprocess: &Preprocess) -> DynamicImage {
    let &Preprocess { channels, height, width, .. } = preprocess;
    let wide = width * inputs.len();
    let mut pixels = Vec::with_capacity(channels * height * wide);
    for y in 0..height {
        for input in inputs {
            for x in 0..width {
                pixels.extend((0..channels).map(|channel| input.pixels[(channel * height + y) * width + x]));
            }
        }
    }
    let (wide, tall) = (wide as u32, height as u32);
    if channels == 1 {
        GrayImage::from_raw(wide, tall, pixels).unwrap_or_default().into()
    } else {
        RgbImage::from_raw(wide, tall, pixels).unwrap_or_default().into()
    }
}
