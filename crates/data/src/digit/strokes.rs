//! The ink of the digit that was found, cut out of its surroundings.
//!
//! ```text
//! paper around it -> brightness of the paper at each pixel, for each channel
//!                 -> difference of the pixel, seen in the direction of the ink's own colour
//!                 -> all that is connected with the digit above the paper's noise, without rules and neighbours
//! ```

use super::Ink;
use super::candidates::{Candidate, Search};
use super::components::Components;
use super::contrast::dilate;
use super::light::median;
use super::view::View;
use crate::picture::Rect;

/// What belongs to a stroke is stronger than this many standard deviations of the paper.
const NOISE_FACTOR: f32 = 4.0;

/// Ink differs from the paper by more than this, in grey levels.
const LEAST_CONTRAST: f32 = 6.0;

/// How far faint pixels of a stroke may be from its strong ones, in widths of the stroke.
const REACH: f32 = 0.35;

/// The strength that the strokes have on average, of 255: room for what is stronger.
const USUAL: f32 = 150.0;

/// The ink of a digit, cut out of its picture.
#[derive(Clone, Debug)]
pub(super) struct Strokes {
    /// Its position in the view.
    pub region: Rect,
    /// `[region.height, region.width]`: 0 = paper, 255 = the core of a stroke.
    pub pixels: Vec<u8>,
    /// Width of its strokes, in pixels.
    pub width: f32,
    /// The part of the view in which the strength was measured, and the strength there.
    pub around: Rect,
    pub strength: Vec<u8>,
}

impl Strokes {
    /// Cuts a candidate out of its view; `None` if nothing remains.
    pub(super) fn of(view: &View, search: &Search, candidate: &Candidate) -> Option<Self> {
        let around = surroundings(view, search, candidate);
        let masks = Masks::of(view, search, candidate, around);
        let (strength, floor) = strength(view, search, &masks, around)?;
        let core = core(&strength, &masks.seeds);
        let weak = floor.max(core / 10);
        // What is faint belongs to the digit only near its strong pixels: rules and the edges of shadows lead away from it.
        let stroke = search.layer.components.all[candidate.parts[0]].stroke();
        let reach = 2 * (REACH * stroke).ceil() as usize + 3;
        let seeds: Vec<u8> = masks.seeds.iter().map(|&seed| u8::from(seed)).collect();
        let near = dilate(&seeds, around.height, around.width, reach);
        let belongs = |at: usize| strength[at] > weak && near[at] == 1 && masks.ink[at] && !masks.others[at];
        let mask: Vec<bool> = (0..strength.len()).map(belongs).collect();
        let found = Components::of(&mask, &strength, around.height, around.width);
        let mut seeded = vec![false; found.all.len()];
        for (run, component) in &found.runs {
            seeded[*component] |= masks.seeds[run.row * around.width..][run.start..run.end].contains(&true);
        }
        let kept = || found.all.iter().zip(&seeded).filter(|(_, seeded)| **seeded).map(|(component, _)| component);
        let bounds = kept().map(|component| component.bounds).reduce(super::candidates::union)?;
        let stroke = kept().max_by_key(|component| component.area)?.stroke();

        let mut pixels = vec![0; bounds.width * bounds.height];
        let core = u32::from(core).max(1);
        for (run, _) in found.runs.iter().filter(|(_, component)| seeded[*component]) {
            let start = (run.row - bounds.top) * bounds.width + run.start - bounds.left;
            let line = &strength[run.row * around.width..][run.start..run.end];
            for (pixel, &value) in pixels[start..].iter_mut().zip(line) {
                *pixel = ((u32::from(value) * 255 + core / 2) / core).min(255) as u8;
            }
        }
        let region = Rect { left: around.left + bounds.left, top: around.top + bounds.top, ..bounds };
        Some(Self { region, pixels, width: stroke, around, strength })
    }
}

/// The candidate's box with a margin in which there is paper to be seen.
fn surroundings(view: &View, search: &Search, candidate: &Candidate) -> Rect {
    let found = candidate.bounds;
    let margin = (found.width.max(found.height) / 3).max(search.contrast().window / 3).max(4);
    found.with_margin(margin, [view.height, view.width])
}

/// What is known about the pixels around the digit.
struct Masks {
    /// Pixels of the digit.
    seeds: Vec<bool>,
    /// Pixels of other things.
    others: Vec<bool>,
    /// Pixels that show paper.
    paper: Vec<bool>,
    /// Pixels that stand out from what surrounds them, if little. The edge of a shadow does not.
    ink: Vec<bool>,
}

impl Masks {
    fn of(view: &View, search: &Search, candidate: &Candidate, around: Rect) -> Self {
        let size = around.width * around.height;
        let inside = |row: usize, column: usize| {
            let (y, x) = (row.checked_sub(around.top)?, column.checked_sub(around.left)?);
            (y < around.height && x < around.width).then_some(y * around.width + x)
        };
        let (mut seeds, mut others) = (vec![0u8; size], vec![0u8; size]);
        for (run, component) in &search.layer.components.runs {
            let mask = if candidate.parts.contains(component) { &mut seeds } else { &mut others };
            (run.start..run.end).filter_map(|x| inside(run.row, x)).for_each(|at| mask[at] = 1);
        }
        for &at in search.layer.rules.iter().chain(&search.rules) {
            inside(at / view.width, at % view.width).into_iter().for_each(|at| others[at] = 1);
        }
        others.iter_mut().zip(&seeds).for_each(|(other, &seed)| *other = other.saturating_sub(seed));
        // The soft edges of other things, which the threshold left out.
        let grown = dilate(&others, around.height, around.width, 3);
        let near = dilate(&seeds, around.height, around.width, 3);
        let others = grown
            .iter()
            .zip(&near)
            .zip(&others)
            .map(|((&grown, &near), &other)| other == 1 || (grown == 1 && near == 0));
        let contrast = search.contrast();
        let limit = (contrast.paper + (3.0 * contrast.spread).max(6.0)) as u8;
        let ink = (0..size).map(|at| {
            let (y, x) = (around.top + at / around.width, around.left + at % around.width);
            u8::from(contrast.strength[y * view.width + x] > limit)
        });
        let ink = dilate(&ink.collect::<Vec<u8>>(), around.height, around.width, 3);
        let others: Vec<bool> = others.collect();
        let paper = ink.iter().zip(&others).map(|(&ink, &other)| ink == 0 && !other).collect();
        Self {
            seeds: seeds.into_iter().map(|seed| seed == 1).collect(),
            others,
            paper,
            ink: ink.into_iter().map(|ink| ink == 1).collect(),
        }
    }
}

/// Strengths around the digit, and the largest that may be noise.
fn strength(view: &View, search: &Search, masks: &Masks, around: Rect) -> Option<(Vec<u8>, u8)> {
    let contrast = search.contrast();
    let cut = |plane: &Vec<u8>| -> Vec<f32> {
        let rows = plane.chunks_exact(view.width).skip(around.top).take(around.height);
        let pixels = rows.flat_map(|row| &row[around.left..][..around.width]);
        pixels.map(|&pixel| f32::from(if contrast.ink == Ink::Light { 255 - pixel } else { pixel })).collect()
    };
    let mut differences = Vec::new();
    let mut directions = Vec::new();
    for plane in &view.planes {
        let pixels = cut(plane);
        let paper = paper(&pixels, &masks.paper, around.height, around.width, contrast.window);
        let level = (paper.iter().sum::<f32>() / paper.len() as f32).max(1.0);
        // Ink absorbs a share of the light that falls on it: dark ink is as strong in the shade as in the light.
        let difference: Vec<f32> = match contrast.ink {
            Ink::Dark => paper.iter().zip(&pixels).map(|(p, x)| (p - x) * (level / p.max(8.0)).min(4.0)).collect(),
            Ink::Light => paper.iter().zip(&pixels).map(|(p, x)| p - x).collect(),
        };
        let seeds = difference.iter().zip(&masks.seeds).filter(|(_, seed)| **seed);
        let (sum, count) = seeds.fold((0.0, 0), |(sum, count), (value, _)| (sum + value, count + 1));
        directions.push((sum / count.max(1) as f32).max(0.0));
        differences.push(difference);
    }
    let length: f32 = directions.iter().map(|direction| direction * direction).sum();
    if length <= 0.0 {
        return None;
    }
    let mut projected = vec![0.0f32; around.width * around.height];
    for (difference, direction) in differences.iter().zip(&directions) {
        projected.iter_mut().zip(difference).for_each(|(sum, value)| *sum += value * direction * USUAL / length);
    }
    let noise = projected.iter().zip(&masks.paper).filter(|(_, paper)| **paper).map(|(value, _)| value.abs());
    let noise = 1.4826 * median(noise.collect());
    let least = LEAST_CONTRAST * USUAL / directions.iter().copied().fold(1.0, f32::max);
    let floor = (NOISE_FACTOR * noise).max(least).min(0.45 * USUAL) as u8;
    // The cast saturates.
    Some((projected.into_iter().map(|value| (value + 0.5) as u8).collect(), floor))
}

/// The paper's brightness at each pixel: the mean of the paper around it, as far away as there is enough of it.
fn paper(pixels: &[f32], paper: &[bool], height: usize, width: usize, window: usize) -> Vec<f32> {
    let sums = Sums::of(pixels, paper, height, width);
    let mut radii = vec![(window / 6).max(3)];
    while let Some(&last) = radii.last().filter(|&&last| last < height.max(width)) {
        radii.push(last * 2);
    }
    (0..height * width)
        .map(|at| {
            let (y, x) = (at / width, at % width);
            let enough = |&&radius: &&usize| 5.0 * sums.mean(y, x, radius).1 >= 1.0;
            let radius = radii.iter().find(enough).copied().unwrap_or(height + width);
            sums.mean(y, x, radius).0
        })
        .collect()
}

/// Sums over rectangles in constant time (Crow, "Summed-area tables for texture mapping", 1984).
struct Sums {
    height: usize,
    width: usize,
    /// `[height + 1, width + 1]`: the sum, and the number, of paper pixels above and to the left.
    table: Vec<(f64, f64)>,
    /// For a picture without paper.
    all: f32,
}

impl Sums {
    fn of(pixels: &[f32], paper: &[bool], height: usize, width: usize) -> Self {
        let mut table = vec![(0.0, 0.0); (height + 1) * (width + 1)];
        for y in 0..height {
            let (mut sum, mut count) = (0.0, 0.0);
            for x in 0..width {
                if paper[y * width + x] {
                    sum += f64::from(pixels[y * width + x]);
                    count += 1.0;
                }
                let above = table[y * (width + 1) + x + 1];
                table[(y + 1) * (width + 1) + x + 1] = (above.0 + sum, above.1 + count);
            }
        }
        let all = pixels.iter().copied().fold(0.0, f32::max);
        Self { height, width, table, all }
    }

    /// The mean of the paper in a square around a pixel, and the share that it has of the square.
    fn mean(&self, y: usize, x: usize, radius: usize) -> (f32, f32) {
        let (top, left) = (y.saturating_sub(radius), x.saturating_sub(radius));
        let (bottom, right) = ((y + radius + 1).min(self.height), (x + radius + 1).min(self.width));
        let at = |y: usize, x: usize| self.table[y * (self.width + 1) + x];
        let (a, b, c, d) = (at(top, left), at(top, right), at(bottom, left), at(bottom, right));
        let (sum, count) = (d.0 - c.0 - b.0 + a.0, d.1 - c.1 - b.1 + a.1);
        if count < 1.0 {
            return (self.all, 0.0);
        }
        ((sum / count) as f32, (count / ((bottom - top) * (right - left)) as f64) as f32)
    }
}

/// The strength of a stroke's core: the 80th percentile of the digit's strong half, since strokes have soft edges and the
/// maximum would depend on noise.
fn core(strength: &[u8], seeds: &[bool]) -> u8 {
    let mut strong: Vec<u8> = strength
        .iter()
        .zip(seeds)
        .filter(|&(&value, &seed)| seed && f32::from(value) > 0.5 * USUAL)
        .map(|(&value, _)| value)
        .collect();
    if strong.is_empty() {
        return 255;
    }
    let at = (strong.len() - 1) * 8 / 10;
    *strong.select_nth_unstable(at).1
}
