//! Sets of labelled images, in memory or in files, and subsets of them.

use std::path::PathBuf;
use std::sync::Arc;

use burn_dataset::Dataset;

use super::files::PictureFiles;
use crate::error::DataError;
use crate::picture::Picture;
use crate::random::{SPLIT, shuffled};

/// An image and its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledImage {
    /// The image; `None` if its file is unreadable.
    pub picture: Option<Picture>,
    /// Index of the class.
    pub label: usize,
    /// Whether the picture is already in the form of a network's input, so that it need not be fitted if it has the right
    /// shape.
    pub fitted: bool,
}

/// A set of labelled images. Clones share the images, so cloning is cheap.
#[derive(Clone, Debug)]
pub struct ImageSet {
    name: Arc<str>,
    images: Storage,
    labels: Arc<[u32]>,
    /// The positions of the images that belong to this set, in order; `None` for all of them.
    selection: Option<Arc<[u32]>>,
}

/// The seed by which [`ImageSet::first`] chooses among images in files.
const FIRST: u64 = 0;

#[derive(Clone, Debug)]
enum Storage {
    /// Images of the same shape `[channels, height, width]`, one after the other.
    Memory { shape: [usize; 3], pixels: Arc<[u8]> },
    /// Read on demand.
    Files(Arc<PictureFiles>),
}

impl ImageSet {
    /// Images `[N, channels, height, width]` with their labels `[N]`; `shape` is that of one image.
    ///
    /// # Panics
    /// If the number of bytes does not follow from `shape` and the number of labels.
    pub fn in_memory(name: &str, shape: [usize; 3], pixels: Vec<u8>, labels: Vec<u32>) -> Self {
        assert_eq!(
            pixels.len(),
            labels.len() * shape.iter().product::<usize>(),
            "{} images of {shape:?}",
            labels.len()
        );
        let images = Storage::Memory { shape, pixels: pixels.into() };
        Self { name: name.into(), images, labels: labels.into(), selection: None }
    }

    /// Images in files, with one label for each file.
    pub(crate) fn in_files(name: &str, files: PictureFiles, labels: Vec<u32>) -> Self {
        Self { name: name.into(), images: Storage::Files(Arc::new(files)), labels: labels.into(), selection: None }
    }

    /// The dataset's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The images' shape `[channels, height, width]`; `None` for images in files, whose shapes may differ.
    pub fn shape(&self) -> Option<[usize; 3]> {
        match self.images {
            Storage::Memory { shape, .. } => Some(shape),
            Storage::Files(_) => None,
        }
    }

    /// The file of an image; `None` if `index` is out of range or the images are in memory.
    pub fn path(&self, index: usize) -> Option<PathBuf> {
        match &self.images {
            Storage::Memory { .. } => None,
            Storage::Files(files) => files.path(self.place(index)?),
        }
    }

    /// The files found unreadable so far, each with the reason, in alphabetical order.
    pub fn unreadable(&self) -> Vec<(PathBuf, String)> {
        match &self.images {
            Storage::Memory { .. } => Vec::new(),
            Storage::Files(files) => files.unreadable(),
        }
    }

    /// The classes all of whose pictures have been found unreadable, each with the reason for one of them.
    pub fn unreadable_classes(&self) -> Vec<(usize, String)> {
        let Storage::Files(files) = &self.images else { return Vec::new() };
        let mut reasons: std::collections::BTreeMap<usize, Option<String>> = Default::default();
        for index in 0..self.len() {
            let (Some(place), Some(label)) = (self.place(index), self.label(index)) else { continue };
            let reason = files.unreadable_reason(place);
            reasons.entry(label).and_modify(|known| *known = known.take().and(reason.clone())).or_insert(reason);
        }
        reasons.into_iter().filter_map(|(class, reason)| Some((class, reason?))).collect()
    }

    /// Extends the CRC-32C `sum` by the images and their labels. For images in files, their paths and sizes count.
    pub fn checksum(&self, mut sum: u32) -> u32 {
        for index in 0..self.len() {
            let (Some(place), Some(label)) = (self.place(index), self.label(index)) else { continue };
            sum = match &self.images {
                Storage::Memory { .. } => crc32c::crc32c_append(sum, self.pixels(index).unwrap_or_default()),
                Storage::Files(files) => crc32c::crc32c_append(sum, &files.fingerprint(place)),
            };
            sum = crc32c::crc32c_append(sum, &(label as u64).to_le_bytes());
        }
        sum
    }

    /// The label of an image; `None` if `index` is out of range.
    pub fn label(&self, index: usize) -> Option<usize> {
        self.labels.get(self.place(index)?).map(|&label| label as usize)
    }

    /// The labels of all images, in order.
    pub fn labels(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).filter_map(|index| self.label(index))
    }

    /// The bytes `[channels, height, width]` of an image in memory; `None` if `index` is out of range or the images are in
    /// files.
    pub fn pixels(&self, index: usize) -> Option<&[u8]> {
        let Storage::Memory { shape, pixels } = &self.images else { return None };
        let size = shape.iter().product::<usize>();
        let place = self.place(index)?;
        pixels.get(place * size..(place + 1) * size)
    }

    /// The mean and standard deviation of each channel of images in memory, on the scale 0 to 1, rounded to the customary
    /// four decimals.
    ///
    /// The deviation of a constant channel is given as 1, so that dividing by it changes nothing.
    pub fn mean_and_std(&self) -> (Vec<f32>, Vec<f32>) {
        let [channels, height, width] = self.shape().unwrap_or_default();
        let mut counts = vec![[0u64; 256]; channels];
        for index in 0..self.len() {
            let planes = self.pixels(index).unwrap_or_default().chunks_exact(height * width);
            for (plane, counts) in planes.zip(&mut counts) {
                plane.iter().for_each(|&pixel| counts[usize::from(pixel)] += 1);
            }
        }
        counts.iter().map(mean_and_std).unzip()
    }

    /// The first `count` images, or all if there are fewer. Images in files are sorted by class, so of these a stratified
    /// subset is taken instead.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        if count >= self.len() {
            return self.clone();
        }
        if let (Storage::Files(_), Ok((_, part))) = (&self.images, self.split(count, FIRST)) {
            return part;
        }
        self.select((0..count).filter_map(|index| self.place(index)).map(|place| place as u32).collect())
    }

    /// Splits off `count` images for validation and returns `(the rest, those taken)`, each in the original order.
    ///
    /// The split is stratified: each class contributes its share. Which of its images are taken depends on `seed` alone.
    ///
    /// # Errors
    /// If one of the two sets would be empty.
    pub fn split(&self, count: usize, seed: u64) -> Result<(Self, Self), DataError> {
        if count == 0 || count >= self.len() {
            return Err(DataError::Split { wanted: count, len: self.len() });
        }
        // Going through the images class by class and taking every (len / count)-th takes each class's share, to the nearest
        // image, and exactly `count` in all.
        let order = shuffled(self.len(), seed, SPLIT);
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

    /// The position of image `index` of this set among all the images stored.
    fn place(&self, index: usize) -> Option<usize> {
        match &self.selection {
            Some(places) => places.get(index).map(|&place| place as usize),
            None => (index < self.labels.len()).then_some(index),
        }
    }

    /// The first label that is not below `classes`, as `(position among the labels, label)`.
    pub(crate) fn label_beyond(&self, classes: usize) -> Option<(usize, usize)> {
        let place = self.labels.iter().position(|&label| label as usize >= classes)?;
        Some((place, self.labels[place] as usize))
    }

    /// The largest label; 0 if there are no images.
    pub(crate) fn largest_label(&self) -> usize {
        self.labels.iter().copied().max().map_or(0, |label| label as usize)
    }
}

/// The mean and standard deviation of bytes, given how often each value occurs.
fn mean_and_std(counts: &[u64; 256]) -> (f32, f32) {
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

impl Dataset<LabelledImage> for ImageSet {
    fn get(&self, index: usize) -> Option<LabelledImage> {
        let label = self.label(index)?;
        match &self.images {
            Storage::Memory { shape: [channels, height, width], .. } => {
                let (channels, height, width, pixels) = (*channels, *height, *width, self.pixels(index)?.to_vec());
                Some(LabelledImage { picture: Some(Picture { channels, height, width, pixels }), label, fitted: true })
            }
            Storage::Files(files) => {
                Some(LabelledImage { picture: files.read(self.place(index)?), label, fitted: false })
            }
        }
    }

    fn len(&self) -> usize {
        self.selection.as_ref().map_or(self.labels.len(), |places| places.len())
    }
}
