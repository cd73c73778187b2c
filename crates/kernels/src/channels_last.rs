//! Images with the channels of a pixel side by side, and sums over channels.
#![allow(unsafe_code)] // Images are written into memory that is not cleared first.

use std::mem::MaybeUninit;

use crate::panels::{Finish, Pack, STRIP, Unpack};
use crate::shape::Conv2d;

/// Sizes of an image `[H, W, C]` with the convolution's padding around it.
pub(crate) struct ChannelsLast {
    pub(crate) channels: usize,
    /// Height and width with padding.
    pub(crate) padded: [usize; 2],
    image: [usize; 2],
    /// Rows above and columns left of the image.
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

    /// Numbers of an image.
    pub(crate) fn len(&self) -> usize {
        self.padded[0] * self.padded[1] * self.channels
    }

    /// Where the pixel (y, x) of the padded image begins.
    pub(crate) fn at(&self, y: usize, x: usize) -> usize {
        (y * self.padded[1] + x) * self.channels
    }

    /// Brings an image `[C, H, W]` into this form.
    pub(crate) fn pack(&self, image: &[f32], packed: &mut [f32]) {
        if self.padded != self.image {
            packed.fill(0.);
        }
        let [height, width] = self.image;
        if self.channels == 1 {
            for (y, row) in image.chunks_exact(width).enumerate() {
                packed[self.place(y * width)..][..width].copy_from_slice(row);
            }
            return;
        }
        let (rows, columns) = (self.channels, height * width);
        let place = |pixel| self.place(pixel);
        let pack =
            Pack { source: image, stride: columns, rows, columns, panel: packed, width: rows, place, next: STRIP };
        pack.run();
    }

    /// Brings this form into an image `[C, H, W]`, without the padding. Behind the last pixel there is a vector more.
    pub(crate) fn unpack(&self, packed: &[f32], image: &mut [MaybeUninit<f32>]) {
        let (rows, columns) = (self.channels, self.image[0] * self.image[1]);
        assert_eq!(image.len(), rows * columns, "an image of {} channels", self.channels);
        let (place, out) = (|pixel| self.place(pixel), image.as_mut_ptr().cast());
        let unpack = Unpack { sums: packed, place, rows, columns, finish: Finish::default(), out, stride: columns };
        // SAFETY: these are the rows and columns of the image.
        unsafe { unpack.run() };
    }

    /// Where a pixel of the image begins.
    #[inline(always)]
    fn place(&self, pixel: usize) -> usize {
        if self.padded == self.image {
            return pixel * self.channels;
        }
        self.at(pixel / self.image[1] + self.border[0], pixel % self.image[1] + self.border[1])
    }
}

/// Sums of `[N, C, H, W]` over all but the channels: `[C]`.
pub(crate) fn sum_over_channels(shape: [usize; 4], values: &[f32]) -> Vec<f32> {
    let [_, channels, height, width] = shape;
    let mut sums = vec![0f32; channels];
    if height * width > 0 {
        for (plane, values) in values.chunks_exact(height * width).enumerate() {
            sums[plane % channels] += sum(values);
        }
    }
    sums
}

/// The sum of many numbers, in sixteen parts that are added up at the end: fast, and closer than one by one.
fn sum(values: &[f32]) -> f32 {
    let mut parts = [0f32; 16];
    let chunks = values.chunks_exact(16);
    let rest: f32 = chunks.remainder().iter().sum();
    for chunk in chunks {
        for (part, value) in parts.iter_mut().zip(chunk) {
            *part += value;
        }
    }
    parts.iter().sum::<f32>() + rest
}
