//! The gradient of a weight: the product of the im2col matrix and the output's gradient, summed over pixels.
//!
//! ```text
//! for each panel of output channels and part of the output's rows
//!     sums = [tap, channel, output channel]
//!     for each block of rows
//!         panel = [pixel, output channel]                                   gradients, in the L2 cache
//!         for each tap
//!             sums[tap, channel, :] += x[channel, pixel under the tap] * panel[pixel, :]
//! add the parts, unpack to out[output channel, channel, tap]
//! ```
//!
//! The image is read in place: its rows are what a channel and a tap need, in order.
#![allow(unsafe_code)] // Outputs are written into uninitialised memory.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::micro_kernel::{PanelGemm, Row, Run};
use crate::pack::{Epilogue, Pack, STRIP, Unpack};
use crate::parallel::for_each;
use crate::scratch::Scratch;
use crate::shape::Conv2d;
use crate::simd::panel_width;

/// Pixels of a block: enough to repay loading its sums, few enough for its gradients to stay in the L2 cache.
const BLOCK_PIXELS: usize = 1200;
/// Pixels of a part, at least: fewer would not repay sums of their own.
const PART_PIXELS: usize = 200;
/// How many tasks to aim for.
const TARGET_TASKS: usize = 4;

/// The gradient of the weight from the input and the gradient of the output.
pub(crate) fn weight_gradient(conv: &Conv2d, x: &[f32], grad: &[f32], out: &mut [MaybeUninit<f32>]) {
    let [outputs, channels, kernel_height, kernel_width] = conv.weight;
    let [images, _, height, row] = conv.output();
    let (outputs, taps) = (outputs / conv.groups, kernel_height * kernel_width);
    let width = panel_width(outputs);
    let panels = outputs.div_ceil(width);
    let rows = images * height;
    let parts = TARGET_TASKS.div_ceil(conv.groups * panels).min(rows * row / PART_PIXELS).clamp(1, rows.max(1));
    let len = taps * channels * width;
    let groups = out.chunks_mut(outputs * channels * taps).enumerate();
    let tasks = groups.flat_map(|(group, out)| {
        let panels = out.chunks_mut(width * channels * taps).enumerate();
        panels.map(move |(panel, out)| (group, panel * width, out))
    });
    for_each(tasks, |(group, output, out)| {
        let outputs = out.len() / (channels * taps);
        let panel = OutputPanel { conv, x, grad, group, outputs: output..output + outputs, width };
        let mut sums = Scratch::new(parts * len);
        for_each(sums.chunks_mut(len).enumerate(), |(part, sums)| {
            panel.multiply(rows * part / parts..rows * (part + 1) / parts, sums);
        });
        let (sums, others) = sums.split_at_mut(len);
        for part in others.chunks(len) {
            sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        let unpack = Unpack {
            sums,
            offset: |column| (column % taps * channels + column / taps) * width,
            rows: outputs,
            columns: channels * taps,
            epilogue: Epilogue::default(),
            out: out.as_mut_ptr().cast(),
            stride: channels * taps,
        };
        // SAFETY: `out` consists of exactly these rows.
        unsafe { unpack.run() };
    });
}

/// A panel of output channels of one group.
struct OutputPanel<'a> {
    conv: &'a Conv2d,
    x: &'a [f32],
    grad: &'a [f32],
    group: usize,
    outputs: Range<usize>,
    width: usize,
}

impl OutputPanel<'_> {
    /// Sums over some rows of the output, counted across images.
    fn multiply(&self, rows: Range<usize>, sums: &mut [f32]) {
        let Conv2d { image: [_, _, height, row], weight: [_, channels, kernel_height, kernel_width], .. } = *self.conv;
        let tap_len = channels * self.width;
        let channel_rows: Vec<_> = (0..channels)
            .map(|channel| Row { scalars: (self.group * channels + channel) * height * row, result: channel })
            .collect();
        let result_row = self.conv.output()[3];
        let block_rows = (BLOCK_PIXELS / result_row).max(1);
        let mut panel = Scratch::new(block_rows.min(rows.len()) * result_row * self.width);
        let mut runs = Vec::with_capacity(block_rows);
        if rows.is_empty() {
            sums.fill(0.);
        }
        for start in rows.clone().step_by(block_rows) {
            let block = start..rows.end.min(start + block_rows);
            self.pack(block.clone(), &mut panel);
            for tap in 0..kernel_height * kernel_width {
                self.runs([tap / kernel_width, tap % kernel_width], block.clone(), &mut runs);
                let gemm = PanelGemm {
                    scalars: self.x.into(),
                    step: self.conv.stride[1],
                    panel: &panel,
                    width: self.width,
                    runs: &runs,
                    rows: &channel_rows,
                    from_zero: start == rows.start,
                    next: &[],
                };
                gemm.add_to(&mut sums[tap * tap_len..][..tap_len]);
            }
        }
    }

    /// Packs the gradients of some rows as `[pixel, output channel]`.
    fn pack(&self, rows: Range<usize>, panel: &mut [f32]) {
        let [_, all_outputs, height, row] = self.conv.output();
        let (width, stride) = (self.width, height * row);
        let output = self.group * (all_outputs / self.conv.groups) + self.outputs.start;
        for image in rows.start / height..rows.end.div_ceil(height) {
            let (first, end) = (rows.start.max(image * height), rows.end.min((image + 1) * height));
            let pack = Pack {
                source: &self.grad[(image * all_outputs + output) * stride + (first - image * height) * row..],
                stride,
                rows: self.outputs.len(),
                columns: (end - first) * row,
                panel: &mut panel[(first - rows.start) * row * width..],
                width,
                offset: |pixel| pixel * width,
                prefetch: STRIP,
            };
            pack.run();
        }
    }

    /// The runs of pixels of some rows for which the tap meets the image and not its padding.
    fn runs(&self, tap: [usize; 2], rows: Range<usize>, runs: &mut Vec<Run>) {
        runs.clear();
        let Conv2d { image: [_, channels, image_height, image_row], stride, padding, .. } = *self.conv;
        let [.., height, row] = self.conv.output();
        // For output `i` the tap lies at `i * stride + offset - padding` in the image.
        let offset = [0, 1].map(|axis| tap[axis] * self.conv.dilation[axis]);
        let [down, right] = [0, 1].map(|axis| {
            let before = |limit: usize| (limit + padding[axis][0]).saturating_sub(offset[axis]).div_ceil(stride[axis]);
            before(0)..before(self.conv.image[axis + 2]).min(self.conv.output()[axis + 2])
        });
        if right.is_empty() {
            return;
        }
        let x = right.start * stride[1] + offset[1] - padding[1][0];
        for image in rows.start / height..rows.end.div_ceil(height) {
            let first = rows.start.max(image * height + down.start);
            for result in first..rows.end.min(image * height + down.end) {
                let y = (result - image * height) * stride[0] + offset[0] - padding[0][0];
                let scalars = (image * channels * image_height + y) * image_row + x;
                let panel = ((result - rows.start) * row + right.start) * self.width;
                match runs.last_mut() {
                    // Adjacent rows merge into one run.
                    Some(last)
                        if last.scalars + last.len * stride[1] == scalars
                            && last.panel + last.len * self.width == panel =>
                    {
                        last.len += right.len();
                    }
                    _ => runs.push(Run { scalars, panel, len: right.len() }),
                }
            }
        }
    }
}
