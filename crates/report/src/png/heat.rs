//! The confusion matrix as a picture.

use super::canvas::{BLACK, Canvas, Colour, GREY, SIDE, WHITE};
use super::letters::shortened;
use crate::blocks::Matrix;

/// More classes than this have neither names nor numbers.
const NAMED: usize = 30;

/// Letters of a name.
const LONGEST: usize = 20;

/// Pixels around everything.
const MARGIN: usize = 16;

/// About as many pixels does a side have without names.
const UNNAMED_SIDE: usize = 1200;

/// The confusion matrix as a PNG file: a row for each true class, a column for each predicted one, blue where they agree, red
/// where they do not. Up to thirty classes have their names and numbers.
pub fn confusion(matrix: &Matrix) -> Vec<u8> {
    let classes = matrix.classes.len();
    let cell = match classes {
        0..=NAMED => cell_side(matrix),
        _ => (UNNAMED_SIDE / classes).max(1),
    };
    let names: Vec<_> = match classes {
        0..=NAMED => matrix.classes.iter().map(|name| shortened(name, LONGEST)).collect(),
        _ => Vec::new(),
    };
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let named = if longest > 0 { (longest + 1) * SIDE } else { 0 };
    // The axes' names, then the classes'.
    let start = MARGIN + 2 * SIDE + named;
    let mut canvas = Canvas::new(start + classes * cell + MARGIN, start + classes * cell + MARGIN);
    canvas.write([start, MARGIN], "predicted class", GREY);
    canvas.write_up([MARGIN, start + "true class".len() * SIDE], "true class", GREY);
    for (place, name) in names.iter().enumerate() {
        let middle = start + place * cell + (cell - SIDE) / 2;
        let indent = (longest - name.chars().count()) * SIDE;
        canvas.write([start - named + indent, middle], name, BLACK);
        canvas.write_up([middle, start - SIDE], name, BLACK);
    }
    for (place, share) in matrix.shares().into_iter().enumerate() {
        let (label, predicted, count) = (place / classes, place % classes, matrix.counts[place]);
        let corner = [start + predicted * cell, start + label * cell];
        let gap = usize::from(!names.is_empty());
        let (colour, strength) = shade(share, label == predicted);
        canvas.fill(corner, [cell - gap; 2], colour);
        if !names.is_empty() && count > 0 {
            let text = count.to_string();
            let [x, y] = corner;
            let ink = if strength > 0.5 { WHITE } else { BLACK };
            canvas.write([x + (cell - text.len() * SIDE) / 2, y + (cell - SIDE) / 2], &text, ink);
        }
    }
    canvas.into_png()
}

/// A cell that the longest number fits into.
fn cell_side(matrix: &Matrix) -> usize {
    let digits = matrix.counts.iter().max().map_or(1, |count| count.to_string().len());
    (digits + 1).max(3) * SIDE
}

/// The power by which shares of mistakes are shown: a few among thousands matter.
const MISTAKES: f64 = 0.3;

/// The colour of a share of a row, and how strong it is, 0 to 1. Mistakes are shown stronger than they are.
fn shade(share: f64, correct: bool) -> (Colour, f64) {
    const RIGHT: Colour = [37, 99, 235];
    const WRONG: Colour = [200, 60, 20];
    let (full, strength) = if correct { (RIGHT, share) } else { (WRONG, share.powf(MISTAKES)) };
    // Nothing at all is paper, and a little is to be seen.
    let strength = if share > 0. { 0.06 + 0.94 * strength } else { 0.02 };
    (full.map(|channel| (255. - (255. - f64::from(channel)) * strength).round() as u8), strength)
}
