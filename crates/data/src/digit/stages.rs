//! The steps of reading a digit as pictures.

use super::candidates::Search;
use super::placement::place;
use super::strokes::Strokes;
use super::view::View;
use crate::picture::{Picture, Rect};

/// Brightness of what was taken out as a rule, and of what is something else than the digit.
const RULE: u8 = 60;
const OTHER: u8 = 120;

/// A step of reading a digit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// In a few words, what it shows.
    pub name: &'static str,
    /// Grey; the steps differ in size.
    pub picture: Picture,
}

/// The steps by which a digit was found and cut out of a view.
pub(super) fn of(view: &View, found: &Search, strokes: &Strokes, [height, width]: [usize; 2]) -> Vec<Stage> {
    let stage = |name, [height, width]: [usize; 2], pixels| {
        let picture = Picture { channels: 1, height, width, pixels };
        Stage { name, picture }
    };
    let size = [view.height, view.width];
    let contrast = found.contrast();
    let brightest = contrast.strength.iter().copied().max().map_or(1, |most| u32::from(most).max(1));
    let scaled = contrast.strength.iter().map(|&value| (u32::from(value) * 255 / brightest) as u8).collect();

    let mut parts = vec![0; view.height * view.width];
    found.layer.rules.iter().for_each(|&at| parts[at] = RULE);
    for (run, component) in &found.layer.components.runs {
        let shade = if found.best.parts.contains(component) { 255 } else { OTHER };
        parts[run.row * view.width..][run.start..run.end].fill(shade);
    }
    let Rect { height: tall, width: wide, .. } = strokes.region;
    let around = [strokes.around.height, strokes.around.width];
    vec![
        stage("picture", size, view.gray()),
        stage("what stands out", size, scaled),
        stage("digit, other things, rules", size, parts),
        stage("strength of its ink", around, strokes.strength.clone()),
        stage("cut out", [tall, wide], strokes.pixels.clone()),
        stage("as in MNIST", [height, width], place(strokes, height, width)),
    ]
}
