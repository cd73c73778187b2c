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

use pulp::{Simd, WithSimd};

use crate::simd::{dispatch, mul_add};

/// Rows of a full tile. With four vectors per row, 24 sums, 4 panel vectors and a scalar fit into 32 registers; with
/// two, 12 + 2 + 1 fit into 16.
const MAX_ROWS: usize = 6;

/// Consecutive `k`: where they start among the scalars (relative to the row) and in the panel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub scalars: usize,
    pub panel: usize,
    pub len: usize,
}

/// Where the scalars and the sums of a row start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub scalars: usize,
    pub sums: usize,
}

/// A product to be added to sums.
pub(super) struct PanelGemm<'a> {
    pub scalars: &'a [f32],
    /// Distance between the scalars of consecutive `k`.
    pub step: usize,
    pub panel: &'a [f32],
    /// Sums per row, and values per `k` in the panel: a [`crate::simd::panel_width`].
    pub width: usize,
    pub runs: &'a [Run],
    pub rows: &'a [Row],
    /// Whether the sums start from zero rather than from their present values.
    pub from_zero: bool,
}

impl PanelGemm<'_> {
    /// Adds the product to `sums`.
    pub fn add_to(self, sums: &mut [f32]) {
        self.check(sums);
        dispatch(Tiles { gemm: self, sums });
    }

    /// # Panics
    /// If an offset points outside its slice.
    fn check(&self, sums: &[f32]) {
        let last_row = |start: fn(&Row) -> usize| self.rows.iter().map(start).max().unwrap_or(0);
        assert!(self.rows.is_empty() || last_row(|row| row.sums) + self.width <= sums.len());
        let last_scalar = last_row(|row| row.scalars);
        for run in self.runs.iter().filter(|run| run.len > 0) {
            assert!(last_scalar + run.scalars + (run.len - 1) * self.step < self.scalars.len());
            assert!(run.panel + run.len * self.width <= self.panel.len());
        }
    }
}

/// A checked product.
struct Tiles<'a> {
    gemm: PanelGemm<'a>,
    sums: &'a mut [f32],
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
    fn run<S: Simd, const VECTORS: usize>(mut self, simd: S) {
        assert_eq!(self.gemm.width, VECTORS * S::F32_LANES);
        let all = self.gemm.rows;
        let tiles = all.len().div_ceil(MAX_ROWS);
        for tile in 0..tiles {
            let rows = &all[all.len() * tile / tiles..all.len() * (tile + 1) / tiles];
            // SAFETY: `PanelGemm::check` has verified all offsets, and the width matches the vectors.
            unsafe {
                match rows.len() {
                    1 => self.tile::<S, 1, VECTORS>(simd, rows),
                    2 => self.tile::<S, 2, VECTORS>(simd, rows),
                    3 => self.tile::<S, 3, VECTORS>(simd, rows),
                    4 => self.tile::<S, 4, VECTORS>(simd, rows),
                    5 => self.tile::<S, 5, VECTORS>(simd, rows),
                    _ => self.tile::<S, MAX_ROWS, VECTORS>(simd, rows),
                }
            }
        }
    }

    /// Computes one tile.
    ///
    /// # Safety
    /// There must be `ROWS` rows, and every offset must lie inside its slice.
    #[inline(always)]
    unsafe fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(&mut self, simd: S, rows: &[Row]) {
        let PanelGemm { scalars, step, panel, runs, from_zero, .. } = self.gemm;
        let sums = self.sums.as_mut_ptr();
        let mut tile = [[simd.splat_f32s(0.); VECTORS]; ROWS];
        // SAFETY: as guaranteed by the caller.
        unsafe {
            if !from_zero {
                for (row, tile) in rows.iter().zip(&mut tile) {
                    *tile = sums.add(row.sums).cast::<[S::f32s; VECTORS]>().read_unaligned();
                }
            }
            for run in runs {
                let starts: [*const f32; ROWS] =
                    std::array::from_fn(|row| scalars.as_ptr().add(rows[row].scalars + run.scalars));
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
                    offset += step;
                }
            }
            for (row, tile) in rows.iter().zip(tile) {
                sums.add(row.sums).cast::<[S::f32s; VECTORS]>().write_unaligned(tile);
            }
        }
    }
}
