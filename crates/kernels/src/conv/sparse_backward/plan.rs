//! Sizes, offsets and the packed weight of a sparse backward pass.

use super::channels_last::ChannelsLast;
use crate::block::{ConvBlock, Needs, Saved};
use crate::scratch::Scratch;
use crate::shape::{Conv2d, Window};
use crate::simd::{Level, MAX_LANES};

/// What all tasks share.
pub(super) struct SparsePlan<'a> {
    pub block: &'a ConvBlock,
    pub saved: Saved<'a>,
    pub grad: &'a [f32],
    pub needs: Needs,
    pub layout: ChannelsLast,
    pub level: Level,
    /// f32 lanes of a vector.
    pub lanes: usize,
    /// Vectors that are kept in registers together.
    pub batch: usize,
    /// For each vector of a receptive field, its offset from the start of the field in the packed image. The last batch
    /// is filled up with vectors of no meaning.
    pub vectors: Vec<usize>,
    /// For each pooled output and each position in its window, the offset of the receptive field in the packed image.
    pub fields: Vec<u32>,
    /// Positions in a pooling window.
    pub positions: usize,
    /// `[O, vectors, lanes]`, zero where a vector reaches beyond its row; empty unless the gradient of the images is
    /// needed.
    pub weight: Scratch,
    /// Values of a task's partial sums: the packed gradient of the weight, and that of the bias.
    pub partial: usize,
}

impl<'a> SparsePlan<'a> {
    pub fn new(block: &'a ConvBlock, saved: Saved<'a>, grad: &'a [f32], needs: Needs) -> Self {
        let Conv2d { weight: [out, channels, kh, kw], stride, dilation, .. } = block.conv;
        let layout = ChannelsLast::of(&block.conv);
        let level = Level::for_runs(kw * channels);
        let lanes = level.lanes();

        let per_row = (kw * channels).div_ceil(lanes);
        let mut vectors = Vec::with_capacity(kh * per_row);
        for ky in 0..kh {
            vectors.extend((0..per_row).map(|vector| layout.at(ky * dilation[0], 0) + vector * lanes));
        }
        let most = if lanes == 16 { BATCHES[3] } else { BATCHES[1] };
        let needed = vectors.len().div_ceil(vectors.len().div_ceil(most));
        let batch = BATCHES.into_iter().find(|&batch| batch >= needed).unwrap_or(most);
        vectors.resize(vectors.len().next_multiple_of(batch), 0);

        let Some(Window { kernel, stride: step, padding, .. }) = block.max_pool else {
            unreachable!("only max-pooled blocks have sparse gradients")
        };
        let [_, _, height, width] = block.conv.output();
        let [_, _, rows, columns] = block.output();
        let results = (0..rows).flat_map(|y| (0..columns).map(move |x| [y * step[0], x * step[1]]));
        let mut fields = Vec::with_capacity(rows * columns * kernel[0] * kernel[1]);
        for [top, left] in results {
            let positions = (0..kernel[0]).flat_map(|y| (0..kernel[1]).map(move |x| [top + y, left + x]));
            fields.extend(positions.map(|[y, x]| {
                // The argmax is never in the padding: any field will do.
                let inside = y >= padding[0] && y - padding[0] < height && x >= padding[1] && x - padding[1] < width;
                let at = || layout.at((y - padding[0]) * stride[0], (x - padding[1]) * stride[1]);
                if inside { at() as u32 } else { 0 }
            }));
        }

        let partial = out * vectors.len() * lanes + out;
        let weight = Scratch::new(if needs.x { partial - out } else { 0 });
        let mut plan = Self {
            block,
            saved,
            grad,
            needs,
            layout,
            level,
            lanes,
            batch,
            vectors,
            fields,
            positions: kernel[0] * kernel[1],
            weight,
            partial,
        };
        if needs.x {
            plan.weight.fill(0.);
            let mut weight = std::mem::replace(&mut plan.weight, Scratch::new(0));
            plan.for_each_weight(|index, at| weight[at] = saved.weight[index]);
            plan.weight = weight;
        }
        plan
    }

    /// Values of the packed weight.
    pub fn packed_weight(&self) -> usize {
        self.block.conv.weight[0] * self.vectors.len() * self.lanes
    }

    /// Calls `visit` with the index of each value in the weight `[O, C, kh, kw]` and in the packed weight.
    fn for_each_weight(&self, mut visit: impl FnMut(usize, usize)) {
        let [out, channels, kh, kw] = self.block.conv.weight;
        let row = (kw * channels).next_multiple_of(self.lanes);
        let mut index = 0;
        for out in 0..out {
            for channel in 0..channels {
                for ky in 0..kh {
                    let first = out * self.vectors.len() * self.lanes + ky * row + channel;
                    for kx in 0..kw {
                        visit(index, first + kx * channels);
                        index += 1;
                    }
                }
            }
        }
    }

    pub fn unpack_weight(&self, packed: &[f32]) -> Vec<f32> {
        let mut weight = vec![0.; self.saved.weight.len()];
        self.for_each_weight(|index, at| weight[index] = packed[at]);
        weight
    }

    /// Distance between packed images, with room for the last fields' vectors to reach beyond the end.
    pub fn image_len(&self) -> usize {
        (self.layout.len() + MAX_LANES).next_multiple_of(MAX_LANES)
    }

    /// Outputs of a channel of an image.
    pub fn outputs_per_channel(&self) -> usize {
        self.fields.len() / self.positions
    }

    /// Whether a gradient is dropped: with ReLU where it clipped the output, without it if the gradient is zero.
    #[inline(always)]
    pub fn is_masked(&self, output: f32, gradient: f32) -> bool {
        if self.block.relu { output <= 0. } else { gradient == 0. }
    }

    /// The output of the forward pass. Without ReLU it is not read, and `grad` stands in for it.
    pub fn output(&self) -> &[f32] {
        if self.block.relu { self.saved.output } else { self.grad }
    }
}

/// Batch sizes, in vectors, that the kernels are compiled for.
const BATCHES: [usize; 4] = [5, 10, 15, 20];
