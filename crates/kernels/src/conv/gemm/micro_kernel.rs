//! The micro-kernel: tiles of sums that stay in registers while a long product runs through them.
//!
//! ```text
//! sums[row, 0..width] += scalar[row, k] * panel[k, 0..width]        for every k of every run
//! ```
//!
//! The panel `[k][width]` is packed and read in order; it may sit in the second-level cache, as a tile takes a line of
//! it for six multiply-adds. The scalars are read where they are: `k` walks through them run by run with a fixed step,
//! and every row of sums has its own starting place. So the same kernel multiplies pixels with channels (forward, input
//! gradient) and channels with pixels (weight gradient), and nothing is multiplied that lies outside the image.
#![allow(unsafe_code)] // Bounds are checked once for a whole product, not for each of its numbers.

use pulp::{Simd, WithSimd};

use crate::simd::{dispatch, mul_add};

/// Rows of sums in a full tile: with four vectors a row, 24 sums, 4 vectors of the panel and a scalar fill 32 registers;
/// with two, 12 + 2 + 1 fill 16.
const MAX_ROWS: usize = 6;

/// Consecutive `k`: they start at these places of the scalars (from the place of the row) and of the panel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub scalars: usize,
    pub panel: usize,
    pub len: usize,
}

/// Where the scalars and the sums of a row begin.
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
    /// Sums in a row, and numbers for each `k` in the panel: a [`crate::simd::panel_width`].
    pub width: usize,
    pub runs: &'a [Run],
    pub rows: &'a [Row],
    /// Whether the sums start from zero rather than from what is there.
    pub from_zero: bool,
}

impl PanelGemm<'_> {
    /// Adds the product to `sums`.
    pub fn add_to(self, sums: &mut [f32]) {
        self.check(sums);
        dispatch(Tiles { gemm: self, sums });
    }

    /// # Panics
    /// If a place is outside its slice.
    fn check(&self, sums: &[f32]) {
        let last_row = |place: fn(&Row) -> usize| self.rows.iter().map(place).max().unwrap_or(0);
        assert!(self.rows.is_empty() || last_row(|row| row.sums) + self.width <= sums.len());
        let last_scalar = last_row(|row| row.scalars);
        for run in self.runs.iter().filter(|run| run.len > 0) {
            assert!(last_scalar + run.scalars + (run.len - 1) * self.step < self.scalars.len());
            assert!(run.panel + run.len * self.width <= self.panel.len());
        }
    }
}

/// The product, checked.
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
    /// Cuts the rows into tiles that differ by one row at most.
    #[inline(always)]
    fn run<S: Simd, const VECTORS: usize>(mut self, simd: S) {
        assert_eq!(self.gemm.width, VECTORS * S::F32_LANES);
        let all = self.gemm.rows;
        let tiles = all.len().div_ceil(MAX_ROWS);
        for tile in 0..tiles {
            let rows = &all[all.len() * tile / tiles..all.len() * (tile + 1) / tiles];
            // SAFETY: `PanelGemm::check` has looked at all places, and the width is that of the vectors.
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

    /// One tile.
    ///
    /// # Safety
    /// There are `ROWS` rows, and every place of the product is inside its slice.
    #[inline(always)]
    unsafe fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(&mut self, simd: S, rows: &[Row]) {
        let PanelGemm { scalars, step, panel, runs, from_zero, .. } = self.gemm;
        let sums = self.sums.as_mut_ptr();
        let mut tile = [[simd.splat_f32s(0.); VECTORS]; ROWS];
        // SAFETY: as the caller promises.
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
                let mut place = 0;
                for _ in 0..run.len {
                    let vectors = factors.read_unaligned();
                    for row in 0..ROWS {
                        let scalar = simd.splat_f32s(*starts[row].add(place));
                        for (sum, vector) in tile[row].iter_mut().zip(vectors) {
                            *sum = mul_add(simd, scalar, vector, *sum);
                        }
                    }
                    factors = factors.add(1);
                    place += step;
                }
            }
            for (row, tile) in rows.iter().zip(tile) {
                sums.add(row.sums).cast::<[S::f32s; VECTORS]>().write_unaligned(tile);
            }
        }
    }
}
