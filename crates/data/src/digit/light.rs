//! Light that falls off smoothly across the picture: a quadratic surface, fitted to what most of the picture shows.

/// About as many pixels as the surface is fitted to; more would only cost time.
const SAMPLES: usize = 3000;

/// Terms of the surface: 1, x, y, x², xy, y².
const TERMS: usize = 6;

/// Pixels within this many grey levels of the surface belong to it, however little the rest scatters.
const LEAST_LIMIT: f32 = 6.0;

/// A plane as if the light were as bright everywhere as it is on average.
pub(super) fn flatten(plane: &[u8], height: usize, width: usize) -> Vec<u8> {
    let Some(surface) = fit(plane, height, width) else { return plane.to_vec() };
    let level = median(plane.iter().step_by((plane.len() / SAMPLES).max(1)).map(|&pixel| f32::from(pixel)).collect());
    let mut flat = Vec::with_capacity(plane.len());
    for (y, row) in plane.chunks_exact(width).enumerate() {
        let v = unit(y, height);
        flat.extend(row.iter().enumerate().map(|(x, &pixel)| {
            // The cast saturates.
            (f32::from(pixel) - value(&surface, unit(x, width), v) + level + 0.5) as u8
        }));
    }
    flat
}

/// Maps a position from 0 to `length - 1` onto -1 to 1.
fn unit(at: usize, length: usize) -> f32 {
    if length > 1 { 2.0 * at as f32 / (length - 1) as f32 - 1.0 } else { 0.0 }
}

fn terms(x: f32, y: f32) -> [f32; TERMS] {
    [1.0, x, y, x * x, x * y, y * y]
}

fn value(surface: &[f32; TERMS], x: f32, y: f32) -> f32 {
    terms(x, y).iter().zip(surface).map(|(term, factor)| term * factor).sum()
}

fn fit(plane: &[u8], height: usize, width: usize) -> Option<[f32; TERMS]> {
    let step = ((plane.len() as f32 / SAMPLES as f32).sqrt() as usize).max(1);
    let rows = (0..height).step_by(step);
    let samples: Vec<(f32, f32, f32)> = rows
        .flat_map(|y| (0..width).step_by(step).map(move |x| (y, x)))
        .map(|(y, x)| (unit(x, width), unit(y, height), f32::from(plane[y * width + x])))
        .collect();
    let mut surface = [0.0; TERMS];
    surface[0] = median(samples.iter().map(|sample| sample.2).collect());
    for _ in 0..5 {
        let residual = |&(x, y, pixel): &(f32, f32, f32)| (pixel - value(&surface, x, y)).abs();
        let limit = (2.5 * 1.4826 * median(samples.iter().map(residual).collect())).max(LEAST_LIMIT);
        let near: Vec<_> = samples.iter().copied().filter(|sample| residual(sample) <= limit).collect();
        surface = least_squares(&near)?;
    }
    Some(surface)
}

pub(super) fn median(mut values: Vec<f32>) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// `None` if the samples do not determine a surface: too few, or all on a line.
fn least_squares(samples: &[(f32, f32, f32)]) -> Option<[f32; TERMS]> {
    // The normal equations, with the right-hand side as the last column.
    let mut rows = [[0.0f64; TERMS + 1]; TERMS];
    for &(x, y, pixel) in samples {
        let terms = terms(x, y);
        for (row, &factor) in rows.iter_mut().zip(&terms) {
            for (sum, term) in row.iter_mut().zip(terms.iter().chain([&pixel])) {
                *sum += f64::from(factor) * f64::from(*term);
            }
        }
    }
    // No pivoting: the matrix is symmetric and positive definite unless there are too few samples.
    for pivot in 0..TERMS {
        if rows[pivot][pivot] <= 1e-4 * samples.len() as f64 {
            return None;
        }
        for other in 0..TERMS {
            if other != pivot {
                let factor = rows[other][pivot] / rows[pivot][pivot];
                let subtracted = rows[pivot];
                rows[other].iter_mut().zip(subtracted).for_each(|(value, term)| *value -= factor * term);
            }
        }
    }
    Some(std::array::from_fn(|index| (rows[index][TERMS] / rows[index][index]) as f32))
}
