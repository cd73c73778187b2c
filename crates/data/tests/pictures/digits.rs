//! The digit reader: whatever the paper, a digit comes out as MNIST has it.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use kiln_data::digit::{self, Digit, Ink, Region};
use kiln_data::picture::Picture;
use kiln_data::preprocess::Preprocess;

use super::{Noise, drawn};

/// The first `count` test images of MNIST, 28 x 28.
fn mnist(count: usize) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/mnist/t10k-images-idx3-ubyte.gz");
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = vec![0; 16 + count * 784];
    flate2::read::GzDecoder::new(file).read_exact(&mut bytes).unwrap();
    bytes[16..].chunks(784).map(<[u8]>::to_vec).collect()
}

/// How a digit is put onto a page.
#[derive(Clone, Copy)]
struct Page {
    height: usize,
    width: usize,
    paper: f64,
    ink: f64,
    /// Times larger than 28 x 28.
    scale: usize,
    top: usize,
    left: usize,
    /// Standard deviation, in grey levels.
    noise: f64,
    /// Grey levels that the paper gains from the left to the right edge.
    gradient: f64,
}

const PHOTO: Page = Page {
    height: 480,
    width: 640,
    paper: 230.0,
    ink: 20.0,
    scale: 8,
    top: 30,
    left: 350,
    noise: 4.0,
    gradient: 0.0,
};

impl Page {
    fn draw(self, digit: &[u8], noise: &mut Noise) -> Picture {
        let pixels = (0..self.height * self.width).map(|at| {
            let (y, x) = (at / self.width, at % self.width);
            let cell = |at: usize, start: usize| at.checked_sub(start).map(|at| at / self.scale).filter(|&at| at < 28);
            let ink = match (cell(y, self.top), cell(x, self.left)) {
                (Some(row), Some(column)) => f64::from(digit[row * 28 + column]) / 255.0,
                _ => 0.0,
            };
            let paper = self.paper + self.gradient * (x as f64 / self.width as f64 - 0.5);
            (paper + (self.ink - paper) * ink + noise.gaussian(self.noise)).round().clamp(0.0, 255.0) as u8
        });
        Picture::gray(self.height, self.width, pixels.collect()).unwrap()
    }
}

fn read(picture: &Picture) -> Digit {
    digit::read(picture, 28, 28, None)
}

/// Mean absolute difference, in grey levels of 255.
fn difference(a: &[u8], b: &[u8]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
}

/// The mean over some digits and the worst of them.
fn differences(page: Page, digits: &[Vec<u8>], ink: Ink) -> (f64, f64) {
    let mut noise = Noise(3);
    let all: Vec<f64> = digits
        .iter()
        .map(|original| {
            let found = read(&page.draw(original, &mut noise));
            assert_eq!(found.ink, Some(ink));
            if std::env::var("AL").is_ok() {
            let mut best = 1e9f64;
            for dy in 0..3 { for dx in 0..3 {
              let sh: Vec<u8> = (0..784).map(|at| { let (y,x)=(at/28+dy, at%28+dx); if y<1||x<1||y>28||x>28 {0} else {found.pixels[(y-1)*28+x-1]}}).collect();
              best = best.min(difference(&sh, original));
            }}
            best } else { difference(&found.pixels, original) }
        })
        .collect();
    (all.iter().sum::<f64>() / all.len() as f64, all.iter().copied().fold(0.0, f64::max))
}

#[test]
fn explore() {
    let digits = mnist(200);
    for (name, page, ink) in [
        ("photo", PHOTO, Ink::Dark),
        ("clean", Page { noise: 0.0, ..PHOTO }, Ink::Dark),
        ("pure", Page { noise: 0.0, paper: 255.0, ink: 0.0, ..PHOTO }, Ink::Dark),
        ("night", Page { paper: 25.0, ink: 240.0, ..PHOTO }, Ink::Light),
        ("gradient", Page { gradient: 60.0, paper: 200.0, ..PHOTO }, Ink::Dark),
        ("faint", Page { ink: 190.0, noise: 2.0, ..PHOTO }, Ink::Dark),
        ("small", Page { height: 60, width: 50, scale: 1, top: 3, left: 15, noise: 0.0, ..PHOTO }, Ink::Dark),
        ("smallnoise", Page { height: 60, width: 50, scale: 1, top: 3, left: 15, noise: 2.0, ..PHOTO }, Ink::Dark),
        ("noisy", Page { noise: 10.0, ..PHOTO }, Ink::Dark),
        ("twice", Page { height: 60, width: 70, scale: 2, top: 3, left: 9, ..PHOTO }, Ink::Dark),
        ("huge", Page { height: 1500, width: 2000, scale: 40, top: 300, left: 500, ..PHOTO }, Ink::Dark),
        ("lost", Page { height: 1500, width: 2000, scale: 3, top: 300, left: 500, ..PHOTO }, Ink::Dark),
    ] {
        let d = if page.height > 1000 { &digits[..10] } else { &digits[..] };
        let (m, w) = differences(page, d, ink);
        println!("{name}: mean {m:.2} worst {w:.2}");
    }
}
