//! Transposes squares of values in registers.
#![allow(unsafe_code)] // Shuffles that pulp does not offer.

use pulp::{Simd, bytemuck::cast};

use crate::simd::MAX_LANES;

/// As many vectors as a vector has lanes; unused entries are zero.
pub(crate) type Square<S> = [<S as Simd>::f32s; MAX_LANES];

/// Transposes a square: element `j` of vector `i` becomes element `i` of vector `j`.
///
/// Interleaving the first half of the vectors with the second rotates the bits of the index (row, column) by one. After
/// log2(lanes) rounds, row and column have traded places.
#[inline(always)]
pub(crate) fn transpose<S: Simd>(simd: S, square: &mut Square<S>) {
    let half = S::F32_LANES / 2;
    let mut rounds = half;
    while rounds > 0 {
        let rows = *square;
        for row in 0..half {
            (square[2 * row], square[2 * row + 1]) = zip(simd, rows[row], rows[row + half]);
        }
        rounds /= 2;
    }
}

/// Interleaves two vectors: `a0 b0 a1 b1 ..`, as two vectors.
#[inline(always)]
fn zip<S: Simd>(_: S, a: S::f32s, b: S::f32s) -> (S::f32s, S::f32s) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::*;
        if S::F32_LANES == 16 {
            let (a, b): (__m512, __m512) = (cast(a), cast(b));
            // SAFETY: only AVX-512 has 16 lanes, and `S` proves that the processor supports it.
            let (low, high) = unsafe {
                let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
                let high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
                (_mm512_permutex2var_ps(a, low, b), _mm512_permutex2var_ps(a, high, b))
            };
            return (cast(low), cast(high));
        }
        if S::F32_LANES == 8 {
            let (a, b): (__m256, __m256) = (cast(a), cast(b));
            // SAFETY: on this architecture only AVX2 has 8 lanes, and `S` proves that the processor supports it.
            let (low, high) = unsafe {
                let (outer, inner) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
                (_mm256_permute2f128_ps::<0x20>(outer, inner), _mm256_permute2f128_ps::<0x31>(outer, inner))
            };
            return (cast(low), cast(high));
        }
    }
    // LLVM compiles each of these to one shuffle.
    let (a, b): ([f32; 4], [f32; 4]) = (cast(a), cast(b));
    (cast([a[0], b[0], a[1], b[1]]), cast([a[2], b[2], a[3], b[3]]))
}
