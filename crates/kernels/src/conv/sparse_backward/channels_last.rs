//! Padded images in channels-last order `[H, W, C]`.
#![allow(unsafe_code)] // Outputs are written into uninitialised memory.

use std::mem::MaybeUninit;

use crate::pack::{Epilogue, Pack, STRIP, Unpack};
use crate::shape::Conv2d;

/// The layout of an image `[H, W, C]` that includes the convolution's padding.
pub(crate) struct ChannelsLast {
    pub(crate) channels: usize,
    /// Height and width with padding.
    pub(crate) padded: [usize; 2],
    image: [usize; 2],
    /// Rows of padding above the image and columns to its left.
    border: [usize; 2],
}

impl ChannelsLast {
    pub(crate) fn of(conv: &Conv2d) -> Self {
        let [_, channels, height, width] = conv.image;
        let [vertical, horizontal] = conv.padding;
        Self {
            channels,
            padded: [height + vertical[0] + vertical[1], width + horizontal[0] + horizontal[1]],
            image: [height, width],
            border: [vertical[0], horizontal[0]],
        }
    }

    /// Values of an image.
    pub(crate) fn len(&self) -> usize {
        self.padded[0] * self.padded[1] * self.channels
    }

    /// Offset of the pixel (y, x) of the padded image.
    pub(crate) fn at(&self, y: usize, x: usize) -> usize {
        (y * self.padded[1] + x) * self.channels
    }

    /// Packs an image `[C, H, W]`.
    pub(crate) fn pack(&self, image: &[f32], packed: &mut [f32]) {
        if self.padded != self.image {
            packed.fill(0.);
        }
        let [height, width] = self.image;
        if self.channels == 1 {
            for (y, row) in image.chunks_exact(width).enumerate() {
                packed[self.offset(y * width)..][..width].copy_from_slice(row);
            }
            return;
        }
        let (rows, columns) = (self.channels, height * width);
        let offset = |pixel| self.offset(pixel);
        let pack =
            Pack { source: image, stride: columns, rows, columns, panel: packed, width: rows, offset, prefetch: STRIP };
        pack.run();
    }

    /// Unpacks to `[C, H, W]`, without the padding. `packed` must be a vector longer than the image.
    pub(crate) fn unpack(&self, packed: &[f32], image: &mut [MaybeUninit<f32>]) {
        let (rows, columns) = (self.channels, self.image[0] * self.image[1]);
        assert_eq!(image.len(), rows * columns, "an image of {} channels", self.channels);
        let (offset, out) = (|pixel| self.offset(pixel), image.as_mut_ptr().cast());
        let unpack =
            Unpack { sums: packed, offset, rows, columns, epilogue: Epilogue::default(), out, stride: columns };
        // SAFETY: these are the rows and columns of the image.
        unsafe { unpack.run() };
    }

    /// Offset of a pixel of the unpadded image.
    #[inline(always)]
    fn offset(&self, pixel: usize) -> usize {
        if self.padded == self.image {
            return pixel * self.channels;
        }
        self.at(pixel / self.image[1] + self.border[0], pixel % self.image[1] + self.border[1])
    }
}
