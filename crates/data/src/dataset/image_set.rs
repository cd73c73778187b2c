//! Labelled images, in memory or in files, and parts of them, as burn-dataset's `Dataset`s.

use std::path::PathBuf;
use std::sync::Arc;

use burn_dataset::Dataset;

use super::files::PictureFiles;
use crate::error::DataError;
use crate::picture::Picture;
use crate::random::{SPLIT, shuffled};

/// One image and its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledImage {
    /// The image; `None` if its file cannot be read.
    pub picture: Option<Picture>,
    /// Index of the class.
    pub label: usize,
    /// Whether the picture is as networks get it, and need not be fitted if it has their size.
    pub fitted: bool,
}

/// Labelled images. Cloning is cheap: what they consist of is shared.
#[derive(Clone, Debug)]
pub struct ImageSet {
    name: Arc<str>,
    images: Storage,
    labels: Arc<[u32]>,
    /// Which of the images belong to this set, in order; all of them without a selection.
    selection: Option<Arc<[u32]>>,
}

/// The seed that decides which of the images in files come first.
const FIRST: u64 = 0;

#[derive(Clone, Debug)]
enum Storage {
    /// All of one shape `[channels, height, width]`, one after the other.
    Memory { shape: [usize; 3], pixels: Arc<[u8]> },
    /// Read when they are asked for.
    Files(Arc<PictureFiles>),
}

impl ImageSet {
    /// Images `[N, channels, height, width]` with their classes `[N]`.
    ///
    /// # Panics
    /// If there are not as many bytes as `shape` and `labels` ask for.
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

    /// Images in files with their classes, as many as files.
    pub(crate) fn in_files(name: &str, files: PictureFiles, labels: Vec<u32>) -> Self {
        Self { name: name.into(), images: Storage::Files(Arc::new(files)), labels: labels.into(), selection: None }
    }

    /// The dataset's name, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Shape of the images, `[channels, height, width]`, if they are in memory; in files each may have its own.
    pub fn shape(&self) -> Option<[usize; 3]> {
        match self.images {
            Storage::Memory { shape, .. } => Some(shape),
            Storage::Files(_) => None,
        }
    }

    /// The files that could not be read so far, each with the reason, in alphabetical order.
    pub fn unreadable(&self) -> Vec<(PathBuf, String)> {
        match &self.images {
            Storage::Memory { .. } => Vec::new(),
            Storage::Files(files) => files.unreadable(),
        }
    }

    /// Classes of which no picture at all can be read, as far as their files were read so far, each with the reason for one.
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

    /// A checksum of what `sum` is of, and the images and their classes; of images in files, of their names and sizes.
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

    /// The class of an image; `None` beyond the end.
    pub fn label(&self, index: usize) -> Option<usize> {
        self.labels.get(self.place(index)?).map(|&label| label as usize)
    }

    /// The classes of all images, in order.
    pub fn labels(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).filter_map(|index| self.label(index))
    }

    /// The bytes of an image in memory, `[channels, height, width]`; `None` beyond the end.
    pub fn pixels(&self, index: usize) -> Option<&[u8]> {
        let Storage::Memory { shape, pixels } = &self.images else { return None };
        let size = shape.iter().product::<usize>();
        let place = self.place(index)?;
        pixels.get(place * size..(place + 1) * size)
    }

    /// Mean and standard deviation of each channel of images in memory, in 0..1, to four decimals as such figures are
    /// customarily given.
    ///
    /// A channel of one single value has no deviation; 1 stands in, which leaves its pixels as they are.
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

    /// The first `count` images, or all if there are fewer. Of images in files, which stand class by class, each class gives
    /// its share.
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

    /// Where image `index` of this set lies among all the bytes.
    fn place(&self, index: usize) -> Option<usize> {
        match &self.selection {
            Some(places) => places.get(index).map(|&place| place as usize),
            None => (index < self.labels.len()).then_some(index),
        }
    }

    /// The first label that is not below `classes`, and its place in the file of labels.
    pub(crate) fn label_beyond(&self, classes: usize) -> Option<(usize, usize)> {
        let place = self.labels.iter().position(|&label| label as usize >= classes)?;
        Some((place, self.labels[place] as usize))
    }

    /// The largest label.
    pub(crate) fn largest_label(&self) -> usize {
        self.labels.iter().copied().max().map_or(0, |label| label as usize)
    }
}

/// Of bytes, by how often each occurs.
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
