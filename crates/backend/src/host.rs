//! Tensors in the memory of the CPU, as slices of numbers.

use std::borrow::Cow;

use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor, IntTensor};
use burn::tensor::{Element, Shape, TensorData};

/// A backend that may let the CPU at its memory: kernels then compute on its tensors where they lie.
///
/// Without a method of its own, a backend keeps its memory to itself, as GPUs do.
pub trait HostMemory: Backend {
    /// Whether it does.
    const SHARED: bool = false;

    /// The numbers of a tensor of `f32`, row by row; `None` if it holds another type or lies elsewhere. Tensors that do not lie
    /// row by row are copied.
    fn f32s(_tensor: &FloatTensor<Self>) -> Option<Cow<'_, [f32]>> {
        None
    }

    /// The numbers of a tensor of `u8`, likewise.
    fn u8s(_tensor: &IntTensor<Self>) -> Option<Cow<'_, [u8]>> {
        None
    }

    /// A tensor of integers as indices; `None` if one of them is negative, or it lies elsewhere.
    fn indices(_tensor: &IntTensor<Self>) -> Option<Vec<usize>> {
        None
    }
}

/// A tensor of the values, which are not copied where the backend computes in the CPU's memory.
pub(crate) fn float_tensor<B: HostMemory>(values: Vec<f32>, shape: impl Into<Shape>) -> FloatTensor<B> {
    B::float_from_data(data(values, shape), &Default::default())
}

/// [`float_tensor`] of integers.
pub(crate) fn u8_tensor<B: HostMemory>(values: Vec<u8>, shape: impl Into<Shape>) -> IntTensor<B> {
    B::int_from_data(data(values, shape), &Default::default())
}

fn data<E: Element>(values: Vec<E>, shape: impl Into<Shape>) -> TensorData {
    TensorData::new(values, shape.into())
}

/// The numbers of a tensor if there is one; `None` if they cannot be had.
pub(crate) fn optional<B: HostMemory>(tensor: Option<&FloatTensor<B>>) -> Option<Option<Cow<'_, [f32]>>> {
    match tensor {
        Some(tensor) => B::f32s(tensor).map(Some),
        None => Some(None),
    }
}
