//! Moves between "one image after the other" and "one image a lane".
#![allow(unsafe_code)] // Shuffles that pulp does not have, and results in memory that is not initialised.

use std::mem::MaybeUninit;

use pulp::{Simd, bytemuck::cast};

use crate::shape::Conv2d;
use crate::simd::{MOST_LANES, load, store};

/// A square of as many vectors as a vector has lanes; unused ones are zero.
pub(crate) type Square<S> = [<S as Simd>::f32s; MOST_LANES];

/// Exchanges rows and columns of a square: element `j` of vector `i` becomes element `i` of vector `j`.
///
/// Zipping the first half of the vectors with the second rotates the bits of (row, column) by one place; after as many
/// rounds as a column number has bits, the two have changed places.
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

/// `a0 b0 a1 b1 ..` as two vectors.
#[inline(always)]
fn zip<S: Simd>(_: S, a: S::f32s, b: S::f32s) -> (S::f32s, S::f32s) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::*;
        if S::F32_LANES == 16 {
            let (a, b): (__m512, __m512) = (cast(a), cast(b));
            // SAFETY: only AVX-512 has 16 lanes, and `S` proves that the processor has it.
            let (low, high) = unsafe {
                let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
                let high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
                (_mm512_permutex2var_ps(a, low, b), _mm512_permutex2var_ps(a, high, b))
            };
            return (cast(low), cast(high));
        }
        if S::F32_LANES == 8 {
            let (a, b): (__m256, __m256) = (cast(a), cast(b));
            // SAFETY: on this architecture only AVX2 has 8 lanes, and `S` proves that the processor has it.
            let (low, high) = unsafe {
                let (outer, inner) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
                (_mm256_permute2f128_ps::<0x20>(outer, inner), _mm256_permute2f128_ps::<0x31>(outer, inner))
            };
            return (cast(low), cast(high));
        }
    }
    // LLVM makes one shuffle each of this.
    let (a, b): ([f32; 4], [f32; 4]) = (cast(a), cast(b));
    (cast([a[0], b[0], a[1], b[1]]), cast([a[2], b[2], a[3], b[3]]))
}

/// Packs images `[n, C, H, W]`, at most as many as there are lanes, as `[C, padded H, padded W]` vectors with one lane an
/// image. Lanes without an image are zero; the padding is left as it is.
#[inline(always)]
pub(crate) fn gather_lanes<S: Simd>(simd: S, x: &[f32], conv: &Conv2d, packed: &mut [f32]) {
    let Conv2d { image: [_, channels, height, width], padding: [vertical, horizontal], .. } = *conv;
    let image = channels * height * width;
    if *conv.padding.as_flattened() == [0; 4] {
        return gather_run(simd, x, image, 0, packed);
    }
    let columns = width + horizontal[0] + horizontal[1];
    let rows = height + vertical[0] + vertical[1];
    for channel in 0..channels {
        for y in 0..height {
            let from = (channel * height + y) * width;
            let to = ((channel * rows + vertical[0] + y) * columns + horizontal[0]) * S::F32_LANES;
            gather_run(simd, x, image, from, &mut packed[to..][..width * S::F32_LANES]);
        }
    }
}

/// Packs neighbouring numbers of each image, from the place `from` on, until `packed` is full.
#[inline(always)]
fn gather_run<S: Simd>(simd: S, x: &[f32], image: usize, from: usize, packed: &mut [f32]) {
    for (block, packed) in packed.chunks_mut(S::F32_LANES * S::F32_LANES).enumerate() {
        let len = packed.len() / S::F32_LANES;
        let mut square = [simd.splat_f32s(0.); MOST_LANES];
        for (vector, image) in square.iter_mut().zip(x.chunks_exact(image)) {
            *vector = load_some(simd, &image[from + block * S::F32_LANES..][..len]);
        }
        transpose(simd, &mut square);
        for (packed, vector) in packed.chunks_exact_mut(S::F32_LANES).zip(square) {
            store(simd, packed, vector);
        }
    }
}

/// Reads what is usually a whole vector; a shorter one is filled up with zeros.
#[inline(always)]
fn load_some<S: Simd>(simd: S, memory: &[f32]) -> S::f32s {
    if memory.len() == S::F32_LANES { load(simd, memory) } else { simd.partial_load_f32s(memory) }
}

/// Writes what is usually a whole vector, or the start of one.
#[inline(always)]
fn store_some<S: Simd>(simd: S, memory: &mut [f32], vector: S::f32s) {
    if memory.len() == S::F32_LANES { store(simd, memory, vector) } else { simd.partial_store_f32s(memory, vector) }
}

/// The rows of at most as many vectors as there are lanes: each holds what one image has in them.
#[inline(always)]
fn images<S: Simd>(simd: S, vectors: &[f32]) -> Square<S> {
    let mut square = [simd.splat_f32s(0.); MOST_LANES];
    for (row, vector) in square.iter_mut().zip(vectors.chunks_exact(S::F32_LANES)) {
        *row = load(simd, vector);
    }
    transpose(simd, &mut square);
    square
}

/// Unpacks vectors with one lane an image into `out`, image after image, for as many images as it has room.
#[inline(always)]
pub(crate) fn scatter_lanes<S: Simd>(simd: S, vectors: &[f32], out: &mut [MaybeUninit<f32>]) {
    let result = vectors.len() / S::F32_LANES;
    for (block, vectors) in vectors.chunks(S::F32_LANES * S::F32_LANES).enumerate() {
        for (out, row) in out.chunks_exact_mut(result).zip(images(simd, vectors)) {
            let out = &mut out[block * S::F32_LANES..][..vectors.len() / S::F32_LANES];
            // SAFETY: initialised numbers may be written over whatever is there, and are not read here.
            store_some(simd, unsafe { &mut *(out as *mut [MaybeUninit<f32>] as *mut [f32]) }, row);
        }
    }
}

/// Unpacks small whole numbers, kept as f32, into bytes, image after image.
#[inline(always)]
pub(crate) fn scatter_places<S: Simd>(simd: S, vectors: &[f32], out: &mut [MaybeUninit<u8>]) {
    let result = vectors.len() / S::F32_LANES;
    for (block, vectors) in vectors.chunks(S::F32_LANES * S::F32_LANES).enumerate() {
        for (out, row) in out.chunks_exact_mut(result).zip(images(simd, vectors)) {
            let mut numbers = [0f32; MOST_LANES];
            store(simd, &mut numbers, row);
            let out = &mut out[block * S::F32_LANES..][..vectors.len() / S::F32_LANES];
            for (out, number) in out.iter_mut().zip(numbers) {
                // SAFETY: places are below 256.
                out.write(unsafe { number.to_int_unchecked::<i32>() } as u8);
            }
        }
    }
}
