//! The digit reader: whatever the paper, a digit comes out as MNIST has it.

use std::io::Read;
use std::path::Path;

use kiln_data::digit::{self, Digit, Ink};
use kiln_data::picture::{Picture, Rect};
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

const PHOTO: Page =
    Page { height: 480, width: 640, paper: 230.0, ink: 20.0, scale: 8, top: 30, left: 350, noise: 4.0, gradient: 0.0 };

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

/// As [`difference`], after the best shift of at most one pixel: where a digit's centre of mass lies halfway between
/// two pixels, noise decides to which it is rounded.
fn aligned_difference(a: &[u8], b: &[u8]) -> f64 {
    let shifted = |down: usize, right: usize| -> Vec<u8> {
        let pixel = |y: usize, x: usize| if y < 28 && x < 28 { a[y * 28 + x] } else { 0 };
        (0..784).map(|at| pixel((at / 28 + down).wrapping_sub(1), (at % 28 + right).wrapping_sub(1))).collect()
    };
    (0..9).map(|shift| difference(&shifted(shift / 3, shift % 3), b)).fold(f64::INFINITY, f64::min)
}

/// Real digits, pasted onto a page and read back, are the originals. The bounds are about twice what was measured.
#[test]
fn digits_come_back_from_any_page() {
    let small = Page { height: 60, width: 70, scale: 2, top: 3, left: 9, ..PHOTO };
    let large = Page { height: 1500, width: 2000, top: 300, left: 500, ..PHOTO };
    // Name, page, ink, digits, and the largest mean difference over the digits (grey levels of 255).
    let pages = [
        ("photo: grey paper, noise", PHOTO, Ink::Dark, 50, 1.2),
        ("clean: black on white", Page { paper: 255.0, ink: 0.0, noise: 0.0, ..PHOTO }, Ink::Dark, 50, 0.8),
        ("night: light on dark", Page { paper: 25.0, ink: 240.0, ..PHOTO }, Ink::Light, 50, 1.2),
        ("light from one side", Page { paper: 200.0, gradient: 60.0, ..PHOTO }, Ink::Dark, 50, 1.2),
        ("faint: 40 levels of contrast", Page { ink: 190.0, noise: 2.0, ..PHOTO }, Ink::Dark, 50, 3.0),
        ("noisy", Page { noise: 10.0, ..PHOTO }, Ink::Dark, 50, 2.2),
        ("twice its size", small, Ink::Dark, 50, 1.4),
        ("its own size", Page { scale: 1, ..small }, Ink::Dark, 50, 1.4),
        ("in the corner", Page { top: 0, left: 0, ..small }, Ink::Dark, 50, 1.4),
        ("40 times its size", Page { scale: 40, ..large }, Ink::Dark, 5, 1.0),
        ("small in a large picture", Page { scale: 3, ..large }, Ink::Dark, 5, 1.4),
    ];
    let originals = mnist(50);
    for (name, page, ink, count, bound) in pages {
        let mut noise = Noise(3);
        let mut sum = 0.0;
        for original in &originals[..count] {
            let found = read(&page.draw(original, &mut noise));
            assert_eq!(found.ink, Some(ink), "{name}");
            sum += aligned_difference(&found.pixels, original);
        }
        let mean = sum / count as f64;
        println!("{name}: {mean:.2}");
        assert!(mean < bound, "{name}: mean difference {mean:.2}");
    }
}

/// Without any allowance for a shift: at most a few digits in fifty may move by a pixel.
#[test]
fn digits_come_back_in_their_place() {
    let mut noise = Noise(3);
    let differences: Vec<f64> = mnist(50)
        .iter()
        .map(|original| difference(&read(&PHOTO.draw(original, &mut noise)).pixels, original))
        .collect();
    let moved = differences.iter().filter(|&&difference| difference > 5.0).count();
    let mean = differences.iter().sum::<f64>() / 50.0;
    println!("mean {mean:.2}, moved {moved}");
    assert!(moved <= 2 && mean < 1.5, "mean {mean:.2}, moved {moved}");
}

#[test]
fn mnist_images_pass_unchanged_and_turned_over() {
    let preprocess = Preprocess::mnist();
    for (index, original) in mnist(10_000).into_iter().enumerate() {
        let picture = Picture::gray(28, 28, original).unwrap();
        let prepared = preprocess.pixels(&picture);
        assert!(prepared.pixels == picture.pixels, "image {index} changed");
        assert!(!prepared.inverted && prepared.found_ink);

        // As an RGB file of dark ink on white paper.
        let paper: Vec<u8> = picture.pixels.iter().map(|pixel| 255 - pixel).collect();
        let prepared = preprocess.pixels(&Picture::rgb(28, 28, paper.repeat(3)).unwrap());
        assert!(prepared.pixels == picture.pixels, "image {index} changed when turned over");
        assert!(prepared.inverted && prepared.found_ink);
    }
}

#[test]
fn gray_paper_of_the_right_size_is_cleaned() {
    let original = &mnist(1)[0];
    let page = Page { height: 28, width: 28, scale: 1, top: 0, left: 0, noise: 1.0, paper: 200.0, ..PHOTO };
    let prepared = Preprocess::mnist().pixels(&page.draw(original, &mut Noise(1)));
    assert!(prepared.inverted);
    assert_eq!(prepared.pixels[0], 0);
    assert!(difference(&prepared.pixels, original) < 2.0);
}

/// Blank paper of every kind: the answer is "no ink", not a picture of noise.
#[test]
fn blank_pictures_have_no_ink() {
    let noise = |paper: f64, deviation: f64| {
        let mut noise = Noise(9);
        let pixels = (0..300 * 400).map(|_| (paper + noise.gaussian(deviation)).round().clamp(0.0, 255.0) as u8);
        Picture::gray(300, 400, pixels.collect()).unwrap()
    };
    let blanks = [
        ("white", drawn(480, 640, |_, _| 255)),
        ("black", drawn(480, 640, |_, _| 0)),
        ("gray of MNIST's size", drawn(28, 28, |_, _| 128)),
        ("one pixel", drawn(1, 1, |_, _| 77)),
        ("gradient", drawn(100, 100, |y, x| (60 + y / 2 + x) as u8)),
        ("little noise", noise(230.0, 2.0)),
        ("noise", noise(128.0, 12.0)),
        ("a speck of dust", drawn(480, 640, |y, x| if y == 100 && (300..302).contains(&x) { 20 } else { 240 })),
    ];
    for (name, picture) in blanks {
        let prepared = Preprocess::mnist().pixels(&picture);
        assert!(!prepared.found_ink && !prepared.inverted, "{name}");
        assert_eq!(prepared.pixels, [0; 784], "{name}");
        assert_eq!(prepared.region, Rect::whole(&picture), "{name}");
    }
}

#[test]
fn specks_do_not_count_as_ink() {
    let original = &mnist(1)[0];
    let mut picture = PHOTO.draw(original, &mut Noise(3));
    let clean = read(&picture);
    for (y, x) in [(20, 20), (460, 30), (240, 600), (450, 610)] {
        (0..5).for_each(|row| picture.pixels[(y + row) * 640 + x..][..5].fill(10));
    }
    let specked = read(&picture);
    assert_eq!(specked.region, clean.region);
    assert!(difference(&specked.pixels, &clean.pixels) < 0.1);
}

/// A "7" of lines `thickness` pixels wide.
fn seven(size: usize, thickness: usize, ink: u8, paper: u8) -> Picture {
    let (start, end) = (size / 4, size * 3 / 4);
    drawn(size, size, |y, x| {
        let bar = (start..start + thickness).contains(&y) && (start..end).contains(&x);
        let slope =
            (start..end).contains(&y) && (end - (y - start) / 2 - thickness..end - (y - start) / 2).contains(&x);
        if bar || slope { ink } else { paper }
    })
}

#[test]
fn strokes_of_any_thickness_reach_full_brightness() {
    for (size, thickness) in [(8, 1), (28, 1), (60, 1), (64, 12), (400, 2), (400, 40), (1600, 3), (1600, 200)] {
        let found = read(&seven(size, thickness, 30, 220));
        assert_eq!(found.ink, Some(Ink::Dark), "{size}, {thickness}");
        let bright = found.pixels.iter().filter(|&&pixel| pixel > 200).count();
        assert!(bright >= 10, "size {size}, thickness {thickness}: {bright} bright pixels");
    }
}

#[test]
fn the_region_is_the_inks() {
    let found = read(&seven(400, 40, 0, 255));
    assert_eq!(found.region, Rect { left: 100, top: 100, width: 200, height: 200 });
    // Reduced for the search by 4: within that.
    let region = read(&seven(4000, 400, 0, 255)).region;
    for (value, expected) in [(region.left, 1000), (region.top, 1000), (region.width, 2000), (region.height, 2000)] {
        assert!(value.abs_diff(expected) <= 4, "{region:?}");
    }
    // A small one in a large picture is searched unreduced: exact.
    let dot = drawn(3000, 3000, |y, x| if (2000..2030).contains(&y) && (700..720).contains(&x) { 0 } else { 255 });
    assert_eq!(read(&dot).region, Rect { left: 700, top: 2000, width: 20, height: 30 });
}

#[test]
fn colours_and_known_polarity() {
    // Blue ink on yellow paper.
    let plane = |ink, paper| seven(100, 10, ink, paper).pixels;
    let colour = [plane(20, 250), plane(30, 240), plane(160, 120)].concat();
    let found = read(&Picture::rgb(100, 100, colour).unwrap());
    assert!(aligned_difference(&found.pixels, &read(&seven(100, 10, 0, 255)).pixels) < 1.0);

    // Dark marks on a page whose ink is said to be light are not ink.
    assert_eq!(digit::read(&seven(100, 10, 0, 255), 28, 28, Some(Ink::Light)).ink, None);
}

/// The heavy end of this shape would be centred, and its long tail pushed out of the image, if nothing kept it inside.
#[test]
fn ink_is_never_cut() {
    let comet = drawn(300, 300, |y, x| {
        let head = y < 60 && (100..200).contains(&x);
        let tail = (148..152).contains(&x) && y < 280;
        if (head || tail) && y >= 10 { 0 } else { 255 }
    });
    let found = read(&comet);
    let rows: Vec<bool> = found.pixels.chunks(28).map(|row| row.iter().any(|&pixel| pixel > 0)).collect();
    assert_eq!(rows.iter().filter(|&&inked| inked).count(), 20, "{rows:?}");
}

#[test]
fn other_sizes_scale_the_recipe() {
    for (height, width, side) in [(32, 32, 23), (56, 56, 40), (28, 40, 20), (1, 1, 1), (5, 9, 4)] {
        let found = digit::read(&seven(300, 30, 0, 255), height, width, None);
        assert_eq!(found.pixels.len(), height * width);
        let rows = found.pixels.chunks(width).filter(|row| row.iter().any(|&pixel| pixel > 0)).count();
        assert_eq!(rows, side, "{height} x {width}");
    }
}

#[test]
fn any_picture_is_read_without_panic() {
    let mut noise = Noise(5);
    for round in 0..3000 {
        let (height, width) = (1 + noise.next() as usize % 40, 1 + noise.next() as usize % 40);
        let levels = 1 + noise.next() % 256;
        let pixels = (0..height * width).map(|_| (noise.next() % levels * 255 / levels) as u8).collect();
        let picture = Picture::gray(height, width, pixels).unwrap();
        let found = read(&picture);
        assert_eq!(found.pixels.len(), 784, "round {round}");
        assert_eq!(found.ink.is_some(), found.pixels.iter().any(|&pixel| pixel > 0), "round {round}");
    }
    let noisy: Vec<u8> = (0..2_000_000).map(|_| noise.next() as u8).collect();
    for (height, width) in [(1, 2_000_000), (2_000_000, 1), (2, 1_000_000), (1000, 2000)] {
        read(&Picture::gray(height, width, noisy.clone()).unwrap());
    }
}

/// A page on which more than the digit can be seen: each adds something to a clean photograph.
#[test]
fn what_is_no_digit_is_left_out() {
    type Nuisance = fn(usize, usize, f64) -> f64;
    let ruled: Nuisance = |y, _, light| if y % 60 < 2 { light * 0.7 } else { light };
    let squared: Nuisance = |y, x, light| if y % 50 < 2 || x % 50 < 2 { light * 0.7 } else { light };
    let margin: Nuisance = |_, x, light| if (60..63).contains(&x) { light * 0.5 } else { light };
    let shadow: Nuisance = |y, x, light| if 3 * x + y < 1500 { light } else { light * 0.6 };
    let pen: Nuisance = |y, x, light| if (x + y).abs_diff(330) < 12 && y < 300 { 40.0 } else { light };
    let finger: Nuisance = |y, x, light| {
        let inside = (y as f64 - 300.0).powi(2) / 50f64.powi(2) + (x as f64 - 40.0).powi(2) / 120f64.powi(2) < 1.0;
        if inside { 120.0 } else { light }
    };
    let table: Nuisance = |y, _, light| if y < 420 { light } else { 60.0 };
    let card: Nuisance = |y, x, light| if (15..300).contains(&y) && (300..620).contains(&x) { light } else { 50.0 };
    let dust: Nuisance = |y, x, light| if y % 97 < 3 && x % 89 < 3 { 60.0 } else { light };
    // Name, what is added, and the largest mean difference to the reading of the clean page (grey levels of 255): about
    // twice what was measured.
    let nuisances = [
        ("ruled paper", ruled, 5.0),
        ("squared paper", squared, 10.0),
        ("a margin", margin, 1.0),
        ("the edge of a shadow", shadow, 6.0),
        ("a pen", pen, 1.0),
        ("a finger", finger, 1.0),
        ("the table", table, 1.0),
        ("a card on a table", card, 1.0),
        ("dust", dust, 3.0),
    ];
    for (name, nuisance, bound) in nuisances {
        let mut sum = 0.0;
        let originals = mnist(12);
        for original in &originals {
            let clean = PHOTO.draw(original, &mut Noise(3));
            let mut picture = clean.clone();
            for (at, pixel) in picture.pixels.iter_mut().enumerate() {
                let changed = nuisance(at / 640, at % 640, f64::from(*pixel));
                // Ink stays as dark as it is.
                *pixel = changed.min(f64::from(*pixel)).round() as u8;
            }
            let found = read(&picture);
            assert_eq!((found.ink, found.count), (Some(Ink::Dark), 1), "{name}");
            sum += aligned_difference(&found.pixels, &read(&clean).pixels);
        }
        let mean = sum / originals.len() as f64;
        println!("{name}: {mean:.2}");
        assert!(mean < bound, "{name}: mean difference {mean:.2}");
    }
}

/// Red ink on blue paper of the same brightness: a grey picture of it is blank.
#[test]
fn ink_is_seen_by_its_colour() {
    let plane = |ink, paper| seven(100, 10, ink, paper).pixels;
    let colour = [plane(190, 90), plane(60, 98), plane(60, 156)].concat();
    let picture = Picture::rgb(100, 100, colour).unwrap();
    assert!(picture.to_gray().pixels.iter().all(|pixel| pixel.abs_diff(100) <= 3));
    assert!(aligned_difference(&read(&picture).pixels, &read(&seven(100, 10, 0, 255)).pixels) < 1.0);
}

/// A "5" whose bar does not touch the rest.
#[test]
fn parts_of_a_digit_stay_together() {
    let five = drawn(300, 300, |y, x| {
        let bar = (60..80).contains(&y) && (150..220).contains(&x);
        let stem = (60..140).contains(&y) && (110..130).contains(&x);
        let (dy, dx) = (y as f64 - 180.0, x as f64 - 140.0);
        let bow = (40.0..60.0).contains(&dx.hypot(dy)) && (dx > -20.0 || dy > 20.0);
        if bar || stem || bow { 20 } else { 230 }
    });
    let found = read(&five);
    assert_eq!((found.region.top, found.region.width, found.count), (60, 136, 1), "{:?}", found.region);
}

#[test]
fn several_digits_are_counted_and_read_from_left_to_right() {
    let originals = mnist(4);
    let alone: Vec<Vec<u8>> =
        originals.iter().map(|original| read(&PHOTO.draw(original, &mut Noise(3))).pixels).collect();
    let mut noise = Noise(3);
    let pages = [0, 150, 300, 450].map(|left| Page { left, top: 120, scale: 5, ..PHOTO });
    let pictures: Vec<Picture> =
        pages.iter().zip(&originals).map(|(page, digit)| page.draw(digit, &mut noise)).collect();
    let darkest = |at: usize| pictures.iter().map(|picture| picture.pixels[at]).min().unwrap();
    let picture = Picture::gray(480, 640, (0..480 * 640).map(darkest).collect()).unwrap();
    assert_eq!(read(&picture).count, 4);
    let digits = digit::read_all(&picture, 28, 28, None);
    assert_eq!(digits.len(), 4);
    for (place, (digit, alone)) in digits.iter().zip(alone).enumerate() {
        assert_eq!((digit.count, digit.ink), (4, Some(Ink::Dark)));
        let difference = aligned_difference(&digit.pixels, &alone);
        assert!(difference < 3.0, "digit {place}: {difference:.2}");
    }
    assert!(digit::read_all(&drawn(100, 100, |_, _| 200), 28, 28, None).is_empty());
}

#[test]
fn stages_end_with_what_is_read() {
    for page in [PHOTO, Page { height: 1500, width: 2000, scale: 3, ..PHOTO }] {
        let picture = page.draw(&mnist(1)[0], &mut Noise(3));
        let stages = digit::stages(&picture, 28, 28, None);
        assert!(stages.iter().all(|stage| stage.picture.is_consistent() && !stage.name.is_empty()));
        assert_eq!(stages.last().unwrap().picture.pixels, read(&picture).pixels);
    }
    assert!(digit::stages(&drawn(50, 50, |_, _| 9), 28, 28, None).is_empty());
}

/// A fine pen's lines on a large page would be grey and half a pixel wide.
#[test]
fn fine_lines_get_the_width_of_a_pen() {
    let bright = |pixels: &[u8]| pixels.iter().filter(|&&pixel| pixel > 150).count();
    let (fine, usual) = (read(&seven(600, 6, 0, 255)), read(&seven(600, 30, 0, 255)));
    assert!(2 * bright(&fine.pixels) > bright(&usual.pixels), "{} of {}", bright(&fine.pixels), bright(&usual.pixels));
}
