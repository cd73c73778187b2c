//! The images that the network got wrong with the most confidence.

use kiln_data::ImageSet;
use kiln_model::softmax;

use super::Misread;
use crate::step::BatchOutput;

/// How many are kept.
const KEPT: usize = 12;

/// The most telling of the images that were misread in an evaluation.
pub(super) struct MisreadImages {
    images: ImageSet,
    found: Vec<Misread>,
}

impl MisreadImages {
    /// None yet of these images.
    pub(super) fn new(images: ImageSet) -> Self {
        Self { images, found: Vec::new() }
    }

    pub(super) fn clear(&mut self) {
        self.found.clear();
    }

    /// Takes in what the network said of a batch. Only grey images in memory can be drawn.
    pub(super) fn add(&mut self, output: &BatchOutput) {
        let Some([1, height, width]) = self.images.shape() else { return };
        let classes = output.logits.len() / output.labels.len().max(1);
        let rows = output.logits.chunks_exact(classes).zip(&output.indices);
        for ((row, &index), &truth) in rows.zip(&output.labels) {
            let Some(predicted) = (0..classes).rev().max_by(|&a, &b| row[a].total_cmp(&row[b])) else { continue };
            if truth != predicted {
                let pixels = self.images.pixels(index).unwrap_or_default().to_vec();
                let confidence = softmax(row, 1.)[predicted] as f32;
                self.found.push(Misread { index, width, height, pixels, truth, predicted, confidence });
            }
        }
        self.found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then(a.index.cmp(&b.index)));
        self.found.truncate(KEPT);
    }

    /// Those of the evaluation, the most confident first.
    pub(super) fn take(&mut self) -> Vec<Misread> {
        std::mem::take(&mut self.found)
    }
}
