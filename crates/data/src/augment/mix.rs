//! Mixup and CutMix: mixtures of two pictures and their classes.

use crate::batch::{Mix, PlainBatch};
use crate::random::Draw;

/// Mixes each picture of a batch with the one before it, with the same share throughout a batch: mixup (Zhang et al., 2017)
/// or CutMix (Yun et al., 2019), with timm's parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mixing {
    /// The parameter `a` of Beta(a, a), from which mixup's share is drawn; 0 for no mixup.
    pub mixup: f64,
    /// The parameter `a` of Beta(a, a), from which CutMix's share is drawn; 0 for no CutMix.
    pub cutmix: f64,
    /// Probability that a batch is mixed at all.
    pub probability: f64,
    /// Probability that CutMix is used, if both are enabled.
    pub switch: f64,
}

impl Mixing {
    /// Mixes the normalised images of a batch.
    pub(crate) fn apply(&self, batch: &mut PlainBatch, draw: &mut Draw) {
        let [count, channels, height, width] = batch.shape;
        if count < 2 || !draw.chance(self.probability) {
            return;
        }
        let by_cutmix = self.cutmix > 0. && (self.mixup <= 0. || draw.chance(self.switch));
        let size = channels * height * width;
        let originals = batch.images.clone();
        let pairs = batch.images.chunks_exact_mut(size).zip(originals.chunks_exact(size).cycle().skip(count - 1));
        let share = if by_cutmix {
            let share = draw.beta(self.cutmix);
            let (rows, columns) = (cut(height, share, draw), cut(width, share, draw));
            for (own, other) in pairs {
                for row in (0..channels).flat_map(|channel| rows.clone().map(move |row| channel * height + row)) {
                    let span = row * width + columns.start..row * width + columns.end;
                    own[span.clone()].copy_from_slice(&other[span]);
                }
            }
            1. - (rows.len() * columns.len()) as f64 / (height * width) as f64
        } else {
            let share = draw.beta(self.mixup);
            for (own, other) in pairs {
                own.iter_mut()
                    .zip(other)
                    .for_each(|(own, other)| *own = share as f32 * *own + (1. - share) as f32 * other);
            }
            share
        };
        let mut labels = batch.labels.clone();
        labels.rotate_right(1);
        batch.mix = Some(Mix { labels, share });
    }
}

/// One side of the rectangle to cut out, such that its area is `1 - share` of the picture's: centred at random and clipped to
/// the picture.
fn cut(side: usize, share: f64, draw: &mut Draw) -> std::ops::Range<usize> {
    let length = (side as f64 * (1. - share).max(0.).sqrt()) as usize;
    let center = draw.below(side);
    center.saturating_sub(length / 2)..(center + length / 2).min(side)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three pictures `[2, 4, 5]`, each of a single value.
    fn batch() -> PlainBatch {
        let images = (0..3).flat_map(|image| vec![image as f32; 40]).collect();
        PlainBatch { images, shape: [3, 2, 4, 5], labels: vec![5, 6, 7], indices: vec![0, 1, 2], mix: None }
    }

    fn mixed(mixing: Mixing, index: u64) -> PlainBatch {
        let mut batch = batch();
        mixing.apply(&mut batch, &mut Draw::of_batch(1, 1, index));
        batch
    }

    /// Checks each picture's mean, which follows from its own value, the previous one's, and the share.
    fn assert_shares(batch: &PlainBatch) {
        let Mix { labels, share } = batch.mix.clone().unwrap();
        assert_eq!(labels, [7, 5, 6]);
        for (image, (own, other)) in batch.images.chunks(40).zip([(0., 2.), (1., 0.), (2., 1.)]) {
            let mean = image.iter().sum::<f32>() / 40.;
            assert!((f64::from(mean) - (share * own + (1. - share) * other)).abs() < 1e-6, "{mean} with {share}");
        }
    }

    #[test]
    fn pictures_and_classes_are_mixed_by_the_same_share() {
        let both = Mixing { mixup: 0.8, cutmix: 1., probability: 1., switch: 0.5 };
        let mut cut = 0;
        for index in 0..40 {
            let batch = mixed(both, index);
            assert_shares(&batch);
            cut += usize::from(batch.images.iter().all(|value| value.fract() == 0.));
        }
        assert!((5..36).contains(&cut), "{cut} of 40 by CutMix");
        assert_eq!(mixed(Mixing { probability: 0., ..both }, 1), batch());
    }

    #[test]
    fn a_picture_alone_stays_as_it_is() {
        let mut alone =
            PlainBatch { images: vec![1.; 40], shape: [1, 2, 4, 5], labels: vec![5], indices: vec![0], mix: None };
        let before = alone.clone();
        Mixing { mixup: 1., cutmix: 0., probability: 1., switch: 0.5 }.apply(&mut alone, &mut Draw::of_batch(1, 1, 1));
        assert_eq!(alone, before);
    }
}
