//! Which pixels belong to the digit: connected strokes without specks.
//!
//! There are two thresholds. A stroke must have strong pixels (by Otsu's split of everything above the noise), and includes
//! all weak pixels connected to it, because the faint edge of an antialiased stroke belongs to it.

use crate::picture::Rect;

/// A stroke counts if it has at least one strong pixel for this many of the largest stroke's.
const LEAST_SHARE: usize = 33;

/// The longer side of the smallest shape taken for a digit, in pixels; in large pictures it is a hundredth of their shorter
/// side.
const LEAST_SIDE: usize = 3;

/// The ink of a digit, cut out of its picture.
#[derive(Clone, Debug)]
pub(super) struct Strokes {
    /// Its position in the picture that was searched.
    pub region: Rect,
    /// `[region.height, region.width]`: 0 = paper, 255 = the core of a stroke.
    pub pixels: Vec<u8>,
}

/// A horizontal run of weak pixels.
#[derive(Clone, Copy)]
struct PixelRun {
    row: usize,
    start: usize,
    end: usize,
}

impl Strokes {
    /// Finds the strokes in `[height, width]` strengths, of which those up to `floor` are noise; `None` if there are none.
    pub(super) fn find(strength: &[u8], height: usize, width: usize, floor: u8) -> Option<Self> {
        let (split, core) = otsu(strength, floor)?;
        let weak = floor.max(core / 10);
        let runs = runs(strength, width, weak);
        let labels = connect(&runs);

        let mut strong = vec![0usize; runs.len()];
        for (run, &label) in runs.iter().zip(&labels) {
            let pixels = &strength[run.row * width..][run.start..run.end];
            strong[label] += pixels.iter().filter(|&&pixel| pixel > split).count();
        }
        let (main, &largest) = strong.iter().enumerate().max_by_key(|&(_, &pixels)| pixels)?;
        // A speck on blank paper or a few pixels of noise are not a digit.
        let around = bounds(runs.iter().zip(&labels).filter(|&(_, &label)| label == main).map(|(run, _)| run))?;
        if around.width.max(around.height) < (height.min(width) / 100).max(LEAST_SIDE) {
            return None;
        }
        let kept = |label: usize| strong[label] > 0 && strong[label] * LEAST_SHARE >= largest;
        let runs: Vec<PixelRun> =
            runs.iter().zip(&labels).filter(|&(_, &label)| kept(label)).map(|(run, _)| *run).collect();

        let region = bounds(&runs)?;
        Some(Self { region, pixels: cut(strength, width, &runs, region, split) })
    }
}

/// The bounding box of runs that are sorted by row.
fn bounds<'a>(runs: impl IntoIterator<Item = &'a PixelRun>) -> Option<Rect> {
    let mut runs = runs.into_iter();
    let first = runs.next()?;
    let (mut left, mut right, mut bottom) = (first.start, first.end, first.row);
    for run in runs {
        (left, right, bottom) = (left.min(run.start), right.max(run.end), run.row);
    }
    Some(Rect { left, top: first.row, width: right - left, height: bottom + 1 - first.row })
}

/// Otsu's threshold for the strengths above `floor`, and the mean of those above the threshold; `None` if there are none. If
/// there is only one level of ink, the threshold is `floor`.
///
/// Only what is above the noise is split. In a large picture with a thin digit, paper outnumbers ink a thousandfold, and the
/// best split of all pixels would divide the paper.
fn otsu(strength: &[u8], floor: u8) -> Option<(u8, u8)> {
    let mut histogram = [0u64; 256];
    strength.iter().for_each(|&value| histogram[usize::from(value)] += 1);
    histogram[..=usize::from(floor)].fill(0);
    let moments = |levels: std::ops::Range<usize>| {
        levels
            .fold((0u64, 0u64), |(count, sum), level| (count + histogram[level], sum + histogram[level] * level as u64))
    };
    let (count, sum) = moments(0..256);
    if count == 0 {
        return None;
    }
    let (mut best, mut split) = (0.0, floor);
    let (mut below, mut below_sum) = (0, 0);
    for level in floor..255 {
        below += histogram[usize::from(level)];
        below_sum += histogram[usize::from(level)] * u64::from(level);
        if below == 0 || below == count {
            continue;
        }
        let above = count - below;
        let distance = (sum - below_sum) as f64 / above as f64 - below_sum as f64 / below as f64;
        let between = below as f64 * above as f64 * distance * distance;
        if between > best {
            (best, split) = (between, level);
        }
    }
    let (count, sum) = moments(usize::from(split) + 1..256);
    Some((split, (sum / count.max(1)) as u8))
}

/// The runs of pixels above `weak`, row by row.
fn runs(strength: &[u8], width: usize, weak: u8) -> Vec<PixelRun> {
    let mut runs = Vec::new();
    for (row, line) in strength.chunks_exact(width).enumerate() {
        let mut at = 0;
        while let Some(start) = line[at..].iter().position(|&value| value > weak).map(|skipped| at + skipped) {
            let end = line[start..].iter().position(|&value| value <= weak).map_or(width, |length| start + length);
            runs.push(PixelRun { row, start, end });
            at = end;
        }
    }
    runs
}

/// Labels each run with the index of a run that represents its 8-connected component.
fn connect(runs: &[PixelRun]) -> Vec<usize> {
    fn root(parents: &mut [usize], mut at: usize) -> usize {
        while parents[at] != at {
            parents[at] = parents[parents[at]];
            at = parents[at];
        }
        at
    }
    let mut parents: Vec<usize> = (0..runs.len()).collect();
    // `above` advances through the previous row's runs alongside the current row's.
    let mut above = 0;
    for (index, run) in runs.iter().enumerate() {
        while above < index
            && (runs[above].row + 1 < run.row || (runs[above].row + 1 == run.row && runs[above].end < run.start))
        {
            above += 1;
        }
        let touching = runs[above..index].iter().take_while(|other| other.row + 1 == run.row && other.start <= run.end);
        for offset in 0..touching.count() {
            let (one, other) = (root(&mut parents, index), root(&mut parents, above + offset));
            parents[one.max(other)] = one.min(other);
        }
    }
    (0..runs.len()).map(|index| root(&mut parents, index)).collect()
}

/// The strengths of the runs alone, scaled so that the core of a stroke is 255. The core is the 80th percentile of the strong
/// pixels, since strokes have soft edges and the maximum would depend on noise.
fn cut(strength: &[u8], width: usize, runs: &[PixelRun], region: Rect, split: u8) -> Vec<u8> {
    let line = |run: &PixelRun| &strength[run.row * width..][run.start..run.end];
    let mut strong: Vec<u8> = runs.iter().flat_map(line).copied().filter(|&pixel| pixel > split).collect();
    let at = strong.len().saturating_sub(1) * 8 / 10;
    let core = if strong.is_empty() { 255 } else { u32::from(*strong.select_nth_unstable(at).1) };

    let mut pixels = vec![0; region.width * region.height];
    for run in runs {
        let start = (run.row - region.top) * region.width + run.start - region.left;
        for (pixel, &value) in pixels[start..].iter_mut().zip(line(run)) {
            *pixel = ((u32::from(value) * 255 + core / 2) / core).min(255) as u8;
        }
    }
    pixels
}
