//! Packing between row-major memory and panels that interleave rows.
//!
//! ```text
//! pack      source[row * stride + column]  ->  panel[offset(column) + row]
//! unpack    sums[offset(column) + row]     ->  out[row * stride + column]
//! ```
//!
//! Channels-last pixels, packed weights and packed gradients all have this form. Both directions transpose squares of
//! lanes x lanes values in registers; the last square of a row overlaps the one before it.
#![allow(unsafe_code)] // Writes uninitialised memory, and rows that interleave between threads.

use pulp::{Simd, WithSimd};

use crate::relu::relu_vector;
use crate::simd::{dispatch, load, prefetch};
use crate::transpose::{Square, transpose};

/// With so few columns most of a square would be empty.
const NARROW: usize = 4;
/// Columns that are packed for all rows before the next ones, so that they stay in the L1 cache.
pub(crate) const STRIP: usize = 64;
/// How far ahead of a store to prefetch, in columns: the hardware does not predict strides across many rows.
const PREFETCH_DISTANCE: usize = 32;

/// Interleaves the rows of `source`.
pub(crate) struct Pack<'a, Offset> {
    pub source: &'a [f32],
    /// Distance between rows of the source.
    pub stride: usize,
    pub rows: usize,
    pub columns: usize,
    pub panel: &'a mut [f32],
    /// Values per column in the panel, at least `rows`; those beyond `rows` are set to zero.
    pub width: usize,
    /// Where a column starts in the panel.
    pub offset: Offset,
    /// How far ahead of a load to prefetch: usually [`STRIP`].
    pub prefetch: usize,
}

impl<Offset: Fn(usize) -> usize> Pack<'_, Offset> {
    pub fn run(mut self) {
        if self.stride == 1 {
            self.copy();
        } else if self.rows <= 3 || self.columns <= NARROW {
            self.scalar();
        } else {
            dispatch(self);
        }
    }

    /// Rows that are adjacent in memory already.
    fn copy(&mut self) {
        for column in 0..self.columns {
            let panel = &mut self.panel[(self.offset)(column)..][..self.width];
            panel[..self.rows].copy_from_slice(&self.source[column..][..self.rows]);
            panel[self.rows..].fill(0.);
        }
    }

    fn scalar(&mut self) {
        for column in 0..self.columns {
            let panel = &mut self.panel[(self.offset)(column)..][..self.width];
            let (filled, zeros) = panel.split_at_mut(self.rows);
            let source = self.source[column..].iter().step_by(self.stride);
            for (number, source) in filled.iter_mut().zip(source) {
                *number = *source;
            }
            zeros.fill(0.);
        }
    }

    /// Packs a square with all its rows. It is loaded in full, but only `columns` of it are stored.
    #[inline(always)]
    fn whole_square<S: Simd>(&mut self, simd: S, first_row: usize, first_column: usize, columns: usize) {
        let lanes = S::F32_LANES;
        let source = &self.source[first_row * self.stride + first_column..];
        assert!(source.len() >= (lanes - 1) * self.stride + lanes);
        let mut square: Square<S> = [simd.splat_f32s(0.); _];
        for (row, vector) in square.iter_mut().enumerate().take(lanes) {
            // SAFETY: the slice reaches to the end of the square's last row.
            let from = unsafe { source.as_ptr().add(row * self.stride) };
            // SAFETY: as above.
            *vector = unsafe { from.cast::<S::f32s>().read_unaligned() };
            prefetch::<false>(from.wrapping_add(self.prefetch));
        }
        transpose(simd, &mut square);
        for (column, vector) in square.into_iter().enumerate().take(lanes) {
            // Not a bound of the loop: that would spill the square to memory.
            if column == columns {
                break;
            }
            let at = (self.offset)(first_column + column) + first_row;
            assert!(at + lanes <= self.panel.len());
            // SAFETY: checked in the line above.
            unsafe { self.panel.as_mut_ptr().add(at).cast::<S::f32s>().write_unaligned(vector) };
        }
    }

    /// Packs a square with missing rows or columns.
    #[inline(always)]
    fn partial_square<S: Simd>(&mut self, simd: S, first_row: usize, first_column: usize, columns: usize) {
        let rows = self.rows.saturating_sub(first_row).min(S::F32_LANES);
        let stored = (self.width - first_row).min(S::F32_LANES);
        let mut square: Square<S> = [simd.splat_f32s(0.); _];
        for (row, vector) in square.iter_mut().enumerate().take(rows) {
            let from = &self.source[(first_row + row) * self.stride + first_column..];
            *vector = simd.partial_load_f32s(&from[..columns]);
        }
        transpose(simd, &mut square);
        for (column, vector) in square.into_iter().enumerate().take(columns) {
            let at = (self.offset)(first_column + column) + first_row;
            simd.partial_store_f32s(&mut self.panel[at..][..stored], vector);
        }
    }
}

impl<Offset: Fn(usize) -> usize> WithSimd for Pack<'_, Offset> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let lanes = S::F32_LANES;
        for strip in (0..self.columns).step_by(STRIP) {
            for first_row in (0..self.width).step_by(lanes) {
                for column in (strip..self.columns.min(strip + STRIP)).step_by(lanes) {
                    let first_column = column.min(self.columns.saturating_sub(lanes));
                    let (last_row, whole) = (first_row + lanes - 1, first_row + lanes <= self.rows);
                    if whole && lanes <= self.columns {
                        self.whole_square(simd, first_row, first_column, lanes);
                    } else if whole && last_row * self.stride + lanes <= self.source.len() {
                        self.whole_square(simd, first_row, 0, self.columns);
                    } else {
                        self.partial_square(simd, first_row, first_column, self.columns.min(lanes));
                    }
                }
            }
        }
    }
}

/// What is applied to the sums while they are stored: `relu(sum * scale + bias + residual)`, each part optional. Scale
/// and bias have one value per row.
#[derive(Clone, Copy, Default)]
pub(crate) struct Epilogue<'a> {
    pub scale: Option<&'a [f32]>,
    pub bias: Option<&'a [f32]>,
    /// Has the memory layout of the output.
    pub residual: Option<&'a [f32]>,
    pub relu: bool,
}

impl<'a> Epilogue<'a> {
    /// The epilogue for the rows from `row` on, whose output starts `at` values further on.
    pub fn starting_at(self, row: usize, at: usize) -> Self {
        let rows = |values: Option<&'a [f32]>| values.map(|values| &values[row..]);
        let residual = self.residual.map(|residual| &residual[at..]);
        Self { scale: rows(self.scale), bias: rows(self.bias), residual, relu: self.relu }
    }
}

/// Writes interleaved sums to row-major memory, through the epilogue.
pub(crate) struct Unpack<'a, Offset> {
    pub sums: &'a [f32],
    /// Where the sums of a column start; each column is whole vectors long.
    pub offset: Offset,
    pub rows: usize,
    pub columns: usize,
    pub epilogue: Epilogue<'a>,
    pub out: *mut f32,
    /// Distance between rows of the output.
    pub stride: usize,
}

impl<Offset: Fn(usize) -> usize> Unpack<'_, Offset> {
    /// # Safety
    /// `rows` rows of `columns` values must be writable at `out`, `stride` apart.
    pub unsafe fn run(self) {
        dispatch(self);
    }

    /// Unpacks one square: full if `WHOLE`, or else what there is of it.
    ///
    /// # Safety
    /// As for [`Unpack::run`].
    #[inline(always)]
    unsafe fn square<S: Simd, const WHOLE: bool>(&self, simd: S, first_row: usize, first_column: usize) {
        let lanes = S::F32_LANES;
        let rows = if WHOLE { lanes } else { lanes.min(self.rows - first_row) };
        let columns = if WHOLE { lanes } else { lanes.min(self.columns - first_column) };
        let zero = simd.splat_f32s(0.);
        let mut square: Square<S> = [zero; _];
        for (column, vector) in square.iter_mut().enumerate().take(columns) {
            let sums = &self.sums[(self.offset)(first_column + column) + first_row..][..lanes];
            // SAFETY: the slice has the length of a vector.
            *vector = unsafe { sums.as_ptr().cast::<S::f32s>().read_unaligned() };
        }
        let Epilogue { scale, bias, residual, relu } = self.epilogue;
        if let Some(scale) = scale {
            let scale = simd.partial_load_f32s(&scale[first_row..][..rows]);
            for vector in square.iter_mut().take(columns) {
                *vector = simd.mul_f32s(*vector, scale);
            }
        }
        if let Some(bias) = bias {
            let bias = simd.partial_load_f32s(&bias[first_row..][..rows]);
            for vector in square.iter_mut().take(columns) {
                *vector = simd.add_f32s(*vector, bias);
            }
        }
        transpose(simd, &mut square);
        for (row, mut vector) in square.into_iter().enumerate().take(rows) {
            let at = (first_row + row) * self.stride + first_column;
            if let Some(residual) = residual {
                let residual = &residual[at..][..columns];
                let residual = if WHOLE { load(simd, residual) } else { simd.partial_load_f32s(residual) };
                vector = simd.add_f32s(vector, residual);
            }
            if relu {
                vector = relu_vector(simd, vector);
            }
            // SAFETY: the caller of `run` guarantees that these values are writable.
            unsafe {
                let to = self.out.add(at);
                if WHOLE {
                    to.cast::<S::f32s>().write_unaligned(vector);
                    prefetch::<true>(to.wrapping_add(PREFETCH_DISTANCE));
                } else {
                    simd.partial_store_f32s(std::slice::from_raw_parts_mut(to, columns), vector);
                }
            }
        }
    }
}

impl<Offset: Fn(usize) -> usize> WithSimd for Unpack<'_, Offset> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = S::F32_LANES;
        for first_row in (0..self.rows).step_by(lanes) {
            for column in (0..self.columns).step_by(lanes) {
                let first_column = column.min(self.columns.saturating_sub(lanes));
                // SAFETY: guaranteed by the caller of `run`.
                unsafe {
                    if first_row + lanes <= self.rows && lanes <= self.columns {
                        self.square::<S, true>(simd, first_row, first_column);
                    } else {
                        self.square::<S, false>(simd, first_row, first_column);
                    }
                }
            }
        }
    }
}
