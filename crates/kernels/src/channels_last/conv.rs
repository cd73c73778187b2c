//! Convolution with packed weights, and a linear layer as one whose kernel covers the whole image.
//!
//! ```text
//! weight   panel of up to 64 outputs: [block of channels, tap, channel, output]
//! tile     six pixels x four vectors of outputs, summed over all taps and channels, then scaled, shifted, added to and clipped
//! ```
//!
//! The weight itself stays as it is: normalisation is applied to the sums, so that both algorithms ([direct](self) and
//! [`super::winograd`]) take the same packed weight, and a packed weight can be read back.
#![allow(unsafe_code)] // Tasks write interleaved parts of one output.

use std::marker::PhantomData;
use std::ops::Range;

use super::winograd;
use super::{Extent, Memory, Place};
use crate::conv::gemm::im2col::{Im2col, Layout};
use crate::conv::gemm::micro_kernel::{Finish, Numbers, PanelGemm, Residual, Row, Run, Sums};
use crate::pack::{Pack, STRIP};
use crate::parallel::for_each;
use crate::scratch::{Aligned, Scratch};
use crate::shape::Conv2d;
use crate::simd::{Level, panel_width};

/// Bytes of a block of a panel, which stays in the L2 cache from tile to tile.
const BLOCK_BYTES: usize = 600 << 10;

/// Channels of a block are a multiple of this, but for the last one's.
const BLOCK_STEP: usize = 16;

/// Pixels that are multiplied by one panel after the other: few, where all panels stay in the L2 cache, so that the results of
/// a pixel are written together.
const FEW_PIXELS: usize = 48;
const FEW_BYTES: usize = 512 << 10;

/// Bytes of the pixels that a task reads, which stay in the L2 cache from panel to panel; and how many pixels that is.
const PART_BYTES: usize = 384 << 10;
const PART_PIXELS: Range<usize> = 24..384;

/// How many tasks to aim for.
const TARGET_TASKS: usize = 8;

/// A convolution for inference: `relu(prologue(x) * weight * scale + shift + residual)`.
#[derive(Debug)]
pub struct Conv {
    /// Sizes for one image.
    pub(super) shape: Conv2d,
    im2col: Im2col,
    pub(super) panels: Vec<Panel>,
    weight: Aligned,
    /// A number for each output, each panel's in whole vectors.
    scale: Option<Vec<f32>>,
    shift: Option<Vec<f32>>,
    relu: bool,
    /// `max(x * scale + shift, 0)` of each channel before the convolution.
    prologue: Option<[Vec<f32>; 2]>,
    winograd: bool,
}

/// Some of the outputs of a group.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    group: usize,
    /// Among all outputs.
    pub first: usize,
    pub outputs: usize,
    /// Outputs in whole vectors.
    pub width: usize,
    /// Where its blocks begin in the weight, and its first scale.
    start: usize,
    pub finish: usize,
    /// Channels of each block.
    pub blocks: Vec<usize>,
}

impl Conv {
    /// Packs a weight `[outputs, channels / groups, kh, kw]`. Of the images' shape, their number is not used.
    ///
    /// # Panics
    /// If the weight's length does not match its shape.
    pub fn new(shape: Conv2d, weight: &[f32]) -> Self {
        let [outputs, channels, kh, kw] = shape.weight;
        assert_eq!(
            weight.len(),
            shape.weight.iter().product::<usize>(),
            "the weight does not have the shape {shape:?}"
        );
        assert!(shape.groups > 0 && shape.image[1] == channels * shape.groups && outputs.is_multiple_of(shape.groups));
        let taps = kh * kw;
        let shape = Conv2d { image: [1, shape.image[1], shape.image[2], shape.image[3]], ..shape };
        let im2col = Im2col::forward(&shape);
        let places = places(&im2col);
        let panels = panels(outputs / shape.groups, channels, taps, shape.groups);
        let len = panels.last().map_or(0, |panel| panel.start + channels * taps * panel.width);
        let mut packed = Aligned::new(len);
        let mut rest = &mut packed[..];
        let mut tasks = Vec::new();
        for panel in &panels {
            let mut channel = 0;
            for &block in &panel.blocks {
                let (own, others) = rest.split_at_mut(block * taps * panel.width);
                tasks.push((panel, channel, block, own));
                (rest, channel) = (others, channel + block);
            }
        }
        for_each(tasks.into_iter(), |(panel, channel, block, target)| {
            pack(weight, shape.weight, &places, panel, channel, block, target);
        });
        let winograd = winograd::is_applicable(&shape) && places.is_sorted();
        Self { shape, im2col, panels, weight: packed, scale: None, shift: None, relu: false, prologue: None, winograd }
    }

    /// The same, but never by Winograd's algorithm: for measuring what that gives.
    pub fn direct(shape: Conv2d, weight: &[f32]) -> Self {
        Self { winograd: false, ..Self::new(shape, weight) }
    }

    /// With sums multiplied by `scale` and `shift` added to them, of each output.
    pub fn with_affine(self, scale: Option<&[f32]>, shift: Option<&[f32]>) -> Self {
        let spread = |values: &[f32]| {
            assert_eq!(values.len(), self.shape.weight[0], "one for each output");
            let len = self.panels.last().map_or(0, |panel| panel.finish + panel.width);
            let mut spread = vec![0.; len];
            for panel in &self.panels {
                spread[panel.finish..][..panel.outputs].copy_from_slice(&values[panel.first..][..panel.outputs]);
            }
            spread
        };
        let (scale, shift) = (scale.map(spread), shift.map(spread));
        Self { scale, shift, ..self }
    }

    /// With ReLU at the end.
    pub fn with_relu(self) -> Self {
        Self { relu: true, ..self }
    }

    /// With `max(x * scale + shift, 0)` of each channel before it; for kernels of one pixel without stride and padding.
    ///
    /// # Panics
    /// For other kernels.
    pub fn with_prologue(self, [scale, shift]: [Vec<f32>; 2]) -> Self {
        let Conv2d { weight: [_, channels, kh, kw], stride, padding, groups, .. } = self.shape;
        assert!([kh, kw] == [1, 1] && stride == [1, 1] && padding == [[0; 2]; 2] && groups == 1, "a pointwise kernel");
        assert!(scale.len() == channels && shift.len() == channels, "one for each channel");
        Self { prologue: Some([scale, shift]), ..self }
    }

    /// Shape of the result for one image, `[outputs, height, width]`.
    pub fn output(&self) -> [usize; 3] {
        let [_, outputs, height, width] = self.shape.output();
        [outputs, height, width]
    }

    /// The weight as it was given to [`Conv::new`], `[outputs, channels, kh, kw]`.
    pub fn weight(&self) -> Vec<f32> {
        let [_, channels, kh, kw] = self.shape.weight;
        let (taps, places) = (kh * kw, places(&self.im2col));
        let mut weight = vec![0.; self.shape.weight.iter().product()];
        for panel in &self.panels {
            let (mut at, mut first) = (panel.start, 0);
            for &block in &panel.blocks {
                for (tap, place) in places.iter().enumerate() {
                    for channel in 0..block {
                        let row = &self.weight[at + (place * block + channel) * panel.width..][..panel.outputs];
                        for (output, &value) in row.iter().enumerate() {
                            weight[((panel.first + output) * channels + first + channel) * taps + tap] = value;
                        }
                    }
                }
                at += taps * block * panel.width;
                first += block;
            }
        }
        weight
    }

    /// Convolves `images` images at `x`; the result goes to `out`. The residual is added before ReLU.
    ///
    /// # Panics
    /// If a tensor does not lie in the memory, or the output overlaps with the input or the residual.
    pub fn run(&self, images: usize, memory: &mut [f32], x: Place, residual: Option<Place>, out: Place) {
        let Conv2d { image: [_, channels, height, width], .. } = self.shape;
        let [outputs, rows, columns] = self.output();
        if images == 0 || outputs == 0 {
            return;
        }
        let input = (x, Extent { pixels: images * height * width, channels });
        let result = Extent { pixels: images * rows * columns, channels: outputs };
        let inputs = [Some(input), residual.map(|residual| (residual, result))];
        let memory = Memory::of(memory, (out, result), inputs.into_iter().flatten());
        let work = Work { conv: self, images, memory, x, residual, out };
        if self.prologue.is_some() {
            work.pointwise();
        } else if self.winograd {
            winograd::run(&work);
        } else {
            work.direct();
        }
    }

    /// A block of a panel's weight `[tap, channel, width]`.
    pub(super) fn block(&self, panel: &Panel, block: usize) -> &[f32] {
        let rows = self.shape.weight[2] * self.shape.weight[3] * panel.width;
        let before: usize = panel.blocks[..block].iter().sum();
        &self.weight[panel.start + before * rows..][..panel.blocks[block] * rows]
    }

    /// As much of the weight behind a block, which is likely to be needed next.
    fn after(&self, panel: &Panel, block: usize) -> &[f32] {
        let rows = self.shape.weight[2] * self.shape.weight[3] * panel.width;
        let end = panel.start + panel.blocks[..=block].iter().sum::<usize>() * rows;
        let rest = &self.weight[end..];
        &rest[..rest.len().min(panel.blocks[block] * rows)]
    }
}

/// The panels of all groups: as few as possible, whose widths differ by a vector at most.
fn panels(outputs: usize, channels: usize, taps: usize, groups: usize) -> Vec<Panel> {
    let lanes = Level::current().lanes();
    let vectors = outputs.div_ceil(lanes);
    let most = panel_width(usize::MAX / 2) / lanes;
    let count = vectors.div_ceil(most).max(1);
    let (mut start, mut finish, mut panels) = (0, 0, Vec::with_capacity(count * groups));
    for group in 0..groups {
        for panel in 0..count {
            let (first, end) = (vectors * panel / count * lanes, vectors * (panel + 1) / count * lanes);
            let width = end - first;
            let fitting = BLOCK_BYTES / (4 * width * taps).max(1) / BLOCK_STEP * BLOCK_STEP;
            let fitting = fitting.max(BLOCK_STEP);
            let blocks = channels.div_ceil(fitting).max(1);
            let size = channels.div_ceil(blocks).next_multiple_of(BLOCK_STEP).min(channels);
            let blocks = (0..channels).step_by(size.max(1)).map(|first| size.min(channels - first)).collect();
            let columns = end.min(outputs) - first;
            panels.push(Panel {
                group,
                first: group * outputs + first,
                outputs: columns,
                width,
                start,
                finish,
                blocks,
            });
            start += channels * taps * width;
            finish += width;
        }
    }
    panels
}

/// Where each tap of the kernel is packed: those that only ever meet padding come last.
fn places(im2col: &Im2col) -> Vec<usize> {
    let mut unused = im2col.taps();
    let place = |tap: Option<usize>| {
        tap.unwrap_or_else(|| {
            unused += 1;
            unused - 1
        })
    };
    im2col.packed_taps().into_iter().map(place).collect()
}

/// Packs a block as `[tap, channel, width]`.
fn pack(
    weight: &[f32],
    shape: [usize; 4],
    places: &[usize],
    panel: &Panel,
    channel: usize,
    block: usize,
    target: &mut [f32],
) {
    let [_, channels, kh, kw] = shape;
    let (taps, width) = (kh * kw, panel.width);
    let source = &weight[(panel.first * channels + channel) * taps..];
    let offset = |column: usize| (places[column % taps] * block + column / taps) * width;
    let (stride, rows, columns) = (channels * taps, panel.outputs, block * taps);
    Pack { source, stride, rows, columns, panel: target, width, offset, prefetch: STRIP }.run();
}

/// A convolution of a batch.
pub(super) struct Work<'a> {
    pub conv: &'a Conv,
    pub images: usize,
    pub memory: Memory,
    pub x: Place,
    pub residual: Option<Place>,
    pub out: Place,
}

impl<'a> Work<'a> {
    /// The whole input.
    fn input(&self) -> Numbers<'a> {
        Numbers { start: self.memory.at(self.x), len: self.memory.after(self.x), memory: PhantomData }
    }

    /// The sums of a panel's outputs from a pixel on.
    fn sums(&self, panel: &Panel, pixel: usize) -> Sums {
        let at = panel.first + pixel * self.out.stride;
        let start = self.memory.at(self.out).wrapping_add(at);
        Sums { start, len: self.memory.after(self.out) - at, stride: self.out.stride, columns: panel.outputs }
    }

    /// What becomes of them.
    pub(super) fn finish(&self, panel: &Panel, pixel: usize) -> Finish<'a> {
        let conv = self.conv;
        let residual = self.residual.map(|residual| {
            let start = self.memory.at(residual).wrapping_add(panel.first + pixel * residual.stride);
            Residual { start, stride: residual.stride }
        });
        let of_panel =
            |values: &'a Option<Vec<f32>>| values.as_ref().map(|values| &values[panel.finish..][..panel.width]);
        Finish { scale: of_panel(&conv.scale), shift: of_panel(&conv.shift), residual, relu: conv.relu }
    }

    /// How many parts the rows of the output are split into, by shape alone.
    fn parts(&self, rows: usize, columns: usize, tasks: usize) -> usize {
        let Conv2d { weight: [_, channels, ..], stride, groups, .. } = self.conv.shape;
        let bytes = 4 * channels * groups * stride[0] * stride[1];
        let most = (PART_BYTES / bytes).clamp(PART_PIXELS.start, PART_PIXELS.end);
        let pixels = rows * columns;
        let wanted = TARGET_TASKS.div_ceil(tasks).min(pixels.div_ceil(PART_PIXELS.start));
        let parts = pixels.div_ceil(most).max(wanted);
        // Most numbers of threads share a multiple of four evenly.
        if parts * tasks > TARGET_TASKS { parts.next_multiple_of(4) } else { parts }.clamp(1, rows)
    }

    /// Every tap of every channel, without a copy of anything.
    fn direct(&self) {
        let [_, result_rows, columns] = self.conv.output();
        let (rows, panels) = (self.images * result_rows, &self.conv.panels);
        if 4 * self.conv.weight.len() <= FEW_BYTES {
            let tasks = self.parts(rows, columns, 1);
            let share = (FEW_PIXELS / columns).max(1);
            for_each(0..tasks, |task| {
                let end = rows * (task + 1) / tasks;
                for first in (rows * task / tasks..end).step_by(share) {
                    panels.iter().for_each(|panel| self.multiply(panel, first..end.min(first + share)));
                }
            });
            return;
        }
        let parts = self.parts(rows, columns, panels.len());
        let tasks = (0..parts).flat_map(|part| panels.iter().map(move |panel| (part, panel)));
        for_each(tasks, |(part, panel)| self.multiply(panel, rows * part / parts..rows * (part + 1) / parts));
    }

    /// The results of a panel in some rows, counted across images. No other task may compute them.
    fn multiply(&self, panel: &Panel, rows: Range<usize>) {
        let Conv2d { image: [_, _, height, width], weight: [_, channels, ..], .. } = self.conv.shape;
        let pixel = rows.start * self.conv.output()[2];
        let mut scalars = self.input();
        scalars.start = scalars.start.wrapping_add(panel.group * channels);
        scalars.len -= panel.group * channels;
        let mut classes = Vec::new();
        for (block, &size) in panel.blocks.iter().enumerate() {
            if block == 0 || size != panel.blocks[block - 1] {
                let layout = Layout { image: height * width * self.x.stride, pixel: self.x.stride, channels: size };
                classes = self.conv.im2col.classes(rows.clone(), &layout, panel.width);
            }
            let finish = (block + 1 == panel.blocks.len()).then(|| self.finish(panel, pixel));
            for class in &classes {
                let gemm = PanelGemm {
                    scalars,
                    step: 1,
                    panel: self.conv.block(panel, block),
                    width: panel.width,
                    runs: &class.runs,
                    rows: &class.rows,
                    from_zero: block == 0,
                    next: self.conv.after(panel, block),
                };
                // SAFETY: no other task writes these rows of these outputs, and nothing writes what is read.
                unsafe { gemm.run(self.sums(panel, pixel), finish) };
            }
            scalars.start = scalars.start.wrapping_add(size);
            scalars.len = scalars.len.saturating_sub(size);
        }
    }

    /// One tap, after the prologue: each task prepares its pixels once for all panels.
    fn pointwise(&self) {
        let Conv2d { image: [_, channels, height, width], .. } = self.conv.shape;
        let pixels = self.images * height * width;
        let parts = self.parts(pixels, 1, 1);
        let [scale, shift] = self.conv.prologue.as_ref().expect("without one it is a direct convolution");
        for_each(0..parts, |part| {
            let pixels = pixels * part / parts..pixels * (part + 1) / parts;
            let mut prepared = Scratch::new(pixels.len() * channels);
            let from = self.memory.at(self.x).wrapping_add(pixels.start * self.x.stride);
            // SAFETY: the pixels lie in the memory, and nothing writes them.
            unsafe { super::affine::rows(from, self.x.stride, &mut prepared, [scale, shift], true) };
            let rows: Vec<Row> =
                (0..pixels.len()).map(|pixel| Row { scalars: pixel * channels, result: pixel }).collect();
            for panel in &self.conv.panels {
                let mut first = 0;
                for (block, &size) in panel.blocks.iter().enumerate() {
                    let gemm = PanelGemm {
                        scalars: prepared[..].into(),
                        step: 1,
                        panel: self.conv.block(panel, block),
                        width: panel.width,
                        runs: &[Run { scalars: first, panel: 0, len: size }],
                        rows: &rows,
                        from_zero: block == 0,
                        next: self.conv.after(panel, block),
                    };
                    let finish = (block + 1 == panel.blocks.len()).then(|| self.finish(panel, pixels.start));
                    // SAFETY: no other task writes these pixels.
                    unsafe { gemm.run(self.sums(panel, pixels.start), finish) };
                    first += size;
                }
            }
        });
    }
}
