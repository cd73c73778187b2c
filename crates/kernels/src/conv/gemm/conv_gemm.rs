//! The product of an im2col matrix and a weight: a forward pass, or the gradient of an input.
//!
//! ```text
//! for each chunk of images
//!     pixels = [block of channels, image, pixel, channel]               sized for the L2 cache
//!     for each panel of output channels and part of the output's rows
//!         sums = [pixel, output channel]
//!         for each block of channels
//!             sums += im2col of the pixels * weight[tap, channel, output channel]
//!         unpack the sums to out[image, output channel, pixel]
//! ```
#![allow(unsafe_code)] // Tasks write interleaved parts of one output.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::im2col::{Im2col, Layout};
use super::micro_kernel::PanelGemm;
use crate::pack::{Epilogue, Pack, STRIP, Unpack};
use crate::parallel::for_each;
use crate::scratch::Scratch;
use crate::simd::panel_width;

/// Bytes of a packed weight that is reused tile after tile, and stays in the L2 cache. Fewer blocks of channels mean
/// longer runs, and sums that are loaded and stored less often.
const WEIGHT_BYTES: usize = 600 << 10;
/// Channels of a block; fewer only if the image has fewer.
const BLOCK_CHANNELS: Range<usize> = 16..256;
/// Bytes of a chunk of images, at least.
const CHUNK_BYTES: usize = 256 << 10;
/// Pixels of a part: enough for many tiles of each class, few enough for their sums to stay in the cache.
const PART_PIXELS: Range<usize> = 48..600;
/// Pixels that a task packs.
const PACK_PIXELS: usize = 1024;
/// How many tasks to aim for.
const TARGET_TASKS: usize = 4;

/// A product of an im2col matrix and a weight.
pub(super) struct ConvGemm {
    pub im2col: Im2col,
    pub images: usize,
    pub groups: usize,
    /// Input and output channels of a group.
    pub channels: usize,
    pub outputs: usize,
    /// Distances in the weight between input channels and between output channels.
    pub channel_stride: usize,
    pub output_stride: usize,
}

/// How the product is split into blocks and tasks.
struct Blocking {
    /// Output channels of a panel, and panels of a group.
    width: usize,
    panels: usize,
    /// Channels of a block, and blocks of a group; the last block is padded with zeros.
    channels: usize,
    blocks: usize,
    /// Images of a chunk, and parts that its rows are split into.
    images: usize,
    parts: usize,
    /// Whether the source is read in place. With one tap a panel reads each value only once, which does not repay
    /// packing; with one channel there is nothing to interleave.
    in_place: bool,
    /// Whether each panel of the weight serves a single task, which packs it block by block into its own cache.
    own_weight: bool,
}

impl ConvGemm {
    /// Computes the output, epilogue included.
    pub fn run(&self, source: &[f32], weight: &[f32], epilogue: Epilogue, out: &mut [MaybeUninit<f32>]) {
        if out.is_empty() {
            return;
        }
        let blocking = self.blocking();
        let block = self.weight_len(&blocking);
        let packed = if blocking.own_weight { 0 } else { self.groups * blocking.panels * blocking.blocks };
        let mut weights = Scratch::new(packed * block);
        let panels = weights.chunks_mut(block).enumerate();
        for_each(panels, |(index, panel)| self.pack_weight(&blocking, weight, index, panel));

        let [image, result] = [source.len(), out.len()].map(|len| len / self.images);
        let chunks = source.chunks((image * blocking.images).max(1)).zip(out.chunks_mut(result * blocking.images));
        for_each(chunks.enumerate(), |(index, (source, out))| {
            let images = out.len() / result;
            let pixels = if blocking.in_place { Scratch::new(0) } else { self.pack_source(&blocking, source, images) };
            let pixels = if blocking.in_place { source } else { &pixels };
            let epilogue = epilogue.starting_at(0, index * blocking.images * result);
            let (blocking, weights, out) = (&blocking, &weights[..], out.as_mut_ptr().cast());
            let chunk = Chunk { gemm: self, blocking, images, pixels, weight, weights, epilogue, out };
            for_each(0..self.groups * blocking.panels * blocking.parts, |task| {
                let (panel, part) = (task / blocking.parts, task % blocking.parts);
                let rows = images * self.im2col.result()[0];
                // SAFETY: no other task has the same panel and overlapping rows.
                unsafe { chunk.compute(panel, rows * part / blocking.parts..rows * (part + 1) / blocking.parts) };
            });
        });
    }

    fn blocking(&self) -> Blocking {
        let width = panel_width(self.outputs);
        let panels = self.outputs.div_ceil(width);
        let in_place = self.im2col.taps() == 1 || self.channels == 1;
        let fitting = WEIGHT_BYTES / (4 * width * self.im2col.max_taps().max(1));
        let blocks =
            if in_place { 1 } else { self.channels.div_ceil(fitting.clamp(BLOCK_CHANNELS.start, BLOCK_CHANNELS.end)) };

        let [height, row] = self.im2col.result();
        let image_bytes = 4 * self.groups * self.channels * self.im2col.source();
        let images =
            (CHUNK_BYTES / image_bytes.max(1)).max(PART_PIXELS.end.div_ceil(height * row)).clamp(1, self.images);
        let chunks = self.images.div_ceil(images);
        let images = self.images.div_ceil(chunks);
        let pixels = images * height * row;
        let wanted = TARGET_TASKS.div_ceil(chunks * self.groups * panels).min(pixels / PART_PIXELS.start);
        let parts = pixels.div_ceil(PART_PIXELS.end).max(wanted).clamp(1, images * height);
        let (channels, own_weight) = (self.channels.div_ceil(blocks), chunks * parts == 1);
        Blocking { width, panels, channels, blocks, images, parts, in_place, own_weight }
    }

    /// Values in a block of the packed weight; the last row is for taps that no pixel needs.
    fn weight_len(&self, blocking: &Blocking) -> usize {
        (self.im2col.taps() * blocking.channels + 1) * blocking.width
    }

    /// Packs one block of the weight as `[tap, channel, output]`; `index` runs over [group, panel, block of channels].
    fn pack_weight(&self, blocking: &Blocking, weight: &[f32], index: usize, panel: &mut [f32]) {
        let channel = index % blocking.blocks * blocking.channels;
        let output = index / blocking.blocks % blocking.panels * blocking.width;
        let group = index / blocking.blocks / blocking.panels;
        let channels = blocking.channels.min(self.channels - channel);
        let rows = blocking.width.min(self.outputs - output);
        if channels < blocking.channels {
            panel.fill(0.);
        }
        let taps = self.im2col.packed_taps();
        let group = group * self.channels * self.outputs * taps.len();
        let source = &weight[group + channel * self.channel_stride + output * self.output_stride..];
        let unused = self.im2col.taps() * blocking.channels;
        let offsets = (0..channels).flat_map(|channel| {
            let offset =
                move |tap: &Option<usize>| tap.map_or(unused, |tap| tap * blocking.channels + channel) * blocking.width;
            taps.iter().map(offset)
        });
        let offsets: Vec<_> = offsets.collect();
        let (stride, width) = (self.output_stride, blocking.width);
        if self.channel_stride == taps.len() {
            // The channels and taps of an output channel are adjacent.
            let (columns, offset) = (offsets.len(), |column: usize| offsets[column]);
            return Pack { source, stride, rows, columns, panel, width, offset, prefetch: STRIP }.run();
        }
        let only = if self.im2col.taps() == 1 { taps.iter().position(Option::is_some) } else { None };
        let (first, columns) = only.map_or((0, taps.len()), |tap| (tap, 1));
        for (channel, offsets) in offsets.chunks(taps.len()).enumerate() {
            let source = &source[channel * self.channel_stride + first..];
            let (offset, prefetch) = (|tap: usize| offsets[first + tap], self.channel_stride);
            Pack { source, stride, rows, columns, panel, width, offset, prefetch }.run();
        }
    }

    /// Packs a chunk of images as `[group, block of channels, image, pixel, channel]`.
    fn pack_source(&self, blocking: &Blocking, source: &[f32], images: usize) -> Scratch {
        let (stride, width) = (self.im2col.source(), blocking.channels);
        let mut pixels = Scratch::new(self.groups * blocking.blocks * images * stride * width);
        let planes = pixels.chunks_mut(stride * width).enumerate();
        let tasks = planes.flat_map(|(index, plane)| {
            plane
                .chunks_mut(PACK_PIXELS * width)
                .enumerate()
                .map(move |(strip, panel)| (index, strip * PACK_PIXELS, panel))
        });
        for_each(tasks, |(index, first, panel)| {
            let (image, block) = (index % images, index / images);
            let (group, channel) = (block / blocking.blocks, block % blocking.blocks * width);
            let rows = width.min(self.channels - channel);
            let source = &source[((image * self.groups + group) * self.channels + channel) * stride + first..];
            let (columns, offset) = (panel.len() / width, |pixel| pixel * width);
            Pack { source, stride, rows, columns, panel, width, offset, prefetch: STRIP }.run();
        });
        pixels
    }
}

/// A chunk of images in progress.
struct Chunk<'a> {
    gemm: &'a ConvGemm,
    blocking: &'a Blocking,
    images: usize,
    /// Packed, or the source itself if it is read in place.
    pixels: &'a [f32],
    weight: &'a [f32],
    /// The packed weight, unless tasks pack their own.
    weights: &'a [f32],
    epilogue: Epilogue<'a>,
    /// Start of this chunk's output.
    out: *mut f32,
}
// SAFETY: `out` is only used in `compute`, whose callers guarantee that no two threads write to the same address.
unsafe impl Sync for Chunk<'_> {}

impl Chunk<'_> {
    /// Computes one panel of output channels for some rows of the output, counted across images.
    ///
    /// # Safety
    /// No other thread may compute the same outputs.
    unsafe fn compute(&self, panel: usize, rows: Range<usize>) {
        let &Self { gemm, blocking, .. } = self;
        let (plane, width, group) = (gemm.im2col.source(), blocking.width, panel / blocking.panels);
        let block_len = self.images * plane * blocking.channels;
        let (pixel, image, step) = match blocking.in_place {
            // A run covers neighbouring taps, or the channels.
            true => (1, gemm.groups * gemm.channels * plane, if gemm.channels == 1 { 1 } else { plane }),
            false => (blocking.channels, plane * blocking.channels, 1),
        };
        let layout = Layout { image, pixel, channels: blocking.channels };
        let classes = gemm.im2col.classes(rows.clone(), &layout, width);
        let mut sums = Scratch::new(rows.len() * gemm.im2col.result()[1] * width);
        let mut own_weight = Scratch::new(if blocking.own_weight { gemm.weight_len(blocking) } else { 0 });
        for block in 0..blocking.blocks {
            let (index, len) = (panel * blocking.blocks + block, gemm.weight_len(blocking));
            if blocking.own_weight {
                gemm.pack_weight(blocking, self.weight, index, &mut own_weight);
            }
            let weight = if blocking.own_weight { &own_weight } else { &self.weights[index * len..][..len] };
            let scalars = match blocking.in_place {
                true => &self.pixels[group * gemm.channels * plane..],
                false => &self.pixels[(group * blocking.blocks + block) * block_len..][..block_len],
            };
            for class in &classes {
                let (rows, runs) = (&class.rows, &class.runs);
                PanelGemm {
                    scalars: scalars.into(),
                    step,
                    panel: weight,
                    width,
                    runs,
                    rows,
                    from_zero: block == 0,
                    next: &[],
                }
                .add_to(&mut sums);
            }
        }
        // SAFETY: as guaranteed by the caller.
        unsafe { self.unpack(&sums, panel, rows) };
    }

    /// Writes the sums to the output, through the epilogue.
    ///
    /// # Safety
    /// As for [`Chunk::compute`].
    unsafe fn unpack(&self, sums: &[f32], panel: usize, rows: Range<usize>) {
        let &Self { gemm, blocking, .. } = self;
        let [height, row] = gemm.im2col.result();
        let output = panel % blocking.panels * blocking.width;
        let outputs = blocking.width.min(gemm.outputs - output);
        let output = panel / blocking.panels * gemm.outputs + output;
        for image in rows.start / height..rows.end.div_ceil(height) {
            let (first, end) = (rows.start.max(image * height), rows.end.min((image + 1) * height));
            let plane = (image * gemm.groups * gemm.outputs + output) * height;
            let at = (plane + first - image * height) * row;
            let unpack = Unpack {
                sums: &sums[(first - rows.start) * row * blocking.width..],
                offset: |pixel| pixel * blocking.width,
                rows: outputs,
                columns: (end - first) * row,
                epilogue: self.epilogue.starting_at(output, at),
                out: self.out.wrapping_add(at),
                stride: height * row,
            };
            // SAFETY: the output has a plane for each of the channels, and no other thread writes these rows of them.
            unsafe { unpack.run() };
        }
    }
}
