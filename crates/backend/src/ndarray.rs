//! Burn's ndarray backend as a type without parameters.
//!
//! `burn_ndarray::NdArray` is generic over its elements, so every crate that computes with it compiles its operations anew, each
//! for ten types of elements. The operations of [`NdArray`] are compiled here, once; they are `burn_ndarray`'s, to the bit.

mod operations;

use std::borrow::Cow;

use burn::tensor::DType;
use burn::tensor::backend::{Backend, BackendTypes, DTypeUsageSet};
use burn_ndarray::{NdArrayDevice, NdArrayQTensor, NdArrayTensor};

use crate::host::HostMemory;

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

impl HostMemory for NdArray {
    const SHARED: bool = true;

    fn f32s(tensor: &NdArrayTensor) -> Option<Cow<'_, [f32]>> {
        let NdArrayTensor::F32(storage) = tensor else { return None };
        let view = storage.view();
        Some(view.to_slice().map_or_else(|| view.iter().copied().collect(), Cow::Borrowed))
    }

    fn u8s(tensor: &NdArrayTensor) -> Option<Cow<'_, [u8]>> {
        let NdArrayTensor::U8(storage) = tensor else { return None };
        let view = storage.view();
        Some(view.to_slice().map_or_else(|| view.iter().copied().collect(), Cow::Borrowed))
    }

    fn indices(tensor: &NdArrayTensor) -> Option<Vec<usize>> {
        match tensor {
            NdArrayTensor::I64(storage) => storage.view().iter().map(|&index| index.try_into().ok()).collect(),
            NdArrayTensor::I32(storage) => storage.view().iter().map(|&index| index.try_into().ok()).collect(),
            _ => None,
        }
    }
}

impl crate::operations::Backend for NdArray {}
