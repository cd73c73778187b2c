//! ReLU and its gradient.

use pulp::Simd;
use rayon::prelude::*;

/// Values per task.
const TASK_FLOATS: usize = 1 << 16;

/// ReLU of one value; NaN propagates.
#[inline(always)]
pub(crate) fn relu_scalar(value: f32) -> f32 {
    if value < 0. { 0. } else { value }
}

/// ReLU of a vector, likewise.
#[inline(always)]
pub(crate) fn relu_vector<S: Simd>(simd: S, values: S::f32s) -> S::f32s {
    let zero = simd.splat_f32s(0.);
    simd.select_f32s(simd.less_than_f32s(values, zero), zero, values)
}

/// Replaces negative values by zero; NaN propagates.
pub(crate) fn relu_in_place(values: &mut [f32]) {
    values.par_chunks_mut(TASK_FLOATS).for_each(|values| {
        values.iter_mut().for_each(|value| *value = relu_scalar(*value));
    });
}

/// The gradient of ReLU's input: zero where ReLU clipped the output, `grad` elsewhere.
pub(crate) fn relu_backward(output: &[f32], grad: &[f32]) -> Vec<f32> {
    let mut x = grad.to_vec();
    x.par_chunks_mut(TASK_FLOATS).zip(output.par_chunks(TASK_FLOATS)).for_each(|(x, output)| {
        x.iter_mut().zip(output).for_each(|(x, &output)| *x = if output <= 0. { 0. } else { *x });
    });
    x
}
