//! Shapes of convolutions and pooling windows. All tensors are contiguous, in row-major order: `[N, C, H, W]`.

/// The largest stride, padding, dilation and kernel size: more than any image needs, and small enough that sums and
/// products of them do not overflow.
pub const MAX_SIZE: usize = 1 << 16;

/// A 2-D convolution with all its sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// Shape of the input `[N, C, H, W]`.
    pub image: [usize; 4],
    /// Shape of the weight `[O, C / groups, kh, kw]`.
    pub weight: [usize; 4],
    /// Stride in pixels `[vertical, horizontal]`.
    pub stride: [usize; 2],
    /// Rows and columns of zeros around the image: `[[top, bottom], [left, right]]`.
    pub padding: [[usize; 2]; 2],
    /// Distance in pixels between neighbouring taps of the kernel `[vertical, horizontal]`; 1 is a dense kernel.
    pub dilation: [usize; 2],
    /// Number of groups: the output channels of a group see only the input channels of the same group.
    pub groups: usize,
}

impl Conv2d {
    /// A convolution with stride 1, no padding, no dilation and one group.
    pub fn new(image: [usize; 4], weight: [usize; 4]) -> Self {
        Self { image, weight, stride: [1; 2], padding: [[0; 2]; 2], dilation: [1; 2], groups: 1 }
    }

    /// Shape of the output `[N, O, H', W']`.
    ///
    /// # Panics
    /// If the kernel is larger than the padded image, a stride is 0, or a size exceeds [`MAX_SIZE`].
    pub fn output(&self) -> [usize; 4] {
        let sizes = [self.stride, self.padding[0], self.padding[1], self.dilation, [self.weight[2], self.weight[3]]];
        assert!(sizes.as_flattened().iter().all(|&size| size <= MAX_SIZE), "sizes beyond {MAX_SIZE}: {self:?}");
        let side = |axis: usize| {
            let padded = self.image[axis + 2] + self.padding[axis][0] + self.padding[axis][1];
            let reach = self.dilation[axis] * (self.weight[axis + 2] - 1) + 1;
            assert!(reach <= padded, "the kernel is larger than the padded image: {self:?}");
            (padded - reach) / self.stride[axis] + 1
        };
        [self.image[0], self.weight[0], side(0), side(1)]
    }
}

/// A pooling window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Height and width.
    pub kernel: [usize; 2],
    /// Stride in pixels `[vertical, horizontal]`.
    pub stride: [usize; 2],
    /// Padding on each side `[vertical, horizontal]`, at most half the window. It never wins a maximum, and counts as
    /// zeros in a mean.
    pub padding: [usize; 2],
    /// Whether the output size rounds up: then a last window may reach beyond the padded image.
    pub ceil_mode: bool,
}

impl Window {
    /// Adjacent windows of `size` x `size`.
    pub fn square(size: usize) -> Self {
        Self { kernel: [size; 2], stride: [size; 2], padding: [0; 2], ceil_mode: false }
    }

    /// Shape of the output `[N, C, H', W']` for images `[N, C, H, W]`.
    ///
    /// # Panics
    /// If the window is larger than the padded image, the padding exceeds half the window, a stride is 0, or a size
    /// exceeds [`MAX_SIZE`].
    pub fn output(&self, image: [usize; 4]) -> [usize; 4] {
        let sizes = [self.stride, self.padding, self.kernel];
        assert!(sizes.as_flattened().iter().all(|&size| size <= MAX_SIZE), "sizes beyond {MAX_SIZE}: {self:?}");
        assert!((0..2).all(|axis| 2 * self.padding[axis] <= self.kernel[axis]), "too much padding: {self:?}");
        let side = |axis: usize| {
            let (size, padding, stride) = (image[axis + 2], self.padding[axis], self.stride[axis]);
            let padded = size + 2 * padding;
            assert!(self.kernel[axis] <= padded, "the window is larger than the padded image: {self:?} on {image:?}");
            let room = padded - self.kernel[axis];
            let places = room / stride + 1;
            // As in PyTorch: the extra window must start inside the image or its leading padding.
            let extra = self.ceil_mode && !room.is_multiple_of(stride) && places * stride < size + padding;
            places + usize::from(extra)
        };
        [image[0], image[1], side(0), side(1)]
    }

    /// Whether an index within the window fits into a byte.
    pub fn argmax_fits_u8(&self) -> bool {
        self.kernel[0] * self.kernel[1] <= 256
    }
}
