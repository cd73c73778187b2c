//! Random erasing: a rectangle of the picture is painted over, so that a network cannot rely on a single part.

use serde::{Deserialize, Serialize};

use crate::picture::{Picture, Rect};
use crate::random::Draw;

/// Zhong et al., "Random Erasing Data Augmentation", 2017, with the parameters of torchvision's `RandomErasing`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomErasing {
    /// Probability that a picture is changed at all.
    pub probability: f64,
    /// The smallest and largest area of the rectangle, as a share of the picture's.
    pub scale: (f64, f64),
    /// The smallest and largest aspect ratio of the rectangle, height / width.
    pub ratio: (f64, f64),
}

impl Default for RandomErasing {
    fn default() -> Self {
        Self { probability: 0.5, scale: (0.02, 0.33), ratio: (0.3, 3.3) }
    }
}

/// How many random rectangles are tried before the picture is left unchanged.
const TRIES: usize = 10;

impl RandomErasing {
    /// Draws the rectangle for a picture of `height` x `width`; `None` if the picture stays unchanged, by chance or because no
    /// rectangle tried would fit.
    pub fn draw(&self, height: usize, width: usize, draw: &mut Draw) -> Option<Rect> {
        if !draw.chance(self.probability) {
            return None;
        }
        (0..TRIES).find_map(|_| {
            let area = (height * width) as f64 * draw.between(self.scale.0, self.scale.1);
            let ratio = draw.between(self.ratio.0.ln(), self.ratio.1.ln()).exp();
            let rows = (area * ratio).sqrt().round_ties_even() as usize;
            let columns = (area / ratio).sqrt().round_ties_even() as usize;
            (rows < height && columns < width).then(|| {
                let (top, left) = (draw.below(height - rows + 1), draw.below(width - columns + 1));
                Rect { top, left, height: rows, width: columns }
            })
        })
    }

    /// Draws a rectangle and paints it, in place. `fill` has a byte for each channel; grey pictures use the first.
    pub fn apply(&self, picture: &mut Picture, fill: [u8; 3], draw: &mut Draw) {
        if let Some(region) = self.draw(picture.height, picture.width, draw) {
            erase(picture, region, fill);
        }
    }
}

/// Paints a rectangle, clipped to the picture, in place. `fill` has a byte for each channel; grey pictures use the first.
pub fn erase(picture: &mut Picture, region: Rect, fill: [u8; 3]) {
    let (height, width) = (picture.height, picture.width);
    let left = region.left.min(width);
    let right = region.left.saturating_add(region.width).min(width);
    for (plane, fill) in picture.pixels.chunks_exact_mut(height * width).zip(fill) {
        for row in plane.chunks_exact_mut(width).skip(region.top).take(region.height) {
            row[left..right].fill(fill);
        }
    }
}
