//! The way of a picture: decoded, resized as Pillow does, normalised as torchvision does, digits placed as in MNIST.
//!
//! Golden bytes come from Pillow and torchvision: see `pictures/pillow.py`.

#[cfg(feature = "images")]
#[path = "pictures/decoding.rs"]
mod decoding;
#[path = "pictures/digits.rs"]
mod digits;
#[path = "pictures/fitting.rs"]
mod fitting;

use kiln_data::picture::Picture;

/// The largest difference of two byte slices of one length.
fn largest_difference(a: &[u8], b: &[u8]) -> u8 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

/// Bytes that look random and are the same on every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        // Knuth's MMIX generator; the low bits are weak.
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.0 >> 33
    }

    /// Roughly Gaussian around 0.
    fn gaussian(&mut self, deviation: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| (self.next() % 65_536) as f64 / 65_536.0).sum();
        (sum - 6.0) * deviation
    }
}

/// A grey picture whose pixels are given by (row, column).
fn drawn(height: usize, width: usize, pixel: impl Fn(usize, usize) -> u8) -> Picture {
    let pixels = (0..height * width).map(|at| pixel(at / width, at % width)).collect();
    Picture::gray(height, width, pixels).expect("sizes fit")
}
