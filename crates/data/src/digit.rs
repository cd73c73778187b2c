//! Finding digits anywhere in a picture and bringing them to MNIST's form.
//!
//! A network trained on MNIST has only ever seen light ink on black, 20 pixels tall or wide, with its centre of mass in the
//! middle of 28 x 28 pixels. Photographs and scans look different: light falls off, shadows lie across the paper, it is ruled
//! or squared, ink has a colour, and at the edge there is a finger, a pen or the table. This module removes the difference:
//!
//! ```text
//! colour [3, h, w] -> reduced, light flattened                                            (view, light)
//!                  -> what stands out, dark or light, for strokes of several widths       (contrast)
//!                  -> at several thresholds: rules taken out, connected components        (rules, components)
//!                  -> groups of components, scored: the best one is the digit             (candidates)
//!                  -> paper around it, strength of its ink in its own colour, cut out     (strokes)
//!                  -> longer side 20 pixels, antialiased, stretched so that ink reaches 255,
//!                     centre of mass on pixel (14, 14) of 28 x 28, without cutting off ink (placement)
//! ```
//!
//! The last steps are those with which MNIST itself was made (LeCun et al., "The MNIST database", on normalisation). For sizes
//! other than 28, the 20 and the 14 are scaled. Nothing here knows what digits look like but for being drawn with strokes: a
//! letter is read as well, and it is the network's business to be unsure about it.

use crate::picture::{Picture, Rect};

mod background;
mod candidates;
mod components;
mod contrast;
mod light;
mod placement;
mod rules;
mod stages;
mod strokes;
mod view;

use background::Background;
pub use background::Ink;
use candidates::{Candidate, Search, search};
use placement::place;
pub use stages::Stage;
use strokes::Strokes;
use view::View;

/// The longest side of the reduced picture in which digits are searched for, in pixels.
const SEARCH_SIDE: usize = 400;

/// If the digit is smaller than this in the reduced picture, it is looked at again in its surroundings alone; in pixels.
const ENOUGH_DETAIL: usize = 64;

/// The brightest ground of light ink that counts as clean, in grey levels.
const CLEAN_BLACK: f32 = 8.0;

/// A digit in MNIST's form: the result of [`read`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digit {
    /// `[height, width]` of the requested size: light ink on black. All zero if there is no ink.
    pub pixels: Vec<u8>,
    /// What the ink looked like in the picture; `None` if the picture is blank.
    pub ink: Option<Ink>,
    /// The ink's bounding box in the picture; the whole picture if it is blank.
    pub region: Rect,
    /// How many digits there are in the picture; 0 if it is blank.
    pub count: usize,
}

impl Digit {
    fn blank(picture: &Picture, height: usize, width: usize) -> Self {
        Self { pixels: vec![0; height * width], ink: None, region: Rect::whole(picture), count: 0 }
    }
}

/// Finds the digit in a picture, the most prominent one if there are several, and brings it to MNIST's form on `height` x
/// `width` pixels.
///
/// `known` says what the ink looks like. Without it, both are tried.
///
/// # Panics
/// If the picture is not [consistent](Picture::is_consistent).
pub fn read(picture: &Picture, height: usize, width: usize, known: Option<Ink>) -> Digit {
    let Some((view, found)) = find(picture, known) else { return Digit::blank(picture, height, width) };
    let count = 1 + found.others.len();
    let digit = cut_out(picture, &view, &found, &found.best, [height, width]);
    digit.map_or_else(|| Digit::blank(picture, height, width), |digit| Digit { count, ..digit })
}

/// Finds all digits of a picture, from left to right; none if it is blank. Otherwise as [`read`].
///
/// # Panics
/// If the picture is not [consistent](Picture::is_consistent).
pub fn read_all(picture: &Picture, height: usize, width: usize, known: Option<Ink>) -> Vec<Digit> {
    let Some((view, found)) = find(picture, known) else { return Vec::new() };
    let candidates = found.others.iter().chain([&found.best]);
    let mut digits: Vec<Digit> =
        candidates.filter_map(|candidate| cut_out(picture, &view, &found, candidate, [height, width])).collect();
    digits.sort_by_key(|digit| (2 * digit.region.left + digit.region.width, digit.region.top));
    let count = digits.len();
    digits.iter_mut().for_each(|digit| digit.count = count);
    digits
}

fn find(picture: &Picture, known: Option<Ink>) -> Option<(View, Search)> {
    assert!(picture.is_consistent(), "{} bytes are not a picture", picture.pixels.len());
    let view = View::of(picture, Rect::whole(picture), SEARCH_SIDE);
    let found = search(&view, known, None)?;
    Some((view, found))
}

/// A digit that was found in a view of the whole picture, in MNIST's form.
fn cut_out(picture: &Picture, view: &View, found: &Search, candidate: &Candidate, size: [usize; 2]) -> Option<Digit> {
    let (region, strokes) = match closer(picture, view, found, candidate) {
        Some((view, _, strokes)) => (view.in_picture(strokes.region), strokes),
        None => {
            let strokes = Strokes::of(view, found, candidate)?;
            (view.in_picture(strokes.region), strokes)
        }
    };
    let [height, width] = size;
    Some(Digit { pixels: place(&strokes, height, width), ink: Some(found.contrast().ink), region, count: 1 })
}

/// Looks again at a digit that is small in its view, in its surroundings alone; `None` if it is large enough or lost there.
fn closer(picture: &Picture, view: &View, found: &Search, candidate: &Candidate) -> Option<(View, Search, Strokes)> {
    if view.factor == 1 || candidate.bounds.width.max(candidate.bounds.height) >= ENOUGH_DETAIL {
        return None;
    }
    let whole = view.in_picture(candidate.bounds);
    let view = View::of(picture, surroundings(whole, view.factor, picture), SEARCH_SIDE);
    let found = search(&view, Some(found.contrast().ink), Some(view.of_picture(whole)))?;
    let strokes = Strokes::of(&view, &found, &found.best)?;
    Some((view, found, strokes))
}

/// How a picture is read, step by step, as pictures for people: none if it is blank.
///
/// # Panics
/// If the picture is not [consistent](Picture::is_consistent).
pub fn stages(picture: &Picture, height: usize, width: usize, known: Option<Ink>) -> Vec<Stage> {
    let Some((view, found)) = find(picture, known) else { return Vec::new() };
    let last = match closer(picture, &view, &found, &found.best) {
        Some(closer) => Some(closer),
        None => Strokes::of(&view, &found, &found.best).map(|strokes| (view, found, strokes)),
    };
    last.map_or_else(Vec::new, |(view, found, strokes)| stages::of(&view, &found, &strokes, [height, width]))
}

/// Whether a picture's ink is light or dark; `None` if the picture is blank.
///
/// # Panics
/// If the picture is not [consistent](Picture::is_consistent).
pub fn ink(picture: &Picture) -> Option<Ink> {
    assert!(picture.is_consistent(), "{} bytes are not a picture", picture.pixels.len());
    let view = View::of(picture, Rect::whole(picture), SEARCH_SIDE);
    let gray = view.gray();
    Background::of(&gray, view.height, view.width).ink(&gray, view.width)
}

/// Takes a picture that already looks like MNIST's (a clean dark ground, or a clean light one, which is inverted), leaving
/// its pixels in place; `None` if it needs [`read`]. The caller checks the size.
pub(crate) fn already_placed(gray: &Picture, known: Option<Ink>) -> Option<Digit> {
    let background = Background::of(&gray.pixels, gray.height, gray.width);
    let found = background.ink(&gray.pixels, gray.width);
    let ink = known.or(found).unwrap_or(Ink::Light);
    let (ground, pixels) = match ink {
        Ink::Light => (background.level(), gray.pixels.clone()),
        Ink::Dark => (255.0 - background.level(), gray.pixels.iter().map(|pixel| 255 - pixel).collect()),
    };
    let region = Rect::whole(gray);
    let count = usize::from(found.is_some());
    (ground <= CLEAN_BLACK).then_some(Digit { pixels, ink: found.and(Some(ink)), region, count })
}

/// A box of the picture with a margin of its longer side, but at least 24 reduced pixels.
fn surroundings(found: Rect, factor: usize, picture: &Picture) -> Rect {
    let margin = found.width.max(found.height).max(24 * factor);
    found.with_margin(margin, [picture.height, picture.width])
}
