//! Images whose channels lie one after the other, put together and taken apart.
#![allow(unsafe_code)] // Results are written into memory that is not cleared first.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::scratch::filled;

/// Numbers that one piece of work copies.
const TASK_FLOATS: usize = 1 << 15;

/// The channels of all parts, one after the other: `parts[i]` is `[N, C_i, H, W]`, the result `[N, sum of C_i, H, W]`.
///
/// # Panics
/// If a part cannot be divided by the number of images.
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
    // SAFETY: every piece is written to its end; where rows are empty there is none.
    unsafe { filled(images * row, write) }
}

/// Takes `x` apart, the inverse of [`concat()`]: `rows[i]` is `C_i * H * W`, the numbers of a part that belong to an image.
///
/// # Panics
/// If the parts are not all of `x`.
pub fn split(images: usize, x: &[f32], rows: &[usize]) -> Vec<Vec<f32>> {
    let whole: usize = rows.iter().sum();
    assert_eq!(x.len(), images * whole, "all of the parts' numbers");
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
        // SAFETY: every piece is written to its end; where rows are empty there is none.
        unsafe { filled(images * row, write) }
    };
    starts.zip(rows).map(part).collect()
}

/// Numbers of a part that belong to one image.
fn row(images: usize, part: &[f32]) -> usize {
    let row = part.len() / images.max(1);
    assert_eq!(part.len(), images * row, "as many numbers for each image");
    row
}

fn copy(from: &[f32], to: &mut [MaybeUninit<f32>]) {
    for (to, &from) in to.iter_mut().zip(from) {
        to.write(from);
    }
}
