//! Connected components of a mask, with what tells strokes from other things.

use crate::picture::Rect;

/// How far from a component its outside is measured, in pixels.
const OUTSIDE: usize = 3;

/// A horizontal run of a mask's pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct PixelRun {
    pub row: usize,
    pub start: usize,
    pub end: usize,
}

/// An 8-connected set of pixels.
#[derive(Clone, Debug)]
pub(super) struct Component {
    pub bounds: Rect,
    /// Number of pixels.
    pub area: usize,
    /// Sides of pixels that border on pixels outside.
    perimeter: usize,
    /// Pixels on the edge of the picture.
    pub on_edge: usize,
    /// Enclosed gaps.
    pub holes: usize,
    /// Mean strength, in grey levels.
    pub strength: f32,
    /// Mean strength just outside, to the left and right of it.
    pub outside: f32,
    /// Side of the largest square in it, in pixels.
    pub thickest: usize,
    /// While it is being built: runs less contacts between them, and sums of strengths, inside and outside.
    euler: isize,
    sum: u64,
    outside_sum: u64,
    outside_count: usize,
}

impl Component {
    fn new(run: &PixelRun) -> Self {
        let bounds = Rect { left: run.start, top: run.row, width: run.end - run.start, height: 1 };
        Self {
            bounds,
            area: 0,
            perimeter: 0,
            on_edge: 0,
            holes: 0,
            strength: 0.0,
            outside: 0.0,
            thickest: 0,
            euler: 0,
            sum: 0,
            outside_sum: 0,
            outside_count: 0,
        }
    }

    /// Adds a run, which is not above those added before.
    fn add(&mut self, run: &PixelRun, touching: Touching, strength: &[u8], depth: &[u8], height: usize) {
        let width = strength.len();
        let length = run.end - run.start;
        let Rect { left, top, width: wide, .. } = self.bounds;
        let first = left.min(run.start);
        self.bounds = Rect { left: first, top, width: (left + wide).max(run.end) - first, height: run.row + 1 - top };
        self.area += length;
        self.perimeter += 2 + 2 * length - 2 * touching.shared;
        let ends = usize::from(run.start == 0) + usize::from(run.end == width);
        self.on_edge += if run.row == 0 || run.row + 1 == height { length } else { ends };
        self.euler += 1 - touching.count as isize;
        self.sum += strength[run.start..run.end].iter().map(|&s| u64::from(s)).sum::<u64>();
        let beyond = [run.start.checked_sub(OUTSIDE), Some(run.end + OUTSIDE - 1).filter(|&x| x < width)];
        for x in beyond.into_iter().flatten() {
            self.outside_sum += u64::from(strength[x]);
            self.outside_count += 1;
        }
        let deepest = depth[run.start..run.end].iter().copied().max().unwrap_or(0);
        self.thickest = self.thickest.max((2 * usize::from(deepest)).saturating_sub(1));
    }

    fn finish(&mut self) {
        self.holes = (1 - self.euler).max(0) as usize;
        self.strength = self.sum as f32 / self.area as f32;
        self.outside = self.outside_sum as f32 / self.outside_count.max(1) as f32;
    }

    /// The longer side of the bounding box.
    pub(super) fn long(&self) -> f32 {
        self.bounds.width.max(self.bounds.height) as f32
    }

    /// The width of the strokes: of a long stripe, twice the area by the perimeter. Steps at pixels make the perimeter of
    /// lines in all directions 4 / pi times as long on average.
    pub(super) fn stroke(&self) -> f32 {
        2.0 * self.area as f32 / (self.perimeter as f32 * std::f32::consts::FRAC_PI_4 - 2.0).max(1.0)
    }
}

/// Each pixel's distance from the nearest pixel outside the mask, whose runs these are, in steps in all eight directions; the
/// edge of the picture is no border.
fn depth(runs: &[PixelRun], height: usize, width: usize) -> Vec<u8> {
    let mut depth = vec![0u8; height * width];
    // Along a run, given the row beside it; what is not known yet is far.
    let pass = |line: &mut [u8], run: &PixelRun, beside: Option<&[u8]>| {
        let &PixelRun { start, end, .. } = run;
        let mut known = if start == 0 { 254 } else { 0 };
        for x in start..end {
            let near = beside.map_or(254, |row| row[x.saturating_sub(1)].min(row[x]).min(row[(x + 1).min(width - 1)]));
            known = line[x].min(near.min(known).min(254) + 1);
            line[x] = known;
        }
        known = if end == width { 254 } else { 0 };
        for x in (start..end).rev() {
            known = line[x].min(known.min(254) + 1);
            line[x] = known;
        }
    };
    for run in runs {
        let (above, rest) = depth.split_at_mut(run.row * width);
        rest[run.start..run.end].fill(255);
        pass(&mut rest[..width], run, (run.row > 0).then(|| &above[(run.row - 1) * width..]));
    }
    for run in runs.iter().rev() {
        let (rest, below) = depth.split_at_mut((run.row + 1) * width);
        pass(&mut rest[run.row * width..], run, (run.row + 1 < height).then(|| &below[..width]));
    }
    depth
}

/// The first pixel for which a mask holds. Most hold for few pixels, so the others are passed over many at a time.
pub(super) fn first_set(mask: &[bool]) -> Option<usize> {
    const MANY: usize = 32;
    let none = |chunk: &&[bool]| !chunk.iter().fold(false, |any, &set| any | set);
    let passed = MANY * mask.chunks_exact(MANY).take_while(none).count();
    mask[passed..].iter().position(|&set| set).map(|at| passed + at)
}

/// The runs of pixels for which the mask holds, row by row.
fn runs(mask: &[bool], width: usize) -> Vec<PixelRun> {
    let mut runs = Vec::new();
    for (row, line) in mask.chunks_exact(width).enumerate() {
        let mut at = 0;
        while let Some(start) = first_set(&line[at..]).map(|skipped| at + skipped) {
            let end = line[start..].iter().position(|&set| !set).map_or(width, |length| start + length);
            runs.push(PixelRun { row, start, end });
            at = end;
        }
    }
    runs
}

/// The components of a mask.
#[derive(Clone, Debug)]
pub(super) struct Components {
    /// In the order of their first pixels.
    pub all: Vec<Component>,
    /// The runs, row by row, each with the index of its component.
    pub runs: Vec<(PixelRun, usize)>,
}

impl Components {
    /// Those of a mask. `strength` is `[height, width]`.
    pub(super) fn of(mask: &[bool], strength: &[u8], height: usize, width: usize) -> Self {
        let runs = runs(mask, width);
        let depth = depth(&runs, height, width);
        let (labels, touching) = connect(&runs);
        let mut places = vec![usize::MAX; runs.len()];
        let mut all: Vec<Component> = Vec::new();
        for ((run, &label), touching) in runs.iter().zip(&labels).zip(&touching) {
            if places[label] == usize::MAX {
                places[label] = all.len();
                all.push(Component::new(run));
            }
            let line = run.row * width..(run.row + 1) * width;
            all[places[label]].add(run, *touching, &strength[line.clone()], &depth[line], height);
        }
        all.iter_mut().for_each(Component::finish);
        let runs = runs.into_iter().zip(labels).map(|(run, label)| (run, places[label])).collect();
        Self { all, runs }
    }
}

/// How a run touches those of the row above.
#[derive(Clone, Copy, Default)]
struct Touching {
    /// Runs that it touches.
    count: usize,
    /// Pixels right above its own.
    shared: usize,
}

/// Labels each run with the index of a run that represents its 8-connected component.
fn connect(runs: &[PixelRun]) -> (Vec<usize>, Vec<Touching>) {
    fn root(parents: &mut [usize], mut at: usize) -> usize {
        while parents[at] != at {
            parents[at] = parents[parents[at]];
            at = parents[at];
        }
        at
    }
    let mut parents: Vec<usize> = (0..runs.len()).collect();
    let mut touches = vec![Touching::default(); runs.len()];
    // `above` advances through the previous row's runs alongside the current row's.
    let mut above = 0;
    for (index, run) in runs.iter().enumerate() {
        while above < index
            && (runs[above].row + 1 < run.row || (runs[above].row + 1 == run.row && runs[above].end < run.start))
        {
            above += 1;
        }
        let touching = runs[above..index].iter().take_while(|other| other.row + 1 == run.row && other.start <= run.end);
        for (offset, other) in touching.enumerate() {
            let (one, upper) = (root(&mut parents, index), root(&mut parents, above + offset));
            parents[one.max(upper)] = one.min(upper);
            touches[index].count += 1;
            touches[index].shared += other.end.min(run.end).saturating_sub(other.start.max(run.start));
        }
    }
    ((0..runs.len()).map(|index| root(&mut parents, index)).collect(), touches)
}
