//! Burn's ndarray backend as a type without parameters.
//!
//! `burn_ndarray::NdArray` is generic over its elements, so every crate that computes with it compiles its operations anew, each
//! for ten types of elements. The operations of [`NdArray`] are compiled here, once; they are `burn_ndarray`'s, to the bit.

mod operations;

use burn::tensor::DType;
use burn::tensor::backend::{Backend, BackendTypes, DTypeUsageSet};
use burn_ndarray::{NdArrayDevice, NdArrayQTensor, NdArrayTensor};

/// The backend that does the work.
type Inner = burn_ndarray::NdArray<f32, i64, i8>;

/// The CPU through ndarray, with f32 and i64.
#[derive(Clone, Copy, Debug, Default)]
pub struct NdArray;

impl BackendTypes for NdArray {
    type Device = NdArrayDevice;
    type FloatTensorPrimitive = NdArrayTensor;
    type FloatElem = f32;
    type IntTensorPrimitive = NdArrayTensor;
    type IntElem = i64;
    type BoolTensorPrimitive = NdArrayTensor;
    type BoolElem = bool;
    type QuantizedTensorPrimitive = NdArrayQTensor;
}

impl Backend for NdArray {
    fn name(device: &NdArrayDevice) -> String {
        Inner::name(device)
    }

    fn seed(device: &NdArrayDevice, seed: u64) {
        Inner::seed(device, seed);
    }

    fn dtype_usage(device: &NdArrayDevice, dtype: DType) -> DTypeUsageSet {
        Inner::dtype_usage(device, dtype)
    }

    fn device_count(type_id: u16) -> usize {
        Inner::device_count(type_id)
    }
}
