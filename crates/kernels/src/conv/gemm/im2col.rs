//! The implicit im2col matrix: which values of the source contribute to each pixel of the result.
//!
//! ```text
//! result[n, y, x] = sum over taps and channels of weight[tap, channel] * source[n, channel, y', x']
//!                   x' = source_first + index of x * source_step + index of the tap * tap_step
//! ```
//!
//! Along each axis, the pixels of the result are divided into *spans* that use the same taps: those that hit the source
//! and not its padding. Padding is therefore never multiplied. A forward pass has one span for the interior and a few
//! at the borders. An input gradient has these for each *phase*: pixels that are one stride apart meet the same taps of
//! the kernel. The source is stored channels-last, so what a pixel needs from a row is one run of values.

use std::ops::Range;

use super::micro_kernel::{Row, Run};
use crate::shape::Conv2d;

/// Pixels of the result along an axis that use the same taps.
#[derive(Clone, Debug, PartialEq)]
struct Span {
    /// The first pixel, the distance between pixels, and their number.
    first: usize,
    step: usize,
    len: usize,
    /// The source's pixel under the first tap of the first pixel.
    source: usize,
    /// By how many pixels the source advances from one pixel of the result to the next.
    source_step: usize,
    /// Indices into [`Axis::taps`].
    taps: Range<usize>,
}

/// How result, kernel and source are aligned along one axis.
#[derive(Clone, Debug, Default)]
struct Axis {
    /// The taps of the kernel that are used at all, in packed order: the taps of a span are adjacent, and advance
    /// through the source.
    taps: Vec<usize>,
    /// Pixels of the source between neighbouring taps of a span.
    tap_step: usize,
    spans: Vec<Span>,
    source: usize,
    result: usize,
}

/// The pixels of the result, every `step`-th one, that use the same subset of the kernel's taps.
struct Phase {
    first: usize,
    step: usize,
    /// The source's pixel under the first tap of the first pixel; often negative.
    source: isize,
    source_step: usize,
    taps: Vec<usize>,
}

impl Axis {
    fn forward(conv: &Conv2d, axis: usize) -> Self {
        let (source, result) = (conv.image[axis + 2], conv.output()[axis + 2]);
        let mut this = Self { tap_step: conv.dilation[axis], source, result, ..Self::default() };
        let (first, taps) = (-(conv.padding[axis][0] as isize), (0..conv.weight[axis + 2]).collect());
        this.add(Phase { first: 0, step: 1, source: first, source_step: conv.stride[axis], taps });
        this
    }

    fn input_gradient(conv: &Conv2d, axis: usize) -> Self {
        let (source, result) = (conv.output()[axis + 2], conv.image[axis + 2]);
        let (stride, dilation, padding) = (conv.stride[axis], conv.dilation[axis], conv.padding[axis][0]);
        let tap_step = dilation / gcd(dilation, stride);
        let mut this = Self { tap_step, source, result, ..Self::default() };
        for first in 0..stride.min(result) {
            // Pixel i of the image meets a tap for output o where  i + padding = o * stride + tap * dilation.
            let meets = |tap: &usize| (first + padding) as isize - (tap * dilation) as isize;
            let taps = (0..conv.weight[axis + 2]).rev().filter(|tap| meets(tap) % stride as isize == 0);
            let taps: Vec<_> = taps.collect();
            let source = taps.first().map_or(0, meets) / stride as isize;
            this.add(Phase { first, step: stride, source, source_step: 1, taps });
        }
        this
    }

    /// Appends the spans of a phase, and those of its taps that they use.
    fn add(&mut self, phase: Phase) {
        let Phase { taps, step, source_step, .. } = phase;
        let (before, tap_step, size) = (self.spans.len(), self.tap_step as isize, self.source as isize);
        for (index, pixel) in (phase.first..self.result).step_by(step).enumerate() {
            let source = phase.source + (index * source_step) as isize;
            // The number of taps with `source + tap * tap_step < limit`.
            let taps_below = |limit: isize| ((limit - source + tap_step - 1).div_euclid(tap_step)).max(0) as usize;
            let end = taps_below(size).min(taps.len());
            let taps = taps_below(0).min(end)..end;
            let source = if taps.is_empty() { 0 } else { source + taps.start as isize * tap_step } as usize;
            match self.spans[before..].last_mut() {
                Some(span) if span.taps == taps || span.taps.is_empty() && taps.is_empty() => span.len += 1,
                _ => self.spans.push(Span { first: pixel, step, len: 1, source, source_step, taps }),
            }
        }
        let used = || self.spans[before..].iter().map(|span| &span.taps).filter(|taps| !taps.is_empty());
        let first = used().map(|taps| taps.start).min().unwrap_or(0);
        let end = used().map(|taps| taps.end).max().unwrap_or(0);
        let shift = |tap: usize| (tap + self.taps.len()).saturating_sub(first);
        for span in &mut self.spans[before..] {
            span.taps = if span.taps.is_empty() { 0..0 } else { shift(span.taps.start)..shift(span.taps.end) };
        }
        self.taps.extend(&taps[first..end]);
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Pixels of the result that use the same taps, as input of the micro-kernel.
pub(crate) struct PixelClass {
    pub rows: Vec<Row>,
    pub runs: Vec<Run>,
}

/// Strides of the source.
pub(crate) struct Layout {
    /// Values between images of the source.
    pub image: usize,
    /// Values between pixels of the source.
    pub pixel: usize,
    /// Channels that a pixel reads for each tap.
    pub channels: usize,
}

/// The im2col matrix of a product.
#[derive(Debug)]
pub(crate) struct Im2col {
    axes: [Axis; 2],
    /// Kernel size `[height, width]`.
    kernel: [usize; 2],
}

impl Im2col {
    /// The matrix whose product with the weight is the convolution.
    pub fn forward(conv: &Conv2d) -> Self {
        Self { axes: [0, 1].map(|axis| Axis::forward(conv, axis)), kernel: [conv.weight[2], conv.weight[3]] }
    }

    /// The matrix of the output's gradient whose product with the weight is the gradient of the input.
    pub fn input_gradient(conv: &Conv2d) -> Self {
        Self { axes: [0, 1].map(|axis| Axis::input_gradient(conv, axis)), kernel: [conv.weight[2], conv.weight[3]] }
    }

    /// Pixels of an image of the source.
    pub fn source(&self) -> usize {
        self.axes[0].source * self.axes[1].source
    }

    /// Height and width of an image of the result.
    pub fn result(&self) -> [usize; 2] {
        [self.axes[0].result, self.axes[1].result]
    }

    /// Number of taps in the packed weight.
    pub fn taps(&self) -> usize {
        self.axes[0].taps.len() * self.axes[1].taps.len()
    }

    /// The largest number of taps that any pixel uses.
    pub fn max_taps(&self) -> usize {
        let most = |axis: &Axis| axis.spans.iter().map(|span| span.taps.len()).max().unwrap_or(0);
        self.axes.iter().map(most).product()
    }

    /// For each tap of the kernel, its index in the packed weight; `None` for taps that no pixel uses.
    pub fn packed_taps(&self) -> Vec<Option<usize>> {
        let mut packed = vec![None; self.kernel[0] * self.kernel[1]];
        for (down, &y) in self.axes[0].taps.iter().enumerate() {
            for (right, &x) in self.axes[1].taps.iter().enumerate() {
                packed[y * self.kernel[1] + x] = Some(down * self.axes[1].taps.len() + right);
            }
        }
        packed
    }

    /// The pixels of some rows of the result, counted across images, class by class. `width` is that of the panels.
    pub fn classes(&self, rows: Range<usize>, layout: &Layout, width: usize) -> Vec<PixelClass> {
        let [vertical, horizontal] = &self.axes;
        let mut classes = Vec::with_capacity(vertical.spans.len() * horizontal.spans.len());
        for down in &vertical.spans {
            let pixel_rows: Vec<_> = self.rows_of(down, &rows, layout).collect();
            for right in &horizontal.spans {
                let mut class = PixelClass { rows: Vec::new(), runs: self.runs(down, right, layout, width) };
                class.rows.reserve_exact(pixel_rows.len() * right.len);
                for &(scalars, result) in &pixel_rows {
                    class.rows.extend((0..right.len).map(|index| Row {
                        scalars: scalars + (right.source + index * right.source_step) * layout.pixel,
                        result: result + right.first + index * right.step,
                    }));
                }
                classes.push(class);
            }
        }
        classes
    }

    /// For the rows of a span that lie in `rows`: where they start in the source and among the pixels of `rows`.
    fn rows_of(&self, span: &Span, rows: &Range<usize>, layout: &Layout) -> impl Iterator<Item = (usize, usize)> {
        let height = self.axes[0].result;
        let (source_row, result_row) = (self.axes[1].source * layout.pixel, self.axes[1].result);
        let images = rows.start / height..rows.end.div_ceil(height);
        let all = images.flat_map(move |image| (0..span.len).map(move |index| (image, index)));
        all.filter_map(move |(image, index)| {
            let row = image * height + span.first + index * span.step;
            let source = image * layout.image + (span.source + index * span.source_step) * source_row;
            rows.contains(&row).then(|| (source, (row - rows.start) * result_row))
        })
    }

    /// What each pixel in the intersection of two spans reads, relative to its first value.
    fn runs(&self, down: &Span, right: &Span, layout: &Layout, width: usize) -> Vec<Run> {
        let [vertical, horizontal] = &self.axes;
        let (length, count) = match horizontal.tap_step {
            // Neighbouring taps meet neighbouring pixels: one run covers them all.
            1 if layout.pixel == layout.channels => (right.taps.len(), usize::from(!right.taps.is_empty())),
            _ => (1, right.taps.len()),
        };
        let mut runs = Vec::with_capacity(down.taps.len() * count);
        for (y, tap) in down.taps.clone().enumerate() {
            let source = y * vertical.tap_step * horizontal.source;
            let first = tap * horizontal.taps.len() + right.taps.start;
            runs.extend((0..count).map(|x| Run {
                scalars: (source + x * horizontal.tap_step) * layout.pixel,
                panel: (first + x) * layout.channels * width,
                len: length * layout.channels,
            }));
        }
        runs
    }
}
