//! Which classes are taken for which.

use super::probabilities::argmax;

/// How often each class was taken for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

/// How well one class is told from the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassScores {
    /// Images of the class.
    pub images: u64,
    /// Images that were taken for it.
    pub predicted: u64,
    /// Images of the class that were taken for it.
    pub correct: u64,
}

/// Means over classes, each of which counts alike, however many images it has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MacroScores {
    /// Mean precision, 0 to 1.
    pub precision: f64,
    /// Mean recall, 0 to 1.
    pub recall: f64,
    /// Mean F1, 0 to 1.
    pub f1: f64,
}

impl ClassScores {
    /// Share of the images taken for the class that are of it, 0 to 1; `None` if none was.
    pub fn precision(&self) -> Option<f64> {
        share(self.correct, self.predicted)
    }

    /// Share of the class's images that were taken for it, 0 to 1; `None` if there are none.
    pub fn recall(&self) -> Option<f64> {
        share(self.correct, self.images)
    }

    /// Harmonic mean of precision and recall, 0 to 1; `None` if the class neither has images nor was predicted.
    pub fn f1(&self) -> Option<f64> {
        share(2 * self.correct, self.images + self.predicted)
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl Confusion {
    /// No images yet.
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// Counts a batch from its logits `[N, classes]` and classes `[N]`; gives the predicted classes.
    pub fn add(&mut self, logits: &[f32], labels: &[usize]) -> Vec<usize> {
        let predicted: Vec<_> = logits.chunks_exact(self.classes).map(argmax).collect();
        labels.iter().zip(&predicted).for_each(|(&label, &predicted)| self.count(label, predicted));
        predicted
    }

    /// Counts an image of the class `label` that was taken for `predicted`.
    ///
    /// # Panics
    /// If one of them is not below the number of classes.
    pub fn count(&mut self, label: usize, predicted: usize) {
        assert!(predicted < self.classes, "class {predicted} of {}", self.classes);
        self.counts[label * self.classes + predicted] += 1;
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The counts `[classes, classes]`, row by row: true class, then predicted class.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// How well each class is told from the others, by class.
    pub fn class_scores(&self) -> Vec<ClassScores> {
        let mut predicted = vec![0; self.classes];
        for row in self.counts.chunks_exact(self.classes.max(1)) {
            predicted.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
        }
        let rows = self.counts.chunks_exact(self.classes.max(1)).enumerate();
        let scores = rows.map(|(class, row)| ClassScores {
            images: row.iter().sum(),
            predicted: predicted[class],
            correct: row[class],
        });
        scores.collect()
    }

    /// The means over the classes that have images or were predicted. What is not defined counts as 0, as in scikit-learn.
    pub fn macro_scores(&self) -> MacroScores {
        let mut scores = self.class_scores();
        scores.retain(|scores| scores.images + scores.predicted > 0);
        let mean = |of: fn(&ClassScores) -> Option<f64>| {
            scores.iter().filter_map(of).sum::<f64>() / scores.len().max(1) as f64
        };
        MacroScores {
            precision: mean(ClassScores::precision),
            recall: mean(ClassScores::recall),
            f1: mean(ClassScores::f1),
        }
    }

    /// The pairs of classes that were confused, as `(true class, predicted class, images)`: the most frequent first, then in
    /// the order of the classes.
    pub fn mistaken_pairs(&self) -> Vec<(usize, usize, u64)> {
        let pair = |(place, &count): (usize, &u64)| (place / self.classes, place % self.classes, count);
        let mut pairs: Vec<_> = self.counts.iter().enumerate().map(pair).collect();
        pairs.retain(|&(label, predicted, count)| label != predicted && count > 0);
        pairs.sort_by_key(|&(label, predicted, count)| (std::cmp::Reverse(count), label, predicted));
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confusion_counts_true_by_predicted() {
        let mut confusion = Confusion::new(2);
        assert_eq!(confusion.add(&[2., 1., 0., 1., 0., 1.], &[0, 0, 1]), [0, 1, 1]);
        assert_eq!(confusion.counts(), [1, 1, 0, 1]);
    }

    #[test]
    fn pairs_are_sorted_by_how_often_they_are_confused() {
        let mut confusion = Confusion::new(3);
        [(0, 1), (2, 0), (2, 0), (1, 1), (1, 2)].into_iter().for_each(|(label, to)| confusion.count(label, to));
        assert_eq!(confusion.mistaken_pairs(), [(2, 0, 2), (0, 1, 1), (1, 2, 1)]);
    }

    #[test]
    fn what_cannot_be_said_of_a_class_is_not_said() {
        let mut confusion = Confusion::new(3);
        confusion.count(0, 1);
        let [first, second, third] = confusion.class_scores().try_into().unwrap();
        assert_eq!((first.precision(), first.recall(), first.f1()), (None, Some(0.), Some(0.)));
        assert_eq!((second.precision(), second.recall(), second.f1()), (Some(0.), None, Some(0.)));
        assert_eq!((third.precision(), third.recall(), third.f1()), (None, None, None));
    }
}
