//! Which of the things in a picture is the digit.
//!
//! Ink may be dark or light, its strokes narrow or wide, strong or faint, and none of it is known. So the picture is taken
//! apart in every way: for each ink and for strokes of several widths ([`Contrast`]), at several thresholds, into connected
//! [`components`]. Those that stand close together are one digit. Each such group gets a score that says how much it looks
//! like a digit: strong, large, of strokes of one width, not a solid blob, not cut by the picture's edge, not too far from its
//! middle. The best one is it.

use super::Ink;
use super::components::{Component, Components};
use super::contrast::{Contrast, noise};
use super::light::flatten;
use super::rules::remove_rules;
use super::view::View;
use crate::picture::Rect;

/// Widths of the windows of [`Contrast`], as shares of the picture's shorter side. Strokes take at most two fifths of them.
const WINDOWS: [f32; 4] = [0.05, 0.12, 0.28, 0.6];

/// The narrowest window, in pixels.
const LEAST_WINDOW: usize = 7;

/// How many thresholds are tried.
const LEVELS: usize = 6;

/// The longer side of the smallest shape taken for a digit, in pixels; in large pictures it is a hundredth of their shorter
/// side.
const LEAST_SIDE: usize = 3;

/// From this noise on, in grey levels, the picture is smoothed before the search; if its shorter side has so many pixels.
const NOISY: f32 = 1.5;
const LEAST_SMOOTHED: usize = 64;

/// How much worse than the paper it lies on a digit may score, and how much better than the strokes around it paper has to.
const ON_PAPER: f32 = 1.5;
const BETWEEN_STROKES: f32 = 1.0;

/// What a look from nearer finds where the digit was found before is worth so much more.
const SAME_PLACE: f32 = 1.0;

/// How many groups are looked at for each threshold.
const GROUPS: usize = 12;

/// A mask and what it falls apart into.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub components: Components,
    /// Pixels of rules, which were taken out.
    pub rules: Vec<usize>,
}

/// What may be a digit: components of a layer.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub contrast: usize,
    pub level: u8,
    /// Indices of components.
    pub parts: Vec<usize>,
    pub bounds: Rect,
    pub score: f32,
    /// Share of its box that it covers.
    fill: f32,
    /// Side of the largest square in it, in pixels.
    thickest: usize,
    /// Share of what lies around it that looks like itself; 0 until it is the best.
    paper_like: f32,
}

impl Candidate {
    fn long(&self) -> f32 {
        self.bounds.width.max(self.bounds.height) as f32
    }
}

/// What was found in a view.
#[derive(Clone, Debug)]
pub(super) struct Search {
    pub contrasts: Vec<Contrast>,
    /// The best candidate's layer.
    pub layer: Layer,
    /// Pixels of rules, however faint.
    pub rules: Vec<usize>,
    pub best: Candidate,
    /// Others like the best one, in no order.
    pub others: Vec<Candidate>,
}

impl Search {
    pub(super) fn contrast(&self) -> &Contrast {
        &self.contrasts[self.best.contrast]
    }
}

/// Finds the digit of a view; `None` if there is none, or it is not of the known ink. `near` is where it has to be, if that is
/// known; then other ink is not looked at.
pub(super) fn search(view: &View, known: Option<Ink>, near: Option<Rect>) -> Option<Search> {
    let noisy = view.short() >= LEAST_SMOOTHED && view.planes.iter().any(|plane| noise(plane, view.width) > NOISY);
    let planes = if noisy { view.smoothed() } else { view.planes.clone() };
    let planes: Vec<_> = planes.iter().map(|plane| flatten(plane, view.height, view.width)).collect();
    let of_ink = |ink| match known.filter(|_| near.is_some()).is_none_or(|known| known == ink) {
        true => search_ink(view, &planes, ink, near),
        false => (Vec::new(), None),
    };
    let ((mut contrasts, dark), (light_contrasts, light)) = rayon::join(|| of_ink(Ink::Dark), || of_ink(Ink::Light));
    let light = light.map(|light| Candidate { contrast: contrasts.len() + light.contrast, ..light });
    contrasts.extend(light_contrasts);
    let best = match (dark, light) {
        (Some(dark), Some(light)) => {
            if is_better(&light, &dark) {
                light
            } else {
                dark
            }
        }
        (dark, light) => dark.or(light)?,
    };
    let contrast = &contrasts[best.contrast];
    if known.is_some_and(|known| known != contrast.ink) {
        return None;
    }
    let layer = layer(view, contrast, best.level);
    let others = groups(view, contrast, &layer, best.contrast, best.level);
    let others = others.into_iter().filter(|other| is_like(other, &best, &layer)).collect();
    let rules = self::layer(view, contrast, contrast.floor()).rules;
    Some(Search { rules, contrasts, layer, best, others })
}

/// The contrasts of one ink, and the best candidate in them.
fn search_ink(view: &View, planes: &[Vec<u8>], ink: Ink, near: Option<Rect>) -> (Vec<Contrast>, Option<Candidate>) {
    let mut contrasts = Vec::new();
    let mut most: Option<Candidate> = None;
    for window in windows(view) {
        let contrast = Contrast::of(view, planes, ink, window);
        for level in levels(&contrast) {
            let layer = layer(view, &contrast, level);
            for mut candidate in groups(view, &contrast, &layer, contrasts.len(), level) {
                let beats = |candidate: &Candidate| most.as_ref().is_none_or(|most| candidate.score > most.score);
                if let Some(near) = near {
                    if overlap(near, candidate.bounds) < 0.3 {
                        continue;
                    }
                    candidate.score += SAME_PLACE * intersection_over_union(near, candidate.bounds);
                }
                if !beats(&candidate) {
                    continue;
                }
                candidate.paper_like = paper_like(view, planes, &layer, &candidate);
                candidate.score -= 5.0 * (candidate.paper_like - 0.25).max(0.0);
                if beats(&candidate) {
                    most = Some(candidate);
                }
            }
        }
        contrasts.push(contrast);
    }
    (contrasts, most)
}

/// The widths of the windows, in pixels.
fn windows(view: &View) -> Vec<usize> {
    let mut windows: Vec<usize> =
        WINDOWS.iter().map(|share| ((share * view.short() as f32) as usize).max(LEAST_WINDOW) | 1).collect();
    windows.dedup();
    windows
}

/// Whether a candidate of one ink is the digit rather than one of the other ink.
///
/// Light paper with dark ink on it lies on a dark table: each stands out. Then the inner one is the digit. The paper within a
/// "0" is not: it is about as wide as the stroke around it.
fn is_better(one: &Candidate, other: &Candidate) -> bool {
    let advantage = |inner: &Candidate, outer: &Candidate| {
        let thickness = outer.thickest as f32;
        let is_inner = overlap(inner.bounds, outer.bounds) > 0.9 && outer.long() > inner.long();
        if !is_inner || inner.long() < 0.2 * outer.long() {
            0.0
        } else if thickness < 2.0 * inner.thickest as f32 {
            -BETWEEN_STROKES
        } else if outer.fill > 0.45
            && inner.paper_like < 0.08
            && inner.parts.len() <= 4
            && thickness >= 0.2 * outer.long()
        {
            ON_PAPER
        } else {
            0.0
        }
    };
    one.score + advantage(one, other) - advantage(other, one) > other.score
}

/// The share of what lies around a candidate's box that looks like the candidate itself. Between dark things, paper stands
/// out like light ink; but then it is light on all sides.
fn paper_like(view: &View, planes: &[Vec<u8>], layer: &Layer, candidate: &Candidate) -> f32 {
    let ink: Vec<f32> = planes
        .iter()
        .map(|plane| {
            let own = layer.components.runs.iter().filter(|(_, component)| candidate.parts.contains(component));
            let (sum, count) = own.fold((0u64, 0usize), |(sum, count), (run, _)| {
                let line = &plane[run.row * view.width..][run.start..run.end];
                (sum + line.iter().map(|&pixel| u64::from(pixel)).sum::<u64>(), count + line.len())
            });
            sum as f32 / count.max(1) as f32
        })
        .collect();
    let strength = layer.components.all[candidate.parts[0]].strength;
    let alike =
        |at: usize| planes.iter().zip(&ink).all(|(plane, ink)| (f32::from(plane[at]) - ink).abs() < 0.5 * strength);
    let margin = (0.15 * candidate.long()) as usize + 3;
    let Rect { left, top, width, height } = candidate.bounds;
    let (x0, y0) = (left.checked_sub(margin), top.checked_sub(margin));
    let (x1, y1) = (left + width + margin, top + height + margin);
    let (columns, rows) = (x0.unwrap_or(0)..x1.min(view.width), y0.unwrap_or(0)..y1.min(view.height));
    let lines = [y0, (y1 < view.height).then_some(y1)].into_iter().flatten();
    let sides = [x0, (x1 < view.width).then_some(x1)].into_iter().flatten();
    let lines = lines.flat_map(|y| columns.clone().map(move |x| y * view.width + x));
    let sides = sides.flat_map(|x| rows.clone().map(move |y| y * view.width + x));
    let (same, all) = lines.chain(sides).fold((0, 0), |(same, all), at| (same + usize::from(alike(at)), all + 1));
    same as f32 / all.max(1) as f32
}

/// The thresholds that are tried: from the paper's noise upwards, in equal steps of the ratio.
fn levels(contrast: &Contrast) -> Vec<u8> {
    let floor = contrast.floor();
    let most = contrast.strength.iter().copied().max().unwrap_or(0);
    if most <= floor {
        return Vec::new();
    }
    let ratio = (0.75 * f32::from(most) / f32::from(floor)).max(1.0);
    let level = |step: usize| (f32::from(floor) * ratio.powf(step as f32 / (LEVELS - 1) as f32)) as u8;
    let mut histogram = [0usize; 256];
    contrast.strength.iter().for_each(|&strength| histogram[usize::from(strength)] += 1);
    let mut levels: Vec<u8> = (0..LEVELS).map(level).collect();
    // Levels without a pixel between them give the same mask.
    levels.dedup_by(|next, last| {
        histogram[usize::from(*last)..=usize::from(*next)].iter().skip(1).all(|&count| count == 0)
    });
    levels
}

fn layer(view: &View, contrast: &Contrast, level: u8) -> Layer {
    let &View { height, width, .. } = view;
    let mut mask: Vec<bool> = contrast.strength.iter().map(|&strength| strength > level).collect();
    let turned: Vec<bool> = contrast.turned.iter().map(|&strength| strength > level).collect();
    let rules = remove_rules(&mut mask, &contrast.strength, &turned, &contrast.turned, [height, width]);
    Layer { components: Components::of(&mask, &contrast.strength, height, width), rules }
}

/// Pixels that two boxes have in common.
fn intersection(a: Rect, b: Rect) -> usize {
    let common = |a: usize, al: usize, b: usize, bl: usize| (a + al).min(b + bl).saturating_sub(a.max(b));
    common(a.left, a.width, b.left, b.width) * common(a.top, a.height, b.top, b.height)
}

/// Share of the smaller box that lies in the other.
fn overlap(a: Rect, b: Rect) -> f32 {
    intersection(a, b) as f32 / (a.width * a.height).min(b.width * b.height) as f32
}

fn intersection_over_union(a: Rect, b: Rect) -> f32 {
    let common = intersection(a, b);
    common as f32 / (a.width * a.height + b.width * b.height - common) as f32
}

pub(super) fn union(a: Rect, b: Rect) -> Rect {
    let (left, top) = (a.left.min(b.left), a.top.min(b.top));
    let (right, bottom) = ((a.left + a.width).max(b.left + b.width), (a.top + a.height).max(b.top + b.height));
    Rect { left, top, width: right - left, height: bottom - top }
}

/// The groups of a layer, with their scores. Each component belongs to one at most, as its main one or as a part.
fn groups(view: &View, contrast: &Contrast, layer: &Layer, index: usize, level: u8) -> Vec<Candidate> {
    let least = (view.short() / 100).max(LEAST_SIDE) as f32;
    let weight = |at: usize| layer.components.all[at].area as f32 * layer.components.all[at].strength;
    let mut order: Vec<usize> =
        (0..layer.components.all.len()).filter(|&at| layer.components.all[at].long() >= 2.0).collect();
    order.sort_by(|&a, &b| weight(b).total_cmp(&weight(a)).then(a.cmp(&b)));
    order.truncate(10 * GROUPS);
    let mut taken = vec![false; layer.components.all.len()];
    let mut found = Vec::new();
    for &main in &order {
        if found.len() == GROUPS {
            break;
        }
        if taken[main] || layer.components.all[main].long() < least {
            continue;
        }
        let (parts, bounds) = gather(layer, main, &order, &mut taken);
        let score = score(view, contrast, layer, &parts, bounds);
        let own = || parts.iter().map(|&part| &layer.components.all[part]);
        let fill = own().map(|part| part.area).sum::<usize>() as f32 / (bounds.width * bounds.height) as f32;
        let thickest = own().map(|part| part.thickest).max().unwrap_or(0);
        found.push(Candidate { contrast: index, level, parts, bounds, score, fill, thickest, paper_like: 0.0 });
    }
    found
}

/// The main component, and those that belong to the same digit.
fn gather(layer: &Layer, main: usize, order: &[usize], taken: &mut [bool]) -> (Vec<usize>, Rect) {
    let first = &layer.components.all[main];
    let (mut parts, mut bounds) = (vec![main], first.bounds);
    taken[main] = true;
    loop {
        let belongs = |&&at: &&usize| !taken[at] && is_part(first, bounds, &layer.components.all[at]);
        let Some(&next) = order.iter().find(belongs) else { return (parts, bounds) };
        taken[next] = true;
        parts.push(next);
        bounds = union(bounds, layer.components.all[next].bounds);
    }
}

/// Whether a component is a part of the digit whose main component and bounds are known: near, of the same strength and
/// stroke, and not another digit beside it.
fn is_part(main: &Component, bounds: Rect, part: &Component) -> bool {
    let long = main.long();
    let gap = |a: usize, al: usize, b: usize, bl: usize| (a.max(b) as f32 - (a + al).min(b + bl) as f32).max(0.0);
    let other = part.bounds;
    let across = gap(bounds.left, bounds.width, other.left, other.width);
    let down = gap(bounds.top, bounds.height, other.top, other.height);
    let near = across.max(down) <= 0.16 * long;
    let shared = (bounds.left + bounds.width).min(other.left + other.width) as f32 - bounds.left.max(other.left) as f32;
    let beside =
        other.height as f32 > 0.6 * bounds.height as f32 && shared < 0.5 * bounds.width.min(other.width) as f32;
    let (stroke, own) = (main.stroke(), part.stroke());
    let alike = own <= 2.2 * stroke && own >= 0.25 * stroke && part.strength >= 0.5 * main.strength;
    let large = part.area as f32 >= 0.02 * main.area as f32 && part.long() >= 0.5 * stroke;
    let whole = union(bounds, other);
    let shape = whole.width as f32 <= 1.4 * whole.height as f32 || whole.width == bounds.width;
    let inside = (part.on_edge > 0) == (main.on_edge > 0);
    near && !beside && alike && large && shape && inside
}

/// How much a group looks like a digit. The numbers were found by looking at what goes wrong without them.
fn score(view: &View, contrast: &Contrast, layer: &Layer, parts: &[usize], bounds: Rect) -> f32 {
    let parts: Vec<&Component> = parts.iter().map(|&part| &layer.components.all[part]).collect();
    let area: usize = parts.iter().map(|part| part.area).sum();
    let total: f32 =
        parts.iter().map(|part| (part.strength - part.outside.max(contrast.paper)) * part.area as f32).sum();
    let strength = (total / area as f32).max(1.0);
    let stroke = parts[0].stroke();
    let thickest = parts.iter().map(|part| part.thickest).max().unwrap_or(0) as f32;
    let (wide, tall) = (bounds.width as f32, bounds.height as f32);
    let long = wide.max(tall);
    let short = view.short() as f32;

    let size = 0.9 * ((long / short).min(0.5) / 0.02).ln();
    let strength = 0.9 * (strength / 10.0).ln();
    // MNIST's strokes are 0.08 to 0.25 of the longer side; a fine pen's may be 0.02.
    let thin = 1.5 * (0.03 * long / stroke).ln().max(0.0);
    let solid = 15.0 * (stroke / long - 0.28).max(0.0) + 8.0 * (thickest / long - 0.3).max(0.0);
    let uneven = 1.5 * (thickest / stroke / 1.7).ln().max(0.0);
    let wider = 0.6 * (contrast.window as f32 / stroke / 6.0).ln().max(0.0);
    let flat = 4.0 * (wide / tall / 1.5).ln().max(0.0);
    // As long as its box's diagonal: a straight line. Those across the picture, or into it, are pens and edges of things.
    let diagonal = wide.hypot(tall);
    let on_edge: usize = parts.iter().map(|part| part.on_edge).sum();
    let across = if on_edge > 0 { 1.0 } else { ((diagonal / short - 0.9) / 0.3).clamp(0.0, 1.0) };
    let straight = (0.8 + 1.5 * across) * ((diagonal * stroke / area as f32 - 0.66) / 0.2).clamp(0.0, 1.0);
    let tangled = 0.2 * (parts.iter().map(|part| part.holes).sum::<usize>() as f32 - 6.0).clamp(0.0, 8.0);
    let scattered = 0.08 * (parts.len() as f32 - 5.0).clamp(0.0, 40.0);
    let cut = if on_edge == 0 { 0.0 } else { 1.5 + 3.0 * (on_edge as f32 / (0.3 * long)).min(1.0) };
    let (x, y) = (bounds.left as f32 + wide / 2.0, bounds.top as f32 + tall / 2.0);
    let off = (2.0 * x / view.width as f32 - 1.0).powi(2) + (2.0 * y / view.height as f32 - 1.0).powi(2);
    size + strength - thin - solid - uneven - wider - flat - straight - tangled - scattered - cut - 0.4 * off
}

/// Whether another group of the best one's layer is a digit too: as large, as strong, and written with the same pen.
fn is_like(other: &Candidate, best: &Candidate, layer: &Layer) -> bool {
    let (a, b) = (&layer.components.all[best.parts[0]], &layer.components.all[other.parts[0]]);
    let within = |ratio: f32, least: f32| ratio >= least && ratio * least <= 1.0;
    other.parts[0] != best.parts[0]
        && other.score > best.score - 2.5
        && within(other.bounds.height as f32 / best.bounds.height as f32, 0.6)
        && within(b.strength / a.strength, 0.5)
        && within(b.stroke() / a.stroke(), 0.4)
        && other.parts.iter().all(|&part| layer.components.all[part].on_edge == 0)
}
