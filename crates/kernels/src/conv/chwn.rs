//! Converts between `[N, C, H, W]` and `[C, H, W, lanes]`, where each lane of a vector belongs to another image.
#![allow(unsafe_code)] // Outputs are written into uninitialised memory.

use std::mem::MaybeUninit;

use pulp::Simd;

use crate::shape::Conv2d;
use crate::simd::{MAX_LANES, load, store};
use crate::transpose::{Square, transpose};

/// Packs at most as many images `[n, C, H, W]` as there are lanes into `[C, padded H, padded W, lanes]`. Lanes without
/// an image become zero; the padding is not written.
#[inline(always)]
pub(crate) fn pack_lanes<S: Simd>(simd: S, x: &[f32], conv: &Conv2d, packed: &mut [f32]) {
    let Conv2d { image: [_, channels, height, width], padding: [vertical, horizontal], .. } = *conv;
    let image = channels * height * width;
    if *conv.padding.as_flattened() == [0; 4] {
        return pack_run(simd, x, image, 0, packed);
    }
    let columns = width + horizontal[0] + horizontal[1];
    let rows = height + vertical[0] + vertical[1];
    for channel in 0..channels {
        for y in 0..height {
            let from = (channel * height + y) * width;
            let to = ((channel * rows + vertical[0] + y) * columns + horizontal[0]) * S::F32_LANES;
            pack_run(simd, x, image, from, &mut packed[to..][..width * S::F32_LANES]);
        }
    }
}

/// Packs adjacent values of each image, from offset `from` on, until `packed` is full.
#[inline(always)]
fn pack_run<S: Simd>(simd: S, x: &[f32], image: usize, from: usize, packed: &mut [f32]) {
    for (block, packed) in packed.chunks_mut(S::F32_LANES * S::F32_LANES).enumerate() {
        let len = packed.len() / S::F32_LANES;
        let mut square = [simd.splat_f32s(0.); MAX_LANES];
        for (vector, image) in square.iter_mut().zip(x.chunks_exact(image)) {
            *vector = load_partial(simd, &image[from + block * S::F32_LANES..][..len]);
        }
        transpose(simd, &mut square);
        for (packed, vector) in packed.chunks_exact_mut(S::F32_LANES).zip(square) {
            store(simd, packed, vector);
        }
    }
}

/// Loads what is usually a whole vector; missing lanes become zero.
#[inline(always)]
fn load_partial<S: Simd>(simd: S, memory: &[f32]) -> S::f32s {
    if memory.len() == S::F32_LANES { load(simd, memory) } else { simd.partial_load_f32s(memory) }
}

/// Stores what is usually a whole vector, or the start of one.
#[inline(always)]
fn store_partial<S: Simd>(simd: S, memory: &mut [f32], vector: S::f32s) {
    if memory.len() == S::F32_LANES { store(simd, memory, vector) } else { simd.partial_store_f32s(memory, vector) }
}

/// Transposes at most as many vectors as there are lanes: each row then holds the values of one image.
#[inline(always)]
fn transposed<S: Simd>(simd: S, vectors: &[f32]) -> Square<S> {
    let mut square = [simd.splat_f32s(0.); MAX_LANES];
    for (row, vector) in square.iter_mut().zip(vectors.chunks_exact(S::F32_LANES)) {
        *row = load(simd, vector);
    }
    transpose(simd, &mut square);
    square
}

/// Unpacks `[.., lanes]` into `out` `[n, ..]`, for as many images as `out` holds.
#[inline(always)]
pub(crate) fn unpack_lanes<S: Simd>(simd: S, vectors: &[f32], out: &mut [MaybeUninit<f32>]) {
    let result = vectors.len() / S::F32_LANES;
    for (block, vectors) in vectors.chunks(S::F32_LANES * S::F32_LANES).enumerate() {
        for (out, row) in out.chunks_exact_mut(result).zip(transposed(simd, vectors)) {
            let out = &mut out[block * S::F32_LANES..][..vectors.len() / S::F32_LANES];
            // SAFETY: `out` is only written, and only with initialised values.
            store_partial(simd, unsafe { &mut *(out as *mut [MaybeUninit<f32>] as *mut [f32]) }, row);
        }
    }
}

/// As [`unpack_lanes`], for small non-negative integers that are kept as f32 and stored as bytes.
#[inline(always)]
pub(crate) fn unpack_argmax<S: Simd>(simd: S, vectors: &[f32], out: &mut [MaybeUninit<u8>]) {
    let result = vectors.len() / S::F32_LANES;
    for (block, vectors) in vectors.chunks(S::F32_LANES * S::F32_LANES).enumerate() {
        for (out, row) in out.chunks_exact_mut(result).zip(transposed(simd, vectors)) {
            let mut numbers = [0f32; MAX_LANES];
            store(simd, &mut numbers, row);
            let out = &mut out[block * S::F32_LANES..][..vectors.len() / S::F32_LANES];
            for (out, number) in out.iter_mut().zip(numbers) {
                // SAFETY: an argmax is below 256.
                out.write(unsafe { number.to_int_unchecked::<i32>() } as u8);
            }
        }
    }
}
