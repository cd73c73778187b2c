//! 3x3 convolution with stride 1 by Winograd's minimal filtering F(4x4, 3x3): 36 multiplications for 16 outputs of a channel
//! instead of 144 (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015).
//!
//! ```text
//! tile of 6 x 6 pixels --B--> 36 numbers     kernel of 3 x 3 --G--> 36 numbers      of each channel
//! at each of the 36 points:  sums[tile, output] = pixels[tile, channel] * weight[channel, output]
//! 36 sums --A--> 4 x 4 pixels of the result
//! ```
//!
//! The 36 products are plain matrix products. Kernels are transformed where they are used, block by block: a transformed
//! weight would take four times its memory, and as long to load.
#![allow(unsafe_code)] // Tasks write interleaved parts of one memory.

mod transforms;

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::conv::{Panel, Work};
use crate::conv::gemm::micro_kernel::{Finish, Numbers, PanelGemm, Row, Run, read, write};
use crate::parallel::for_each;
use crate::scratch::Scratch;
use crate::shape::Conv2d;
use crate::simd::{dispatch, load, store};
use transforms::{input, output, weight};

/// Pixels of the result in a tile, and of the image under it, along an axis.
const OUTPUT: usize = 4;
const INPUT: usize = 6;

/// Products.
const POINTS: usize = INPUT * INPUT;

/// Fewer channels or outputs do not repay the transforms.
const LEAST_CHANNELS: usize = 16;

/// Bytes of transformed pixels that a task keeps for itself; if that is enough for some tiles.
const OWN_BYTES: usize = 704 << 10;

/// Bytes of the transformed pixels at a time that all tasks share.
const CHUNK_BYTES: usize = 8 << 20;

/// Tiles that a task transforms, and multiplies.
const TRANSFORMED: usize = 16;
const MULTIPLIED: usize = 48;

/// Channels whose kernels are transformed at a time.
const BLOCK: usize = 64;

/// Fewer tiles of an image do not repay the transforms of the kernels.
const LEAST_TILES: usize = 16;

/// Tiles that a task has at least, if it transforms their pixels for itself.
const OWN_TILES: usize = 32;

/// Numbers between the points' matrices: without them, the same place of all 36 would fall into one set of the L1 cache.
const GAP: usize = 16;

/// Whether a convolution can and should be computed so. That depends on one image alone: what is computed of it is the same beside
/// others.
pub(super) fn is_applicable(shape: &Conv2d) -> bool {
    let &Conv2d { weight: [outputs, channels, kh, kw], stride, dilation, groups, .. } = shape;
    let [_, _, height, width] = shape.output();
    [kh, kw] == [3, 3]
        && [stride, dilation] == [[1, 1]; 2]
        && groups == 1
        && outputs.min(channels) >= LEAST_CHANNELS
        && height.div_ceil(OUTPUT) * width.div_ceil(OUTPUT) >= LEAST_TILES
}

/// Computes the whole result.
pub(super) fn run(work: &Work<'_>) {
    let channels = work.conv.shape.weight[1];
    let grid = Grid::of(work);
    let tiles = work.images * grid.tiles[0] * grid.tiles[1];
    let own = OWN_BYTES / (4 * POINTS * channels);
    if let ([panel], true) = (&work.conv.panels[..], own >= OWN_TILES) {
        // Nobody else needs these pixels: each task transforms those that it multiplies.
        for_each(split(0..tiles, own.min(MULTIPLIED), 1), |part| {
            let plane = part.len() * channels + GAP;
            let mut pixels = Scratch::new(POINTS * plane);
            let target = Target { start: pixels.as_mut_ptr(), plane };
            dispatch(Pixels { work, grid: &grid, first: 0, tiles: part.clone(), target });
            multiply(work, &grid, panel, part, &pixels, plane);
        });
        return;
    }
    let chunks = tiles.div_ceil((CHUNK_BYTES / (4 * POINTS * channels)).max(MULTIPLIED));
    for chunk in 0..chunks {
        let tiles = tiles * chunk / chunks..tiles * (chunk + 1) / chunks;
        let plane = tiles.len() * channels + GAP;
        let mut pixels = Scratch::new(POINTS * plane);
        let target = Target { start: pixels.as_mut_ptr(), plane };
        for_each(split(tiles.clone(), TRANSFORMED, 1), |part| {
            dispatch(Pixels { work, grid: &grid, first: part.start - tiles.start, tiles: part, target });
        });
        let panels = &work.conv.panels;
        let tasks = split(tiles.clone(), MULTIPLIED, panels.len());
        let tasks = tasks.flat_map(|part| panels.iter().map(move |panel| (part.clone(), panel)));
        for_each(tasks, |(part, panel)| {
            let first = part.start - tiles.start;
            multiply(work, &grid, panel, part, &pixels[first * channels..], plane);
        });
    }
}

/// Parts of nearly equal size, as few as possible; with `tasks` tasks each, they are a multiple of four tasks, which most numbers
/// of threads share evenly.
fn split(tiles: Range<usize>, most: usize, tasks: usize) -> impl Iterator<Item = Range<usize>> {
    let (first, count) = (tiles.start, tiles.len());
    let even = if tasks.is_multiple_of(4) {
        1
    } else if tasks.is_multiple_of(2) {
        2
    } else {
        4
    };
    let parts = count.div_ceil(most).next_multiple_of(even).min(count);
    (0..parts).map(move |part| first + count * part / parts..first + count * (part + 1) / parts)
}

/// How the result is divided into tiles.
struct Grid {
    /// Down and across.
    tiles: [usize; 2],
    image: [usize; 2],
    result: [usize; 2],
    /// Rows and columns of zeros before the image.
    padding: [usize; 2],
}

impl Grid {
    fn of(work: &Work<'_>) -> Self {
        let shape = &work.conv.shape;
        let [_, _, height, width] = shape.output();
        let tiles = [height, width].map(|side| side.div_ceil(OUTPUT));
        let image = [shape.image[2], shape.image[3]];
        Self { tiles, image, result: [height, width], padding: [shape.padding[0][0], shape.padding[1][0]] }
    }

    /// A tile's image, and its row and column.
    fn at(&self, tile: usize) -> [usize; 3] {
        let [down, across] = self.tiles;
        [tile / (down * across), tile / across % down, tile % across]
    }
}

/// Transformed pixels `[point, tile, channel]`.
#[derive(Clone, Copy)]
struct Target {
    start: *mut f32,
    /// Numbers from one point to the next.
    plane: usize,
}
// SAFETY: each task writes its own tiles.
unsafe impl Sync for Target {}
// SAFETY: as above.
unsafe impl Send for Target {}

/// Some tiles' pixels, transformed.
struct Pixels<'a, 'b> {
    work: &'a Work<'b>,
    grid: &'a Grid,
    tiles: Range<usize>,
    /// The first tile's place in the target.
    first: usize,
    target: Target,
}

impl WithSimd for Pixels<'_, '_> {
    type Output = ();

    #[expect(clippy::needless_range_loop, reason = "rows of what is kept by columns")]
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { work, grid, tiles, first, target } = self;
        let (channels, stride) = (work.conv.shape.weight[1], work.x.stride);
        let [height, width] = grid.image;
        let zero = simd.splat_f32s(0.);
        for (index, tile) in tiles.enumerate() {
            let [image, down, across] = grid.at(tile);
            let from = work.memory.at(work.x).wrapping_add(image * height * width * stride);
            let (top, left) = (down * OUTPUT, across * OUTPUT);
            let [above, before] = grid.padding;
            let to = target.start.wrapping_add((first + index) * channels);
            let inside =
                top >= above && left >= before && top + INPUT <= height + above && left + INPUT <= width + before;
            for vector in 0..channels.div_ceil(S::F32_LANES) {
                let mut columns = [[zero; INPUT]; INPUT];
                for (x, column) in columns.iter_mut().enumerate() {
                    let mut pixels = [zero; INPUT];
                    for (y, pixel) in pixels.iter_mut().enumerate() {
                        let (y, x) = ((top + y).wrapping_sub(above), (left + x).wrapping_sub(before));
                        if inside || (y < height && x < width) {
                            // SAFETY: the pixel lies in the image, and the image in the memory.
                            *pixel = unsafe { read(simd, from.add((y * width + x) * stride), vector, channels) };
                        }
                    }
                    *column = input(simd, pixels);
                }
                for y in 0..INPUT {
                    let row = input(simd, std::array::from_fn(|x| columns[x][y]));
                    for (x, value) in row.into_iter().enumerate() {
                        let to = to.wrapping_add((y * INPUT + x) * target.plane);
                        // SAFETY: the target has room for each point of each tile, and no other task writes this tile's.
                        unsafe { write(simd, to, vector, channels, value) };
                    }
                }
            }
        }
    }
}

/// The result of some tiles for the outputs of a panel. `pixels` are the transformed ones, with `pixel_plane` numbers from one
/// point to the next.
fn multiply(work: &Work<'_>, grid: &Grid, panel: &Panel, tiles: Range<usize>, pixels: &[f32], pixel_plane: usize) {
    let (channels, width) = (work.conv.shape.weight[1], panel.width);
    let plane = tiles.len() * width + GAP;
    let rows: Vec<Row> = (0..tiles.len()).map(|tile| Row { scalars: tile * channels, result: tile }).collect();
    let mut sums = Scratch::new(POINTS * plane);
    let mut kernels = Scratch::new(POINTS * (BLOCK.min(channels) * width + GAP));
    let mut channel = 0;
    for (block, &size) in panel.blocks.iter().enumerate() {
        let source = work.conv.block(panel, block);
        for start in (0..size).step_by(BLOCK) {
            let len = BLOCK.min(size - start);
            let kernel_plane = len * width + GAP;
            let kernels = &mut kernels[..POINTS * kernel_plane];
            dispatch(Kernels { source, size, start, len, width, target: kernels });
            for (point, (sums, kernels)) in
                sums.chunks_exact_mut(plane).zip(kernels.chunks_exact(kernel_plane)).enumerate()
            {
                let scalars: Numbers<'_> = pixels[point * pixel_plane + channel..].into();
                let runs = &[Run { scalars: 0, panel: 0, len }];
                let from_zero = channel == 0;
                PanelGemm { scalars, step: 1, panel: kernels, width, runs, rows: &rows, from_zero, next: &[] }
                    .add_to(sums);
            }
            channel += len;
        }
    }
    dispatch(Results { work, grid, panel, tiles, sums: &sums, finish: work.finish(panel, 0) });
}

/// Kernels of some channels, transformed: `[tap, channel, width]` to `[point, channel, width]`.
struct Kernels<'a> {
    source: &'a [f32],
    /// Channels of the source, and those that are meant.
    size: usize,
    start: usize,
    len: usize,
    width: usize,
    target: &'a mut [f32],
}

impl WithSimd for Kernels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { source, size, start, len, width, target } = self;
        let zero = simd.splat_f32s(0.);
        for at in (0..len * width).step_by(S::F32_LANES) {
            let mut columns = [[zero; INPUT]; 3];
            for (x, column) in columns.iter_mut().enumerate() {
                let taps = std::array::from_fn(|y| load(simd, &source[((y * 3 + x) * size + start) * width + at..]));
                *column = weight(simd, taps);
            }
            for y in 0..INPUT {
                let row = weight(simd, std::array::from_fn(|x| columns[x][y]));
                for (x, value) in row.into_iter().enumerate() {
                    store(simd, &mut target[(y * INPUT + x) * (len * width + GAP) + at..], value);
                }
            }
        }
    }
}

/// Sums `[point, tile, width]` to pixels of the result.
struct Results<'a, 'b> {
    work: &'a Work<'b>,
    grid: &'a Grid,
    panel: &'a Panel,
    tiles: Range<usize>,
    sums: &'a [f32],
    finish: Finish<'a>,
}

impl WithSimd for Results<'_, '_> {
    type Output = ();

    #[expect(clippy::needless_range_loop, reason = "rows of what is kept by columns")]
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { work, grid, panel, tiles, sums, finish } = self;
        let [height, width] = grid.result;
        let plane = tiles.len() * panel.width + GAP;
        let zero = simd.splat_f32s(0.);
        let out = work.memory.at(work.out).wrapping_add(panel.first);
        for (index, tile) in tiles.enumerate() {
            let [image, down, across] = grid.at(tile);
            let (top, left) = (down * OUTPUT, across * OUTPUT);
            for vector in 0..panel.width / S::F32_LANES {
                let at = index * panel.width + vector * S::F32_LANES;
                let mut columns = [[zero; OUTPUT]; INPUT];
                for (x, column) in columns.iter_mut().enumerate() {
                    let points = std::array::from_fn(|y| load(simd, &sums[(y * INPUT + x) * plane + at..]));
                    *column = output(simd, points);
                }
                // SAFETY: scale and shift have a vector for each of the panel's.
                let affine = unsafe { finish.affine(simd, vector) };
                for y in 0..OUTPUT.min(height - top) {
                    let row = output(simd, std::array::from_fn(|x| columns[x][y]));
                    for (x, sum) in row.into_iter().enumerate().take(width - left) {
                        let pixel = (image * height + top + y) * width + left + x;
                        // SAFETY: the pixel is one of the result, which no other task writes for these outputs.
                        unsafe {
                            let value = finish.apply(simd, sum, affine, vector, pixel, panel.outputs);
                            write(simd, out.add(pixel * work.out.stride), vector, panel.outputs, value);
                        }
                    }
                }
            }
        }
    }
}
