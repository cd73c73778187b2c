//! Concatenates tensors along their channels and splits them again.
#![allow(unsafe_code)] // Outputs are written into uninitialised memory.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::scratch::filled;

/// Values per task.
const TASK_FLOATS: usize = 1 << 15;

/// Concatenates along the channels: `parts[i]` is `[N, C_i, H, W]`, the output `[N, sum of C_i, H, W]`.
///
/// # Panics
/// If the length of a part is not a multiple of `images`.
pub fn concat(images: usize, parts: &[&[f32]]) -> Vec<f32> {
    let rows: Vec<usize> = parts.iter().map(|part| row(images, part)).collect();
    let row: usize = rows.iter().sum();
    let write = |out: &mut [MaybeUninit<f32>]| {
        out.par_chunks_mut(TASK_FLOATS).enumerate().for_each(|(task, mut out)| {
            let (mut image, mut offset) = (task * TASK_FLOATS / row, task * TASK_FLOATS % row);
            while !out.is_empty() {
                for (part, &row) in parts.iter().zip(&rows) {
                    let start = offset.min(row);
                    let count = (row - start).min(out.len());
                    let (now, later) = out.split_at_mut(count);
                    copy(&part[image * row + start..][..count], now);
                    (out, offset) = (later, offset - start);
                }
                image += 1;
            }
        });
    };
    // SAFETY: every task fills its slice; if all rows are empty there are no tasks.
    unsafe { filled(images * row, write) }
}

/// The inverse of [`concat()`]: splits `x` into parts; `rows[i]` is `C_i * H * W`, the values per image of part `i`.
///
/// # Panics
/// If the parts do not add up to `x`.
pub fn split(images: usize, x: &[f32], rows: &[usize]) -> Vec<Vec<f32>> {
    let whole: usize = rows.iter().sum();
    assert_eq!(x.len(), images * whole, "the parts do not add up to x");
    let starts = rows.iter().scan(0, |end, row| {
        *end += row;
        Some(*end - row)
    });
    let part = |(start, &row): (usize, &usize)| {
        let write = |out: &mut [MaybeUninit<f32>]| {
            out.par_chunks_mut(TASK_FLOATS).enumerate().for_each(|(task, mut out)| {
                let (mut image, mut offset) = (task * TASK_FLOATS / row, task * TASK_FLOATS % row);
                while !out.is_empty() {
                    let count = (row - offset).min(out.len());
                    let (now, later) = out.split_at_mut(count);
                    copy(&x[image * whole + start + offset..][..count], now);
                    (out, image, offset) = (later, image + 1, 0);
                }
            });
        };
        // SAFETY: every task fills its slice; if the row is empty there are no tasks.
        unsafe { filled(images * row, write) }
    };
    starts.zip(rows).map(part).collect()
}

/// Values per image of a part.
fn row(images: usize, part: &[f32]) -> usize {
    let row = part.len() / images.max(1);
    assert_eq!(part.len(), images * row, "the part does not divide into {images} images");
    row
}

fn copy(from: &[f32], to: &mut [MaybeUninit<f32>]) {
    for (to, &from) in to.iter_mut().zip(from) {
        to.write(from);
    }
}
