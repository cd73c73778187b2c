//! Bytes to the network's numbers.

use super::description::Preprocess;

/// The table that turns bytes into a network's numbers: torchvision's `ToTensor` (x / 255 in f32) and `Normalize`
/// (minus mean, then divided by std, each rounded to f32), computed once for the 256 values of each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Normaliser {
    /// Values of one channel of one image.
    plane: usize,
    tables: Vec<[f32; 256]>,
}

impl Normaliser {
    /// The tables of a [valid](Preprocess::validate) description.
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
    /// When `pixels` and `out` differ in length, or are not whole images.
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
    /// `pixels` as the network's input: `(x / 255 - mean) / std`, one or more images of `[C, H, W]`.
    ///
    /// For many images build the [`Normaliser`] once.
    ///
    /// # Panics
    /// As [`Normaliser::normalise_into`].
    pub fn normalise_into(&self, pixels: &[u8], out: &mut [f32]) {
        Normaliser::new(self).normalise_into(pixels, out);
    }
}
