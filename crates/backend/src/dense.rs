//! The tensors of the CPU backends as slices of numbers.

use std::borrow::Cow;

use burn::tensor::{Shape, TensorData, TensorMetadata};
#[cfg(feature = "flex")]
use burn_flex::FlexTensor;
use burn_ndarray::NdArrayTensor;

/// A tensor in the memory of the CPU.
pub(crate) trait Dense: TensorMetadata {
    /// Its numbers, row by row; `None` if they are of another type.
    fn f32s(&self) -> Option<Cow<'_, [f32]>>;
    /// Its bytes, row by row; `None` if it holds something else.
    fn u8s(&self) -> Option<Cow<'_, [u8]>>;
    /// Its whole numbers as indices; `None` if it holds something else, or a negative number.
    fn indices(&self) -> Option<Vec<usize>>;
    /// A tensor of the data, without copying it.
    fn of(data: TensorData) -> Self;
}

impl Dense for NdArrayTensor {
    fn f32s(&self) -> Option<Cow<'_, [f32]>> {
        let Self::F32(storage) = self else { return None };
        let view = storage.view();
        Some(view.to_slice().map_or_else(|| view.iter().copied().collect(), Cow::Borrowed))
    }

    fn u8s(&self) -> Option<Cow<'_, [u8]>> {
        let Self::U8(storage) = self else { return None };
        let view = storage.view();
        Some(view.to_slice().map_or_else(|| view.iter().copied().collect(), Cow::Borrowed))
    }

    fn indices(&self) -> Option<Vec<usize>> {
        match self {
            Self::I64(storage) => storage.view().iter().map(|&index| index.try_into().ok()).collect(),
            Self::I32(storage) => storage.view().iter().map(|&index| index.try_into().ok()).collect(),
            _ => None,
        }
    }

    fn of(data: TensorData) -> Self {
        Self::from_data(data)
    }
}

#[cfg(feature = "flex")]
impl Dense for FlexTensor {
    fn f32s(&self) -> Option<Cow<'_, [f32]>> {
        read(self)
    }

    fn u8s(&self) -> Option<Cow<'_, [u8]>> {
        read(self)
    }

    fn indices(&self) -> Option<Vec<usize>> {
        if let Some(indices) = read::<i64>(self) {
            return indices.iter().map(|&index| index.try_into().ok()).collect();
        }
        read::<i32>(self)?.iter().map(|&index| index.try_into().ok()).collect()
    }

    fn of(data: TensorData) -> Self {
        Self::from_data(data)
    }
}

#[cfg(feature = "flex")]
fn read<E: burn::tensor::Element + bytemuck::Pod>(tensor: &FlexTensor) -> Option<Cow<'_, [E]>> {
    if tensor.dtype() != E::dtype() {
        return None;
    }
    match tensor.as_slice() {
        Some(slice) => Some(Cow::Borrowed(slice)),
        None => tensor.to_contiguous().as_slice::<E>().map(|slice| Cow::Owned(slice.to_vec())),
    }
}

/// A tensor of the values.
pub(crate) fn tensor<T: Dense, E: burn::tensor::Element>(values: Vec<E>, shape: impl Into<Shape>) -> T {
    T::of(TensorData::new(values, shape.into()))
}

/// The numbers of a tensor if there is one; `None` if they are of another type.
pub(crate) fn optional<T: Dense>(operand: Option<&T>) -> Option<Option<Cow<'_, [f32]>>> {
    match operand {
        Some(operand) => operand.f32s().map(Some),
        None => Some(None),
    }
}
