//! Labelled images in memory, and parts of them, as burn-dataset's `Dataset`s.

use std::path::Path;
use std::sync::Arc;

use burn_dataset::Dataset;

use crate::{DataError, idx};

/// One image and its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledImage {
    /// `[channels, height, width]`, 0 to 255.
    pub pixels: Vec<u8>,
    /// Index of the class.
    pub label: usize,
}

/// Labelled images of one size. Cloning is cheap: the bytes are shared.
#[derive(Clone, Debug)]
pub struct ImageSet {
    name: Arc<str>,
    shape: [usize; 3],
    pixels: Arc<[u8]>,
    labels: Arc<[u8]>,
    /// Which of the images belong to this set, in order; all of them without a selection.
    selection: Option<Arc<[u32]>>,
}

impl ImageSet {
    /// Reads images and labels from two IDX files, plain or compressed.
    ///
    /// # Errors
    /// If a file is missing, damaged or empty, or the two do not belong together.
    pub fn from_idx(name: &str, images_path: &Path, labels_path: &Path) -> Result<Self, DataError> {
        let images = idx::read_images(images_path)?;
        let labels = idx::read_labels(labels_path)?;
        if labels.len() != images.count {
            return Err(DataError::CountMismatch {
                labels_path: labels_path.to_owned(),
                images_path: images_path.to_owned(),
                labels: labels.len(),
                images: images.count,
            });
        }
        if labels.is_empty() {
            return Err(DataError::Empty { path: images_path.to_owned() });
        }
        Ok(Self {
            name: name.into(),
            shape: [1, images.height, images.width],
            pixels: images.pixels.into(),
            labels: labels.into(),
            selection: None,
        })
    }

    /// The dataset's name, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Shape of an image: `[channels, height, width]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The class of an image; `None` beyond the end.
    pub fn label(&self, index: usize) -> Option<usize> {
        self.labels.get(self.place(index)?).map(|&label| usize::from(label))
    }

    /// The classes of all images, in order.
    pub fn labels(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).filter_map(|index| self.label(index))
    }

    /// The bytes of an image `[channels, height, width]`; `None` beyond the end.
    pub fn pixels(&self, index: usize) -> Option<&[u8]> {
        let size = self.shape.iter().product::<usize>();
        let place = self.place(index)?;
        self.pixels.get(place * size..(place + 1) * size)
    }

    /// Mean and standard deviation of all pixels in 0..1, to four decimals as such figures are customarily given.
    ///
    /// A set of one single colour has no deviation; 1 stands in, which leaves its pixels as they are.
    pub fn mean_and_std(&self) -> (f32, f32) {
        let mut counts = [0u64; 256];
        for index in 0..self.len() {
            self.pixels(index).unwrap_or_default().iter().for_each(|&pixel| counts[usize::from(pixel)] += 1);
        }
        let total = counts.iter().sum::<u64>().max(1) as f64;
        let moment = |power: i32| {
            let values = counts.iter().enumerate().map(|(x, &count)| (x as f64 / 255.).powi(power) * count as f64);
            values.sum::<f64>() / total
        };
        let mean = moment(1);
        let std = (moment(2) - mean * mean).max(0.).sqrt();
        let rounded = |value: f64| (value * 1e4).round() / 1e4;
        (rounded(mean) as f32, if rounded(std) > 0. { rounded(std) as f32 } else { 1. })
    }

    /// The first `count` images, or all if there are fewer.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        if count >= self.len() {
            return self.clone();
        }
        self.select((0..count).filter_map(|index| self.place(index)).map(|place| place as u32).collect())
    }

    /// Takes `count` images away for validation: `(the rest, those taken)`, each in the original order.
    ///
    /// The part is stratified: each class gives its share, and which of its images is decided by `seed` alone.
    ///
    /// # Errors
    /// If that would leave one of the two empty.
    pub fn split(&self, count: usize, seed: u64) -> Result<(Self, Self), DataError> {
        if count == 0 || count >= self.len() {
            return Err(DataError::Split { wanted: count, len: self.len() });
        }
        // Walking through the classes in turn and taking every len/count-th image gives each class its share, to the
        // nearest image, and exactly `count` in all.
        let order = crate::order::shuffled(self.len(), seed, crate::order::SPLIT);
        let mut by_class: Vec<(usize, u32)> = Vec::with_capacity(self.len());
        by_class.extend(order.into_iter().filter_map(|index| Some((self.label(index as usize)?, index))));
        by_class.sort_by_key(|&(label, _)| label);
        let mut taken = vec![false; self.len()];
        for (position, &(_, index)) in by_class.iter().enumerate() {
            let share = |position: usize| position * count / by_class.len();
            taken[index as usize] = share(position + 1) > share(position);
        }
        let part = |wanted: bool| {
            let places = (0..self.len()).filter(|&index| taken[index] == wanted).filter_map(|index| self.place(index));
            self.select(places.map(|place| place as u32).collect())
        };
        Ok((part(false), part(true)))
    }

    fn select(&self, places: Vec<u32>) -> Self {
        Self { selection: Some(places.into()), ..self.clone() }
    }

    /// Where image `index` of this set lies among all the bytes.
    fn place(&self, index: usize) -> Option<usize> {
        match &self.selection {
            Some(places) => places.get(index).map(|&place| place as usize),
            None => (index < self.labels.len()).then_some(index),
        }
    }

    /// The first label that is not below `classes`, and its place in the file of labels.
    pub(crate) fn label_beyond(&self, classes: usize) -> Option<(usize, usize)> {
        let place = self.labels.iter().position(|&label| usize::from(label) >= classes)?;
        Some((place, usize::from(self.labels[place])))
    }

    /// The largest label.
    pub(crate) fn largest_label(&self) -> usize {
        self.labels.iter().copied().max().map_or(0, usize::from)
    }
}

impl Dataset<LabelledImage> for ImageSet {
    fn get(&self, index: usize) -> Option<LabelledImage> {
        Some(LabelledImage { pixels: self.pixels(index)?.to_vec(), label: self.label(index)? })
    }

    fn len(&self) -> usize {
        self.selection.as_ref().map_or(self.labels.len(), |places| places.len())
    }
}
