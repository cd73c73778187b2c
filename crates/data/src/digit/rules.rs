//! Ruled and squared paper, and margins: long thin lines across the picture, which are followed and taken out of a mask.
//!
//! A rule is followed from column to column as a chain of short vertical runs of the mask; where a stroke crosses it, the runs
//! are long, and the chain is taken up again behind. Only the short runs are taken out, so the crossing stroke stays whole.
//! Upright lines are found in the same way with rows and columns exchanged.

use super::components::first_set;

/// A rule is at most this share of the picture's shorter side thick, and at least [`LEAST_THICKNESS`] pixels may be.
const THICKNESS: f32 = 0.018;
const LEAST_THICKNESS: usize = 3;

/// A rule that ends within the picture is at least this share of its side long, and reaches one edge.
const SHORT: f32 = 0.35;

/// A rule that reaches no edge is at least this long.
const LONG: f32 = 0.75;

/// The largest gap that a crossing stroke leaves in a rule, as a share of the shorter side.
const GAP: f32 = 0.2;

/// At least this share of a rule is seen.
const COVERAGE: f32 = 0.5;

/// What is this many times stronger than the rest of a rule is ink on the rule.
const INK: f32 = 1.7;

/// A short vertical run.
#[derive(Clone, Copy)]
struct Piece {
    column: usize,
    top: usize,
    bottom: usize,
    strength: u8,
}

impl Piece {
    fn middle(&self) -> f32 {
        (self.top + self.bottom) as f32 / 2.0
    }
}

/// A chain of pieces.
struct Track {
    pieces: Vec<Piece>,
    slope: f32,
}

impl Track {
    fn last(&self) -> Piece {
        self.pieces[self.pieces.len() - 1]
    }

    /// The row in which it would pass a column.
    fn expected(&self, column: usize) -> f32 {
        let last = self.last();
        last.middle() + self.slope * (column - last.column) as f32
    }

    fn push(&mut self, piece: Piece) {
        self.pieces.push(piece);
        // The slope of the recent part, once it is long enough to have one.
        let back = self.pieces[self.pieces.len().saturating_sub(48)];
        let length = piece.column - back.column;
        if length >= 12 {
            self.slope = (piece.middle() - back.middle()) / length as f32;
        }
    }

    /// Whether it can still become a rule: it is seen often enough.
    fn is_hopeful(&self, column: usize) -> bool {
        let length = column - self.pieces[0].column;
        length < 24 || self.pieces.len() as f32 >= 0.7 * COVERAGE * length as f32
    }
}

/// Takes rules out of a mask and returns those pixels. `turned` and `turned_strength` are the transposes.
pub(super) fn remove_rules(
    mask: &mut [bool],
    strength: &[u8],
    turned: &[bool],
    turned_strength: &[u8],
    [height, width]: [usize; 2],
) -> Vec<usize> {
    // What runs from top to bottom of the picture runs across the rows; the other direction is that of the transpose.
    let mut removed = rules(mask, strength, width, height);
    removed
        .extend(rules(turned, turned_strength, height, width).into_iter().map(|at| at % height * width + at / height));
    removed.iter().for_each(|&at| mask[at] = false);
    removed
}

/// The pixels of rules that cross the lines of `[width, height]` pixels: `width` columns, each of `height` pixels in a row of
/// the memory.
fn rules(mask: &[bool], strength: &[u8], height: usize, width: usize) -> Vec<usize> {
    let short = height.min(width) as f32;
    let thickness = ((THICKNESS * short) as usize).max(LEAST_THICKNESS);
    let gap = ((GAP * short) as usize).max(3);
    if short < 40.0 {
        return Vec::new();
    }
    let mut removed = Vec::new();
    let mut active: Vec<Track> = Vec::new();
    // A rule that begins later is too short.
    let last_start = ((1.0 - SHORT) * width as f32) as usize;
    for column in 0..width {
        let is_over = |track: &Track| column - track.last().column > gap.min(2 + 4 * track.pieces.len());
        let (over, mut going): (Vec<_>, Vec<_>) = std::mem::take(&mut active).into_iter().partition(is_over);
        over.iter().filter(|track| is_rule(track, width)).for_each(|track| take(track, height, &mut removed));
        going.retain(|track| track.is_hopeful(column));
        going.sort_by(|a, b| a.expected(column).total_cmp(&b.expected(column)));
        let expected: Vec<f32> = going.iter().map(|track| track.expected(column)).collect();
        let mut started = Vec::new();
        for piece in
            pieces(&mask[column * height..][..height], &strength[column * height..][..height], column, thickness)
        {
            let after = expected.partition_point(|&row| row < piece.middle());
            let distance = |at: usize| (expected[at] - piece.middle()).abs();
            let nearest = [after.checked_sub(1), (after < expected.len()).then_some(after)].into_iter().flatten();
            let nearest = nearest.filter(|&at| going[at].last().column < column);
            let nearest = nearest.min_by(|&a, &b| distance(a).total_cmp(&distance(b)));
            // The longer it was out of sight, the less is known about where it is.
            let blind = |at: usize| (column - going[at].last().column) as f32 / gap as f32;
            match nearest.filter(|&at| distance(at) <= 1.5 + 0.01 * short * blind(at)) {
                Some(at) => going[at].push(piece),
                None if column < last_start => started.push(Track { pieces: vec![piece], slope: 0.0 }),
                None => {}
            }
        }
        going.append(&mut started);
        active = going;
    }
    active.iter().filter(|track| is_rule(track, width)).for_each(|track| take(track, height, &mut removed));
    removed
}

/// The short runs of a column.
fn pieces(mask: &[bool], strength: &[u8], column: usize, thickness: usize) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(top) = first_set(&mask[at..]).map(|skipped| at + skipped) {
        let end = mask[top..].iter().position(|&set| !set).map_or(mask.len(), |length| top + length);
        if end - top <= thickness {
            let strength = strength[top..end].iter().copied().max().unwrap_or(0);
            found.push(Piece { column, top, bottom: end - 1, strength });
        }
        at = end;
    }
    found
}

fn is_rule(track: &Track, width: usize) -> bool {
    let (first, last) = (track.pieces[0].column, track.last().column);
    let length = last + 1 - first;
    let edge = width / 50 + 1;
    let at_edge = first <= edge || last + 1 + edge >= width;
    let least = if at_edge { SHORT } else { LONG };
    length as f32 >= least * width as f32 && track.pieces.len() as f32 >= COVERAGE * length as f32
}

fn take(track: &Track, height: usize, removed: &mut Vec<usize>) {
    let mut strengths: Vec<u8> = track.pieces.iter().map(|piece| piece.strength).collect();
    let middle = strengths.len() / 2;
    let usual = f32::from(*strengths.select_nth_unstable(middle).1);
    for piece in track.pieces.iter().filter(|piece| f32::from(piece.strength) <= INK * usual) {
        removed.extend((piece.top..=piece.bottom).map(|row| piece.column * height + row));
    }
}
