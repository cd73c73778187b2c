//! Burn's flex backend, with Kiln's kernels.

use std::borrow::Cow;

use burn::tensor::Element;
use burn_flex::{Flex, FlexTensor};

use crate::host::HostMemory;
use crate::operations::Backend;

impl HostMemory for Flex {
    const SHARED: bool = true;

    fn f32s(tensor: &FlexTensor) -> Option<Cow<'_, [f32]>> {
        read(tensor)
    }

    fn u8s(tensor: &FlexTensor) -> Option<Cow<'_, [u8]>> {
        read(tensor)
    }

    fn indices(tensor: &FlexTensor) -> Option<Vec<usize>> {
        if let Some(indices) = read::<i64>(tensor) {
            return indices.iter().map(|&index| index.try_into().ok()).collect();
        }
        read::<i32>(tensor)?.iter().map(|&index| index.try_into().ok()).collect()
    }
}

fn read<E: Element + bytemuck::Pod>(tensor: &FlexTensor) -> Option<Cow<'_, [E]>> {
    if tensor.dtype() != E::dtype() {
        return None;
    }
    match tensor.as_slice() {
        Some(slice) => Some(Cow::Borrowed(slice)),
        None => tensor.to_contiguous().as_slice::<E>().map(|slice| Cow::Owned(slice.to_vec())),
    }
}

impl Backend for Flex {}
