//! The transforms of F(4, 3) along one axis.
//!
//! They evaluate and interpolate polynomials at 0, A, -A, B, -B and infinity (Toom and Cook). Of the points that are exact in
//! few bits, as are all products below, A = 5/8 and B = 3/2 have the smallest error: on 64 channels of random pixels after
//! ReLU it is 2.4 times that of a direct sum in f32 (root mean square), and half that of the usual 1 and 2.

use pulp::Simd;

use super::{INPUT, OUTPUT};
use crate::simd::mul_add;

const A: f32 = 0.625;
const B: f32 = 1.5;
const A2: f32 = A * A;
const B2: f32 = B * B;

/// What the interpolation divides by at 0, A and B.
const AT_ZERO: f32 = A2 * B2;
const AT_A: f32 = 2. * A2 * (A2 - B2);
const AT_B: f32 = 2. * B2 * (B2 - A2);

/// Six pixels.
#[inline(always)]
pub(super) fn input<S: Simd>(simd: S, [d0, d1, d2, d3, d4, d5]: [S::f32s; INPUT]) -> [S::f32s; INPUT] {
    let times = |factor: f32, value, sum| mul_add(simd, simd.splat_f32s(factor), value, sum);
    let even = [times(-B2, d2, d4), times(-A2, d2, d4)];
    let odd = [times(-B2, d1, d3), times(-A2, d1, d3)];
    [
        times(A2 * B2, d0, times(-(A2 + B2), d2, d4)),
        times(A, odd[0], even[0]),
        times(-A, odd[0], even[0]),
        times(B, odd[1], even[1]),
        times(-B, odd[1], even[1]),
        times(A2 * B2, d1, times(-(A2 + B2), d3, d5)),
    ]
}

/// Three weights.
#[inline(always)]
pub(super) fn weight<S: Simd>(simd: S, [g0, g1, g2]: [S::f32s; 3]) -> [S::f32s; INPUT] {
    let product = |factor: f32, value| simd.mul_f32s(simd.splat_f32s(factor), value);
    let times = |factor: f32, value, sum| mul_add(simd, simd.splat_f32s(factor), value, sum);
    let even = [times(A2 / AT_A, g2, product(1. / AT_A, g0)), times(B2 / AT_B, g2, product(1. / AT_B, g0))];
    [
        product(1. / AT_ZERO, g0),
        times(A / AT_A, g1, even[0]),
        times(-A / AT_A, g1, even[0]),
        times(B / AT_B, g1, even[1]),
        times(-B / AT_B, g1, even[1]),
        g2,
    ]
}

/// The sums at six points.
#[inline(always)]
pub(super) fn output<S: Simd>(simd: S, [m0, m1, m2, m3, m4, m5]: [S::f32s; INPUT]) -> [S::f32s; OUTPUT] {
    let product = |factor: f32, value| simd.mul_f32s(simd.splat_f32s(factor), value);
    let times = |factor: f32, value, sum| mul_add(simd, simd.splat_f32s(factor), value, sum);
    let sum = [simd.add_f32s(m1, m2), simd.add_f32s(m3, m4)];
    let difference = [simd.sub_f32s(m1, m2), simd.sub_f32s(m3, m4)];
    [
        simd.add_f32s(m0, simd.add_f32s(sum[0], sum[1])),
        times(A, difference[0], product(B, difference[1])),
        times(A2, sum[0], product(B2, sum[1])),
        times(A2 * A, difference[0], times(B2 * B, difference[1], m5)),
    ]
}
