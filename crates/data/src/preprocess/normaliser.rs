//! Normalisation: from bytes to the numbers that a network sees.

use super::description::Preprocess;

/// Look-up tables for torchvision's `ToTensor` (x / 255 in f32) and `Normalize` (minus mean, then divided by std, each
/// rounded to f32), computed once for the 256 byte values of each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Normaliser {
    /// Number of values in one channel of one image.
    plane: usize,
    tables: Vec<[f32; 256]>,
}

impl Normaliser {
    /// Makes the tables; the description must be [valid](Preprocess::validate).
    pub fn new(preprocess: &Preprocess) -> Self {
        let table = |(mean, std): (&f32, &f32)| std::array::from_fn(|x| (x as f32 / 255.0 - mean) / std);
        Self {
            plane: preprocess.height * preprocess.width,
            tables: preprocess.mean.iter().zip(&preprocess.std).map(table).collect(),
        }
    }

    /// Writes the normalised values of `[C, H, W]` or `[N, C, H, W]` bytes.
    ///
    /// # Panics
    /// If `pixels` and `out` differ in length or are not a whole number of images.
    pub fn normalise_into(&self, pixels: &[u8], out: &mut [f32]) {
        assert_eq!(pixels.len(), out.len(), "as many numbers as bytes");
        assert_eq!(pixels.len() % (self.plane * self.tables.len()), 0, "whole images");
        let planes = pixels.chunks_exact(self.plane).zip(out.chunks_exact_mut(self.plane));
        for ((pixels, out), table) in planes.zip(self.tables.iter().cycle()) {
            for (out, &pixel) in out.iter_mut().zip(pixels) {
                *out = table[usize::from(pixel)];
            }
        }
    }
}

impl Preprocess {
    /// Writes the network's input `(x / 255 - mean) / std` for one or more images of `[C, H, W]`.
    ///
    /// To normalise many images, make a [`Normaliser`] once.
    ///
    /// # Panics
    /// See [`Normaliser::normalise_into`].
    pub fn normalise_into(&self, pixels: &[u8], out: &mut [f32]) {
        Normaliser::new(self).normalise_into(pixels, out);
    }
}
