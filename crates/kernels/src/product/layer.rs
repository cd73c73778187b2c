//! The product of patches and a weight: a layer forwards, or the gradient of its image.
//!
//! ```text
//! for each chunk of images
//!     pixels = [block of channels, image, pixel, channel]               what fits the second-level cache
//!     for each panel of outputs and part of the rows of the result
//!         sums = [pixel, output]
//!         for each block of channels
//!             sums += patches of the pixels * weight[tap, channel, output]
//!         unpack the sums to out[image, output, pixel]
//! ```
#![allow(unsafe_code)] // The parts of a result interleave in memory.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::patches::{Layout, Patches};
use super::tile::Product;
use crate::panels::{Finish, Pack, STRIP, Unpack};
use crate::pieces::for_each;
use crate::scratch::Scratch;
use crate::simd::panel_width;

/// Bytes of a packed weight that tiles run through again and again: they stay in the second-level cache. The fewer
/// blocks of channels, the longer the runs and the fewer times sums are fetched.
const WEIGHT_BYTES: usize = 600 << 10;
/// Channels of a pixel that are packed next to each other, unless it has fewer.
const CHANNELS: Range<usize> = 16..256;
/// Bytes of a chunk of images, at least.
const CHUNK_BYTES: usize = 256 << 10;
/// Pixels of a part: enough for many tiles of each class, few enough for their sums to stay in the cache.
const PIXELS: Range<usize> = 48..600;
/// Pixels that are packed at a time.
const PACKED: usize = 1024;
/// Pieces of work that are aimed at.
const PIECES: usize = 4;

/// A product of patches and a weight.
pub(super) struct Layer {
    pub patches: Patches,
    pub images: usize,
    pub groups: usize,
    /// Channels of the source and outputs of the result in a group.
    pub channels: usize,
    pub outputs: usize,
    /// Distances in the weight from channel to channel and from output to output.
    pub channel_stride: usize,
    pub output_stride: usize,
}

/// How a layer is cut into pieces.
struct Plan {
    /// Outputs in a panel, and panels in a group.
    width: usize,
    panels: usize,
    /// Channels in a block, and blocks in a group; the last one may be filled up with zeros.
    channels: usize,
    blocks: usize,
    /// Images in a chunk, and parts that its rows are cut into.
    images: usize,
    parts: usize,
    /// Whether the source is read as it is: with one tap each number is needed once for each panel, which is not worth
    /// packing, and with one channel there is nothing to pack.
    in_place: bool,
    /// Whether a panel of the weight is for one piece only, which packs it itself, block by block, in its cache.
    own_weight: bool,
}

impl Layer {
    /// Computes the result: the product, with the last touches.
    pub fn run(&self, source: &[f32], weight: &[f32], finish: Finish, out: &mut [MaybeUninit<f32>]) {
        if out.is_empty() {
            return;
        }
        let plan = self.plan();
        let block = self.weight_len(&plan);
        let packed = if plan.own_weight { 0 } else { self.groups * plan.panels * plan.blocks };
        let mut weights = Scratch::new(packed * block);
        let panels = weights.chunks_mut(block).enumerate();
        for_each(panels, |(index, panel)| self.pack_weight(&plan, weight, index, panel));

        let [image, result] = [source.len(), out.len()].map(|len| len / self.images);
        let chunks = source.chunks((image * plan.images).max(1)).zip(out.chunks_mut(result * plan.images));
        for_each(chunks.enumerate(), |(index, (source, out))| {
            let images = out.len() / result;
            let pixels = if plan.in_place { Scratch::new(0) } else { self.pack_source(&plan, source, images) };
            let pixels = if plan.in_place { source } else { &pixels };
            let finish = finish.from(0, index * plan.images * result);
            let (plan, weights, out) = (&plan, &weights[..], out.as_mut_ptr().cast());
            let chunk = Chunk { layer: self, plan, images, pixels, weight, weights, finish, out };
            for_each(0..self.groups * plan.panels * plan.parts, |piece| {
                let (panel, part) = (piece / plan.parts, piece % plan.parts);
                let rows = images * self.patches.result()[0];
                // SAFETY: no other piece has the same panel and some of the same rows.
                unsafe { chunk.piece(panel, rows * part / plan.parts..rows * (part + 1) / plan.parts) };
            });
        });
    }

    fn plan(&self) -> Plan {
        let width = panel_width(self.outputs);
        let panels = self.outputs.div_ceil(width);
        let in_place = self.patches.taps() == 1 || self.channels == 1;
        let fitting = WEIGHT_BYTES / (4 * width * self.patches.most_taps().max(1));
        let blocks = if in_place { 1 } else { self.channels.div_ceil(fitting.clamp(CHANNELS.start, CHANNELS.end)) };

        let [height, row] = self.patches.result();
        let image_bytes = 4 * self.groups * self.channels * self.patches.source();
        let images = (CHUNK_BYTES / image_bytes.max(1)).max(PIXELS.end.div_ceil(height * row)).clamp(1, self.images);
        let chunks = self.images.div_ceil(images);
        let images = self.images.div_ceil(chunks);
        let pixels = images * height * row;
        let wanted = PIECES.div_ceil(chunks * self.groups * panels).min(pixels / PIXELS.start);
        let parts = pixels.div_ceil(PIXELS.end).max(wanted).clamp(1, images * height);
        let (channels, own_weight) = (self.channels.div_ceil(blocks), chunks * parts == 1);
        Plan { width, panels, channels, blocks, images, parts, in_place, own_weight }
    }

    /// Numbers in a block of the packed weight; the last ones are for taps that no pixel needs.
    fn weight_len(&self, plan: &Plan) -> usize {
        (self.patches.taps() * plan.channels + 1) * plan.width
    }

    /// Packs a block of the weight, counted through [group, panel, block of channels], as `[tap, channel, output]`.
    fn pack_weight(&self, plan: &Plan, weight: &[f32], index: usize, panel: &mut [f32]) {
        let channel = index % plan.blocks * plan.channels;
        let output = index / plan.blocks % plan.panels * plan.width;
        let group = index / plan.blocks / plan.panels;
        let channels = plan.channels.min(self.channels - channel);
        let rows = plan.width.min(self.outputs - output);
        if channels < plan.channels {
            panel.fill(0.);
        }
        let taps = self.patches.tap_places();
        let group = group * self.channels * self.outputs * taps.len();
        let source = &weight[group + channel * self.channel_stride + output * self.output_stride..];
        let unused = self.patches.taps() * plan.channels;
        let places = (0..channels).flat_map(|channel| {
            let place = move |tap: &Option<usize>| tap.map_or(unused, |tap| tap * plan.channels + channel) * plan.width;
            taps.iter().map(place)
        });
        let places: Vec<_> = places.collect();
        let (stride, width) = (self.output_stride, plan.width);
        if self.channel_stride == taps.len() {
            // Channels and taps of an output are neighbours.
            let (columns, place) = (places.len(), |column: usize| places[column]);
            return Pack { source, stride, rows, columns, panel, width, place, next: STRIP }.run();
        }
        let only = if self.patches.taps() == 1 { taps.iter().position(Option::is_some) } else { None };
        let (first, columns) = only.map_or((0, taps.len()), |tap| (tap, 1));
        for (channel, places) in places.chunks(taps.len()).enumerate() {
            let source = &source[channel * self.channel_stride + first..];
            let (place, next) = (|tap: usize| places[first + tap], self.channel_stride);
            Pack { source, stride, rows, columns, panel, width, place, next }.run();
        }
    }

    /// Packs a few images as `[group, block of channels, image, pixel, channel]`.
    fn pack_source(&self, plan: &Plan, source: &[f32], images: usize) -> Scratch {
        let (stride, width) = (self.patches.source(), plan.channels);
        let mut pixels = Scratch::new(self.groups * plan.blocks * images * stride * width);
        let planes = pixels.chunks_mut(stride * width).enumerate();
        let pieces = planes.flat_map(|(index, plane)| {
            plane.chunks_mut(PACKED * width).enumerate().map(move |(piece, panel)| (index, piece * PACKED, panel))
        });
        for_each(pieces, |(index, first, panel)| {
            let (image, block) = (index % images, index / images);
            let (group, channel) = (block / plan.blocks, block % plan.blocks * width);
            let rows = width.min(self.channels - channel);
            let source = &source[((image * self.groups + group) * self.channels + channel) * stride + first..];
            let (columns, place) = (panel.len() / width, |pixel| pixel * width);
            Pack { source, stride, rows, columns, panel, width, place, next: STRIP }.run();
        });
        pixels
    }
}

/// A few images in work.
struct Chunk<'a> {
    layer: &'a Layer,
    plan: &'a Plan,
    images: usize,
    /// Packed, or as they are if the plan is to read them in place.
    pixels: &'a [f32],
    weight: &'a [f32],
    /// The packed weight, unless pieces have their own.
    weights: &'a [f32],
    finish: Finish<'a>,
    /// Where the result of these images begins.
    out: *mut f32,
}
// SAFETY: threads share `out` only through `piece`, whose callers let no two write to the same place.
unsafe impl Sync for Chunk<'_> {}

impl Chunk<'_> {
    /// Computes a panel of outputs for a few rows of the result, counted through the images.
    ///
    /// # Safety
    /// No other thread computes these.
    unsafe fn piece(&self, panel: usize, rows: Range<usize>) {
        let &Self { layer, plan, .. } = self;
        let (plane, width, group) = (layer.patches.source(), plan.width, panel / plan.panels);
        let block_len = self.images * plane * plan.channels;
        let (pixel, image, step) = match plan.in_place {
            // A run goes through neighbouring taps, or through the channels.
            true => (1, layer.groups * layer.channels * plane, if layer.channels == 1 { 1 } else { plane }),
            false => (plan.channels, plane * plan.channels, 1),
        };
        let layout = Layout { image, pixel, channels: plan.channels, width };
        let classes = layer.patches.classes(rows.clone(), &layout);
        let mut sums = Scratch::new(rows.len() * layer.patches.result()[1] * width);
        let mut own_weight = Scratch::new(if plan.own_weight { layer.weight_len(plan) } else { 0 });
        for block in 0..plan.blocks {
            let (index, len) = (panel * plan.blocks + block, layer.weight_len(plan));
            if plan.own_weight {
                layer.pack_weight(plan, self.weight, index, &mut own_weight);
            }
            let weight = if plan.own_weight { &own_weight } else { &self.weights[index * len..][..len] };
            let scalars = match plan.in_place {
                true => &self.pixels[group * layer.channels * plane..],
                false => &self.pixels[(group * plan.blocks + block) * block_len..][..block_len],
            };
            for class in &classes {
                let (rows, runs) = (&class.rows, &class.runs);
                Product { scalars, step, panel: weight, width, runs, rows, fresh: block == 0 }.add_to(&mut sums);
            }
        }
        // SAFETY: as the caller promises.
        unsafe { self.unpack(&sums, panel, rows) };
    }

    /// Takes sums to where they belong.
    ///
    /// # Safety
    /// As for [`Chunk::piece`].
    unsafe fn unpack(&self, sums: &[f32], panel: usize, rows: Range<usize>) {
        let &Self { layer, plan, .. } = self;
        let [height, row] = layer.patches.result();
        let output = panel % plan.panels * plan.width;
        let outputs = plan.width.min(layer.outputs - output);
        let output = panel / plan.panels * layer.outputs + output;
        for image in rows.start / height..rows.end.div_ceil(height) {
            let (first, end) = (rows.start.max(image * height), rows.end.min((image + 1) * height));
            let plane = (image * layer.groups * layer.outputs + output) * height;
            let at = (plane + first - image * height) * row;
            let unpack = Unpack {
                sums: &sums[(first - rows.start) * row * plan.width..],
                place: |pixel| pixel * plan.width,
                rows: outputs,
                columns: (end - first) * row,
                finish: self.finish.from(output, at),
                out: self.out.wrapping_add(at),
                stride: height * row,
            };
            // SAFETY: the result has a plane of pixels for each output, and no other thread writes these rows of these.
            unsafe { unpack.run() };
        }
    }
}
