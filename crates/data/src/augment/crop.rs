//! Random resized crop, the standard augmentation of ImageNet training (Szegedy et al., "Going Deeper with Convolutions",
//! 2014).

use serde::{Deserialize, Serialize};

use crate::picture::resample::{Filter, Span, resample};
use crate::picture::{Picture, Rect};
use crate::random::Draw;

/// A crop of random area and aspect ratio, with the parameters of torchvision's `RandomResizedCrop`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomResizedCrop {
    /// The smallest and largest area of the crop, as a share of the picture's.
    pub scale: (f64, f64),
    /// The smallest and largest aspect ratio of the crop, width / height.
    pub ratio: (f64, f64),
}

impl Default for RandomResizedCrop {
    fn default() -> Self {
        Self { scale: (0.08, 1.0), ratio: (3.0 / 4.0, 4.0 / 3.0) }
    }
}

/// How many random crops are tried before the central one is taken.
const TRIES: usize = 10;

impl RandomResizedCrop {
    /// Draws a rectangle of a picture of `height` x `width`. The area is drawn uniformly, the aspect ratio log-uniformly.
    pub fn draw(&self, height: usize, width: usize, draw: &mut Draw) -> Rect {
        let drawn = (0..TRIES).find_map(|_| {
            let area = (height * width) as f64 * draw.between(self.scale.0, self.scale.1);
            let ratio = draw.between(self.ratio.0.ln(), self.ratio.1.ln()).exp();
            let columns = (area * ratio).sqrt().round_ties_even() as usize;
            let rows = (area / ratio).sqrt().round_ties_even() as usize;
            ((1..=height).contains(&rows) && (1..=width).contains(&columns)).then(|| {
                let (top, left) = (draw.below(height - rows + 1), draw.below(width - columns + 1));
                Rect { top, left, height: rows, width: columns }
            })
        });
        drawn.unwrap_or_else(|| self.central(height, width))
    }

    /// The largest central rectangle whose aspect ratio is within the range.
    fn central(&self, height: usize, width: usize) -> Rect {
        let ratio = width as f64 / height as f64;
        let (mut rows, mut columns) = (height, width);
        if ratio < self.ratio.0 {
            rows = ((width as f64 / self.ratio.0).round_ties_even() as usize).clamp(1, height);
        } else if ratio > self.ratio.1 {
            columns = ((height as f64 * self.ratio.1).round_ties_even() as usize).clamp(1, width);
        }
        Rect { top: (height - rows) / 2, left: (width - columns) / 2, height: rows, width: columns }
    }

    /// Draws a rectangle, cuts it out and resizes it to `[C, height, width]`.
    pub fn apply(&self, picture: &Picture, height: usize, width: usize, filter: Filter, draw: &mut Draw) -> Picture {
        let region = self.draw(picture.height, picture.width, draw);
        resized_crop(picture, region, height, width, filter)
    }
}

/// Cuts out a rectangle and resizes it to `[C, height, width]`, with the same bytes as Pillow's `crop` and `resize`.
///
/// The rectangle is clipped to the picture, down to a single pixel; sides of 0 are taken as 1.
pub fn resized_crop(picture: &Picture, region: Rect, height: usize, width: usize, filter: Filter) -> Picture {
    let (top, left) = (region.top.min(picture.height - 1), region.left.min(picture.width - 1));
    let (rows, columns) = (region.height.clamp(1, picture.height - top), region.width.clamp(1, picture.width - left));
    let (height, width) = (height.max(1), width.max(1));
    let mut pixels = Vec::with_capacity(picture.channels * height * width);
    let mut part = Vec::with_capacity(rows * columns);
    for channel in 0..picture.channels {
        let lines = picture.plane(channel).chunks_exact(picture.width).skip(top).take(rows);
        part.clear();
        part.extend(lines.flat_map(|line| &line[left..][..columns]));
        pixels.extend(resample(&part, rows, columns, Span::whole(height), Span::whole(width), filter));
    }
    Picture { channels: picture.channels, height, width, pixels }
}
