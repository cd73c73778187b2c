//! Images whose channels lie one after the other, put together and taken apart.
#![allow(unsafe_code)] // Results are written into memory that is not cleared first.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::scratch::filled;

/// Numbers that one piece of work copies.
const PIECE: usize = 1 << 15;

/// The channels of all parts, one after the other; a part holds as many numbers for each of the `images`.
///
/// # Panics
/// If a part cannot be divided by the images.
pub fn concat(images: usize, parts: &[&[f32]]) -> Vec<f32> {
    let rows: Vec<usize> = parts.iter().map(|part| row(images, part)).collect();
    let row: usize = rows.iter().sum();
    let write = |out: &mut [MaybeUninit<f32>]| {
        out.par_chunks_mut(PIECE).enumerate().for_each(|(piece, mut out)| {
            let (mut image, mut offset) = (piece * PIECE / row, piece * PIECE % row);
            while !out.is_empty() {
                for (part, &row) in parts.iter().zip(&rows) {
                    let start = offset.min(row);
                    let count = (row - start).min(out.len());
                    let (now, later) = out.split_at_mut(count);
                    now.write_copy_of_slice(&part[image * row + start..][..count]);
                    (out, offset) = (later, offset - start);
                }
                image += 1;
            }
        });
    };
    // SAFETY: every piece is written to its end.
    unsafe { filled(images * row, write) }
}

/// The parts of which [`concat()`] makes `x`, of so many numbers each for each of the `images`.
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
            out.par_chunks_mut(PIECE).enumerate().for_each(|(piece, mut out)| {
                let (mut image, mut offset) = (piece * PIECE / row, piece * PIECE % row);
                while !out.is_empty() {
                    let count = (row - offset).min(out.len());
                    let (now, later) = out.split_at_mut(count);
                    now.write_copy_of_slice(&x[image * whole + start + offset..][..count]);
                    (out, image, offset) = (later, image + 1, 0);
                }
            });
        };
        // SAFETY: every piece is written to its end.
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
