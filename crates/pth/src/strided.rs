//! A tensor as a strided view of its storage.

use crate::error::TensorError;

/// The elements of a storage that make up a tensor, known to lie within it.
#[derive(Debug)]
pub(crate) struct StridedView {
    offset: usize,
    /// The size and stride of each dimension, outermost first. Dimensions of size 1 are dropped: their strides mean
    /// nothing, and without them the work of [`Self::gather`] is proportional to the number of elements.
    dimensions: Vec<(usize, usize)>,
    count: usize,
}

impl StridedView {
    /// Checks a tensor against its storage, which has `available` elements.
    pub fn new(offset: usize, shape: &[usize], strides: &[usize], available: usize) -> Result<Self, TensorError> {
        let overflow = || TensorError::Overflow { shape: shape.to_vec(), strides: strides.to_vec() };
        // Zeros are left out, so that products of sizes cannot overflow even if the tensor is empty.
        shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size.max(1))).ok_or_else(overflow)?;
        let count = shape.iter().product();
        let dimensions: Vec<_> = shape.iter().copied().zip(strides.iter().copied()).filter(|&(n, _)| n != 1).collect();
        if count > 0 {
            let last = dimensions
                .iter()
                .try_fold(offset, |last, &(size, stride)| last.checked_add((size - 1).checked_mul(stride)?))
                .ok_or_else(overflow)?;
            if last >= available {
                return Err(TensorError::OutsideStorage { last, available });
            }
        }
        Ok(Self { offset, dimensions, count })
    }

    /// The number of elements of the tensor.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Appends the tensor's elements to `values` in row-major order. `bytes` is the storage the view was checked
    /// against.
    pub fn gather<const N: usize>(&self, bytes: &[u8], convert: impl Fn([u8; N]) -> f32, values: &mut Vec<f32>) {
        let (elements, _) = bytes.as_chunks::<N>();
        if self.count == 0 {
            return;
        }
        if self.is_contiguous() {
            values.extend(elements[self.offset..self.offset + self.count].iter().map(|&element| convert(element)));
            return;
        }
        let Some((&(length, step), outer)) = self.dimensions.split_last() else { return };
        let mut start = self.offset;
        let mut index = vec![0; outer.len()];
        loop {
            values.extend((0..length).map(|place| convert(elements[start + place * step])));
            // Advance the innermost index that is not at its end, and reset those inside it.
            let Some(moving) = (0..outer.len()).rev().find(|&axis| index[axis] + 1 < outer[axis].0) else { return };
            for axis in moving + 1..outer.len() {
                start -= index[axis] * outer[axis].1;
                index[axis] = 0;
            }
            start += outer[moving].1;
            index[moving] += 1;
        }
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.dimensions.iter().rev().all(|&(size, stride)| {
            let matches = stride == expected;
            expected *= size;
            matches
        })
    }
}
