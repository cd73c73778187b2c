//! The micro-kernel: a tile of sums stays in registers for the whole length of `k`.
//!
//! ```text
//! sums[row, 0..width] += scalar[row, k] * panel[k, 0..width]        for every k of every run
//! ```
//!
//! The panel `[k][width]` is packed and read sequentially. The L2 cache is fast enough for it, since each cache line
//! feeds six multiply-adds. The scalars are read in place: `k` passes over them run by run at a fixed stride, and each
//! row of sums has its own base address. One kernel thus multiplies pixels by channels (forward, input gradient) and
//! channels by pixels (weight gradient), and never touches the padding.
#![allow(unsafe_code)] // Bounds are checked once per product rather than for every value.

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use crate::relu::relu_vector;
use crate::simd::{dispatch, mul_add, prefetch};

/// Rows of a full tile. With four vectors per row, 24 sums, 4 panel vectors and a scalar fit into 32 registers; with
/// two, 12 + 2 + 1 fit into 16.
const MAX_ROWS: usize = 6;

/// Numbers of a cache line.
const LINE: usize = 16;

/// Consecutive `k`: where they start among the scalars (relative to the row) and in the panel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub scalars: usize,
    pub panel: usize,
    pub len: usize,
}

/// Where the scalars of a row start, and the row's place among the results.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub scalars: usize,
    pub result: usize,
}

/// Numbers that are only read, while others between them may be written.
#[derive(Clone, Copy)]
pub(crate) struct Numbers<'a> {
    pub start: *const f32,
    pub len: usize,
    pub memory: PhantomData<&'a f32>,
}

impl<'a> From<&'a [f32]> for Numbers<'a> {
    fn from(values: &'a [f32]) -> Self {
        Self { start: values.as_ptr(), len: values.len(), memory: PhantomData }
    }
}

/// A product to be added to sums.
pub(crate) struct PanelGemm<'a> {
    pub scalars: Numbers<'a>,
    /// Distance between the scalars of consecutive `k`.
    pub step: usize,
    pub panel: &'a [f32],
    /// Sums per row, and values per `k` in the panel: whole vectors, at most those of a [`crate::simd::panel_width`].
    pub width: usize,
    pub runs: &'a [Run],
    pub rows: &'a [Row],
    /// Whether the sums start from zero rather than from their present values.
    pub from_zero: bool,
    /// What the next product reads first, which is fetched meanwhile; may be empty.
    pub next: &'a [f32],
}

/// Where sums lie that others may lie between: those of row `r` from `start + r.result * stride` on.
#[derive(Clone, Copy)]
pub(crate) struct Sums {
    pub start: *mut f32,
    /// Numbers from `start` on that may be written.
    pub len: usize,
    pub stride: usize,
    /// How many of the panel's columns are stored.
    pub columns: usize,
}

/// What becomes of sums at last: `relu(sum * scale + shift + residual)`, each part optional. Scale and shift have whole
/// vectors.
#[derive(Clone, Copy, Default)]
pub(crate) struct Finish<'a> {
    pub scale: Option<&'a [f32]>,
    pub shift: Option<&'a [f32]>,
    pub residual: Option<Residual>,
    pub relu: bool,
}

/// What is added to the sums, which lies as they do.
#[derive(Clone, Copy)]
pub(crate) struct Residual {
    pub start: *const f32,
    pub stride: usize,
}

impl PanelGemm<'_> {
    /// Adds the product to `sums` `[result, width]`.
    pub fn add_to(self, sums: &mut [f32]) {
        let sums = Sums { start: sums.as_mut_ptr(), len: sums.len(), stride: self.width, columns: self.width };
        // SAFETY: the slice is borrowed mutably.
        unsafe { self.run(sums, None) };
    }

    /// Adds the product to sums, and finishes them.
    ///
    /// # Safety
    /// The rows' sums must be writable, the residual readable, and no other thread may write to either.
    pub unsafe fn run(self, sums: Sums, finish: Option<Finish<'_>>) {
        self.check(&sums);
        if let Some(Finish { scale, shift, .. }) = finish {
            assert!(scale.is_none_or(|scale| scale.len() >= self.width));
            assert!(shift.is_none_or(|shift| shift.len() >= self.width));
        }
        dispatch(Tiles { gemm: self, sums, finish });
    }

    /// # Panics
    /// If an offset points outside its slice.
    fn check(&self, sums: &Sums) {
        let last_row = |start: fn(&Row) -> usize| self.rows.iter().map(start).max().unwrap_or(0);
        assert!(sums.columns <= self.width);
        assert!(self.rows.is_empty() || last_row(|row| row.result) * sums.stride + sums.columns <= sums.len);
        let last_scalar = last_row(|row| row.scalars);
        for run in self.runs.iter().filter(|run| run.len > 0) {
            assert!(last_scalar + run.scalars + (run.len - 1) * self.step < self.scalars.len);
            assert!(run.panel + run.len * self.width <= self.panel.len());
        }
    }
}

/// A checked product.
struct Tiles<'a> {
    gemm: PanelGemm<'a>,
    sums: Sums,
    finish: Option<Finish<'a>>,
}

impl WithSimd for Tiles<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.gemm.width / S::F32_LANES {
            1 => self.run::<S, 1>(simd),
            2 => self.run::<S, 2>(simd),
            3 if S::REGISTER_COUNT >= 32 => self.run::<S, 3>(simd),
            4 if S::REGISTER_COUNT >= 32 => self.run::<S, 4>(simd),
            vectors => unreachable!("{vectors} vectors in a row of sums"),
        }
    }
}

impl Tiles<'_> {
    /// Splits the rows into tiles whose heights differ by one at most.
    #[inline(always)]
    fn run<S: Simd, const VECTORS: usize>(self, simd: S) {
        assert_eq!(self.gemm.width, VECTORS * S::F32_LANES);
        let all = self.gemm.rows;
        let tiles = all.len().div_ceil(MAX_ROWS);
        let steps: usize = self.gemm.runs.iter().map(|run| run.len).sum();
        for tile in 0..tiles {
            // A line for each `k`: after a few tiles, the whole of it is here.
            let ahead = &self.gemm.next[(tile * steps * LINE).min(self.gemm.next.len())..];
            let rows = &all[all.len() * tile / tiles..all.len() * (tile + 1) / tiles];
            // SAFETY: `PanelGemm::check` has verified all offsets, and the width matches the vectors.
            unsafe {
                match rows.len() {
                    1 => self.tile::<S, 1, VECTORS>(simd, rows, ahead),
                    2 => self.tile::<S, 2, VECTORS>(simd, rows, ahead),
                    3 => self.tile::<S, 3, VECTORS>(simd, rows, ahead),
                    4 => self.tile::<S, 4, VECTORS>(simd, rows, ahead),
                    5 => self.tile::<S, 5, VECTORS>(simd, rows, ahead),
                    _ => self.tile::<S, MAX_ROWS, VECTORS>(simd, rows, ahead),
                }
            }
        }
    }

    /// Computes one tile.
    ///
    /// # Safety
    /// There must be `ROWS` rows, and every offset must lie inside its slice.
    #[inline(always)]
    unsafe fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(&self, simd: S, rows: &[Row], ahead: &[f32]) {
        let PanelGemm { scalars, step, panel, runs, from_zero, .. } = self.gemm;
        let mut tile = [[simd.splat_f32s(0.); VECTORS]; ROWS];
        // SAFETY: as guaranteed by the caller.
        unsafe {
            if !from_zero {
                tile = self.read_sums::<S, ROWS, VECTORS>(simd, rows);
            }
            if let Some(finish) = &self.finish {
                self.prefetch::<ROWS>(rows, finish);
            }
            // Without anything to fetch, the same line again and again costs nothing.
            let (mut ahead, line) = if ahead.is_empty() { (panel.as_ptr(), 0) } else { (ahead.as_ptr(), LINE) };
            for run in runs {
                let starts: [*const f32; ROWS] =
                    std::array::from_fn(|row| scalars.start.add(rows[row].scalars + run.scalars));
                let mut factors = panel.as_ptr().add(run.panel).cast::<[S::f32s; VECTORS]>();
                let mut offset = 0;
                for _ in 0..run.len {
                    let vectors = factors.read_unaligned();
                    for row in 0..ROWS {
                        let scalar = simd.splat_f32s(*starts[row].add(offset));
                        for (sum, vector) in tile[row].iter_mut().zip(vectors) {
                            *sum = mul_add(simd, scalar, vector, *sum);
                        }
                    }
                    factors = factors.add(1);
                    prefetch::<false>(ahead);
                    ahead = ahead.wrapping_add(line);
                    offset += step;
                }
            }
            self.write_sums(simd, rows, tile);
        }
    }

    /// The present sums.
    ///
    /// # Safety
    /// As for [`Tiles::tile`].
    #[inline(always)]
    unsafe fn read_sums<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &self,
        simd: S,
        rows: &[Row],
    ) -> [[S::f32s; VECTORS]; ROWS] {
        std::array::from_fn(|row| {
            let sums = self.sums.start.wrapping_add(rows[row].result * self.sums.stride);
            // SAFETY: as guaranteed by the caller.
            std::array::from_fn(|vector| unsafe { read(simd, sums, vector, self.sums.columns) })
        })
    }

    /// Finishes and writes the sums.
    ///
    /// # Safety
    /// As for [`Tiles::tile`].
    #[expect(clippy::needless_range_loop, reason = "bounds that are constant keep the tile in registers")]
    #[inline(always)]
    unsafe fn write_sums<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &self,
        simd: S,
        rows: &[Row],
        tile: [[S::f32s; VECTORS]; ROWS],
    ) {
        let Sums { start, stride, columns, .. } = self.sums;
        let finish = self.finish.unwrap_or_default();
        for vector in 0..VECTORS {
            // SAFETY: as guaranteed by the caller.
            unsafe {
                let affine = finish.affine(simd, vector);
                for row in 0..ROWS {
                    let result = rows[row].result;
                    let sum = finish.apply(simd, tile[row][vector], affine, vector, result, columns);
                    write(simd, start.wrapping_add(result * stride), vector, columns, sum);
                }
            }
        }
    }

    /// Fetches what the end of a tile needs while its sums are computed.
    #[inline(always)]
    fn prefetch<const ROWS: usize>(&self, rows: &[Row], finish: &Finish<'_>) {
        for row in &rows[..ROWS] {
            for line in (0..self.sums.columns).step_by(LINE) {
                prefetch::<true>(self.sums.start.wrapping_add(row.result * self.sums.stride + line));
                if let Some(residual) = finish.residual {
                    prefetch::<false>(residual.start.wrapping_add(row.result * residual.stride + line));
                }
            }
        }
    }
}

impl Finish<'_> {
    /// Scale and shift of a vector of sums, if it has either.
    ///
    /// # Safety
    /// They must have that vector.
    #[inline(always)]
    pub unsafe fn affine<S: Simd>(&self, simd: S, vector: usize) -> Option<[S::f32s; 2]> {
        let at = vector * S::F32_LANES;
        // SAFETY: as guaranteed by the caller.
        let whole = |values: &[f32]| unsafe { values.as_ptr().add(at).cast::<S::f32s>().read_unaligned() };
        let (scale, shift) = (self.scale.map(whole), self.shift.map(whole));
        let either = scale.is_some() || shift.is_some();
        either.then(|| [scale.unwrap_or(simd.splat_f32s(1.)), shift.unwrap_or(simd.splat_f32s(0.))])
    }

    /// What becomes of a vector of sums, whose [scale and shift](Self::affine) are `affine`.
    ///
    /// # Safety
    /// The residual must be readable at `result`.
    #[inline(always)]
    pub unsafe fn apply<S: Simd>(
        &self,
        simd: S,
        mut sum: S::f32s,
        affine: Option<[S::f32s; 2]>,
        vector: usize,
        result: usize,
        columns: usize,
    ) -> S::f32s {
        if let Some([scale, shift]) = affine {
            sum = mul_add(simd, sum, scale, shift);
        }
        if let Some(residual) = self.residual {
            let row = residual.start.wrapping_add(result * residual.stride);
            // SAFETY: as guaranteed by the caller.
            sum = simd.add_f32s(sum, unsafe { read(simd, row, vector, columns) });
        }
        if self.relu { relu_vector(simd, sum) } else { sum }
    }
}

/// Reads vector number `vector` of a row of `columns` values; those beyond are zero.
///
/// # Safety
/// The values must be readable.
#[inline(always)]
pub(crate) unsafe fn read<S: Simd>(simd: S, row: *const f32, vector: usize, columns: usize) -> S::f32s {
    let at = vector * S::F32_LANES;
    // SAFETY: as guaranteed by the caller.
    unsafe {
        if at + S::F32_LANES <= columns {
            row.add(at).cast::<S::f32s>().read_unaligned()
        } else {
            simd.partial_load_f32s(std::slice::from_raw_parts(row.add(at.min(columns)), columns.saturating_sub(at)))
        }
    }
}

/// Writes vector number `vector` of a row of `columns` values.
///
/// # Safety
/// The values must be writable.
#[inline(always)]
pub(crate) unsafe fn write<S: Simd>(simd: S, row: *mut f32, vector: usize, columns: usize, values: S::f32s) {
    let at = vector * S::F32_LANES;
    // SAFETY: as guaranteed by the caller.
    unsafe {
        if at + S::F32_LANES <= columns {
            row.add(at).cast::<S::f32s>().write_unaligned(values);
        } else {
            let row = std::slice::from_raw_parts_mut(row.add(at.min(columns)), columns.saturating_sub(at));
            simd.partial_store_f32s(row, values);
        }
    }
}
