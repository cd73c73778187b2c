//! Moves between "one image after the other" and "one image a lane".
#![allow(unsafe_code)] // Results go to memory that is not initialised.

use std::mem::MaybeUninit;

use pulp::Simd;

use crate::shape::Conv2d;
use crate::simd::{MAX_LANES, load, store};
use crate::transpose::{Square, transpose};

/// Packs images `[n, C, H, W]`, at most as many as there are lanes, as `[C, padded H, padded W]` vectors with one lane an
/// image. Lanes without an image are zero; the padding is left as it is.
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

/// Packs neighbouring numbers of each image, from the place `from` on, until `packed` is full.
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

/// Reads what is usually a whole vector; a shorter one is filled up with zeros.
#[inline(always)]
fn load_partial<S: Simd>(simd: S, memory: &[f32]) -> S::f32s {
    if memory.len() == S::F32_LANES { load(simd, memory) } else { simd.partial_load_f32s(memory) }
}

/// Writes what is usually a whole vector, or the start of one.
#[inline(always)]
fn store_partial<S: Simd>(simd: S, memory: &mut [f32], vector: S::f32s) {
    if memory.len() == S::F32_LANES { store(simd, memory, vector) } else { simd.partial_store_f32s(memory, vector) }
}

/// The rows of at most as many vectors as there are lanes: each holds what one image has in them.
#[inline(always)]
fn transposed<S: Simd>(simd: S, vectors: &[f32]) -> Square<S> {
    let mut square = [simd.splat_f32s(0.); MAX_LANES];
    for (row, vector) in square.iter_mut().zip(vectors.chunks_exact(S::F32_LANES)) {
        *row = load(simd, vector);
    }
    transpose(simd, &mut square);
    square
}

/// Unpacks vectors with one lane an image into `out`, image after image, for as many images as it has room.
#[inline(always)]
pub(crate) fn unpack_lanes<S: Simd>(simd: S, vectors: &[f32], out: &mut [MaybeUninit<f32>]) {
    let result = vectors.len() / S::F32_LANES;
    for (block, vectors) in vectors.chunks(S::F32_LANES * S::F32_LANES).enumerate() {
        for (out, row) in out.chunks_exact_mut(result).zip(transposed(simd, vectors)) {
            let out = &mut out[block * S::F32_LANES..][..vectors.len() / S::F32_LANES];
            // SAFETY: initialised numbers may be written over whatever is there, and are not read here.
            store_partial(simd, unsafe { &mut *(out as *mut [MaybeUninit<f32>] as *mut [f32]) }, row);
        }
    }
}

/// Unpacks small whole numbers, kept as f32, into bytes, image after image.
#[inline(always)]
pub(crate) fn unpack_argmax<S: Simd>(simd: S, vectors: &[f32], out: &mut [MaybeUninit<u8>]) {
    let result = vectors.len() / S::F32_LANES;
    for (block, vectors) in vectors.chunks(S::F32_LANES * S::F32_LANES).enumerate() {
        for (out, row) in out.chunks_exact_mut(result).zip(transposed(simd, vectors)) {
            let mut numbers = [0f32; MAX_LANES];
            store(simd, &mut numbers, row);
            let out = &mut out[block * S::F32_LANES..][..vectors.len() / S::F32_LANES];
            for (out, number) in out.iter_mut().zip(numbers) {
                // SAFETY: places are below 256.
                out.write(unsafe { number.to_int_unchecked::<i32>() } as u8);
            }
        }
    }
}
