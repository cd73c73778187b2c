//! Small pictures side by side.

use colorous::VIRIDIS;
use image::imageops::{FilterType, replace, resize};
use image::{Rgb, RgbImage};

/// The longest side of a sheet that tiles are enlarged for, in pixels.
const SHEET: usize = 1200;
/// How much tiles are enlarged at most, and what they are enlarged to where there is room, in pixels.
const LARGEST_TILE: usize = 160;
/// Between tiles, in pixels.
const GAP: usize = 4;
const GROUND: Rgb<u8> = Rgb([24, 24, 28]);

/// A small picture.
pub(super) struct Tile {
    width: usize,
    height: usize,
    /// Row by row.
    pixels: Vec<Rgb<u8>>,
}

impl Tile {
    /// From the smallest number, dark blue, to the largest, yellow.
    pub(super) fn of_range(values: &[f32], height: usize, width: usize) -> Self {
        let (low, high) = range(values);
        let share = |value: f32| if high > low { f64::from((value - low) / (high - low)) } else { 0. };
        let pixels = values.iter().map(|&value| Rgb(VIRIDIS.eval_continuous(share(value)).into_array())).collect();
        Self { width, height, pixels }
    }

    /// Grey is 0, black and white are as far from it as the number farthest from it.
    pub(super) fn around_zero(values: &[f32], height: usize, width: usize) -> Self {
        let pixels = shades(values).map(|shade| Rgb([shade; 3])).collect();
        Self { width, height, pixels }
    }

    /// The same for red, green and blue, one plane after the other.
    pub(super) fn coloured(values: &[f32], height: usize, width: usize) -> Self {
        let shades: Vec<u8> = shades(values).collect();
        let plane = height * width;
        let pixels = (0..plane).map(|at| Rgb([0, 1, 2].map(|channel| shades[channel * plane + at]))).collect();
        Self { width, height, pixels }
    }
}

fn range(values: &[f32]) -> (f32, f32) {
    values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)))
}

fn shades(values: &[f32]) -> impl Iterator<Item = u8> {
    let farthest = values.iter().fold(0f32, |most, value| most.max(value.abs()));
    let scale = if farthest > 0. { 127. / farthest } else { 0. };
    values.iter().map(move |value| (127.5 + value * scale).round() as u8)
}

/// Tiles of one size, row by row.
pub(super) fn sheet(tiles: &[Tile], columns: usize) -> RgbImage {
    let Some(first) = tiles.first() else { return RgbImage::new(1, 1) };
    let (width, height) = (first.width, first.height);
    let rows = tiles.len().div_ceil(columns);
    let room = (SHEET / columns.max(rows)).min(LARGEST_TILE);
    let scale = (room / width.max(height)).max(1);
    let side = |count: usize, length: usize| count * (length * scale + GAP) + GAP;
    let mut sheet = RgbImage::from_pixel(side(columns, width) as u32, side(rows, height) as u32, GROUND);
    for (index, tile) in tiles.iter().enumerate() {
        let left = side(index % columns, width);
        let top = side(index / columns, height);
        for y in 0..height * scale {
            for x in 0..width * scale {
                let pixel = tile.pixels[y / scale * width + x / scale];
                sheet.put_pixel((left + x) as u32, (top + y) as u32, pixel);
            }
        }
    }
    sheet
}

/// Pictures of any sizes from left to right, each fitted to one height.
pub(super) fn row(pictures: &[RgbImage]) -> RgbImage {
    const HEIGHT: usize = 280;
    let fitted = |picture: &RgbImage| {
        let (width, height) = picture.dimensions();
        let wide = (width as usize * HEIGHT / height as usize).max(1) as u32;
        let filter = if height < HEIGHT as u32 { FilterType::Nearest } else { FilterType::Triangle };
        resize(picture, wide, HEIGHT as u32, filter)
    };
    let pictures: Vec<_> = pictures.iter().map(fitted).collect();
    let width = pictures.iter().map(|picture| picture.width() as usize + GAP).sum::<usize>() + GAP;
    let mut row = RgbImage::from_pixel(width as u32, (HEIGHT + 2 * GAP) as u32, GROUND);
    let mut left = GAP;
    for picture in &pictures {
        replace(&mut row, picture, left as i64, GAP as i64);
        left += picture.width() as usize + GAP;
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_stand_side_by_side_with_gaps() {
        let tile = |value: f32| Tile::around_zero(&[value, 0., 0., -value], 2, 2);
        let sheet = sheet(&[tile(1.), tile(0.), tile(-3.)], 2);
        // Two columns of tiles enlarged 80 times.
        assert_eq!(sheet.dimensions(), (332, 332));
        let at = |x, y| sheet.get_pixel(x, y).0[0];
        assert_eq!((at(4, 4), at(163, 163), at(100, 10)), (255, 1, 128));
        assert_eq!((at(168, 4), at(4, 168), at(327, 327)), (128, 1, GROUND.0[0]));
        assert_eq!(at(0, 0), GROUND.0[0]);
    }

    #[test]
    fn constant_maps_are_dark_and_not_divided_by_zero() {
        let tile = Tile::of_range(&[5., 5.], 1, 2);
        assert_eq!(tile.pixels, [Rgb(VIRIDIS.eval_continuous(0.).into_array()); 2]);
        let coloured = Tile::coloured(&[1., 0., -1.], 1, 1);
        assert_eq!(coloured.pixels, [Rgb([255, 128, 1])]);
    }
}
