//! Numbers of a network as pictures: PNG in base64, which a page or a notebook shows as they are.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use kiln_data::Preprocess;
use kiln_model::explain::{FeatureMaps, HeatMap};
use serde::Serialize;
use utoipa::ToSchema;

/// The most feature maps of a sheet.
const MOST_MAPS: usize = 64;

/// The longest side of a feature map on its sheet, in pixels.
const MAP_SIDE: usize = 56;

/// What the preprocessing made of an image.
#[derive(Serialize, ToSchema)]
pub struct Saw {
    /// A PNG in base64, grey or RGB.
    png: String,
    /// Rows.
    height: usize,
    /// Columns.
    width: usize,
}

/// Feature maps side by side on a sheet, row by row, without gaps.
#[derive(Serialize, ToSchema)]
pub struct Maps {
    /// A grey PNG in base64: `least` is black and `largest` white.
    png: String,
    /// Maps in a row of the sheet.
    columns: usize,
    /// How many of the layer's maps, its first ones.
    shown: usize,
    /// Rows of a map on the sheet; large maps are made smaller by a whole factor.
    height: usize,
    /// Columns of a map on the sheet.
    width: usize,
    /// The smallest number of them.
    least: f32,
    /// The largest number of them.
    largest: f32,
}

/// Where a layer holds what speaks for a class.
#[derive(Serialize, ToSchema)]
pub struct Heat {
    /// A grey PNG in base64: white speaks for the class the most.
    png: String,
    /// Rows.
    height: usize,
    /// Columns.
    width: usize,
    /// Whether nothing speaks for the class.
    empty: bool,
}

impl Saw {
    /// Pixels `[C, H, W]`, not normalised.
    pub fn of(preprocess: &Preprocess, pixels: &[u8]) -> Self {
        let &Preprocess { channels, height, width, .. } = preprocess;
        let plane = height * width;
        let png = if channels == 3 {
            let interleaved: Vec<u8> = (0..3 * plane).map(|at| pixels[at % 3 * plane + at / 3]).collect();
            png(&interleaved, width, height, ExtendedColorType::Rgb8)
        } else {
            png(&pixels[..plane], width, height, ExtendedColorType::L8)
        };
        Self { png, height, width }
    }
}

impl Maps {
    /// The first maps of a layer.
    pub fn of(maps: &FeatureMaps) -> Self {
        let [channels, rows, columns] = maps.shape;
        let shown = channels.min(MOST_MAPS);
        let factor = rows.max(columns).div_ceil(MAP_SIDE);
        let planes = maps.values.chunks_exact(rows * columns).take(shown);
        let small: Vec<f32> = planes.flat_map(|plane| reduced(plane, columns, factor)).collect();
        let (height, width) = (rows.div_ceil(factor), columns.div_ceil(factor));
        let least = small.iter().copied().fold(f32::INFINITY, f32::min);
        let largest = small.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let range = if largest > least { largest - least } else { 1. };
        let across = shown.isqrt() + usize::from(shown.isqrt().pow(2) < shown);
        let down = shown.div_ceil(across);
        let mut sheet = vec![0; across * width * down * height];
        for (at, map) in small.chunks_exact(height * width).enumerate() {
            let (top, left) = (at / across * height, at % across * width);
            for (row, line) in map.chunks_exact(width).enumerate() {
                let start = (top + row) * across * width + left;
                for (pixel, value) in sheet[start..start + width].iter_mut().zip(line) {
                    *pixel = ((value - least) / range * 255.).round() as u8;
                }
            }
        }
        let png = png(&sheet, across * width, down * height, ExtendedColorType::L8);
        Self { png, columns: across, shown, height, width, least, largest }
    }
}

/// The means of `factor` x `factor` numbers, of fewer at the ends.
fn reduced(plane: &[f32], columns: usize, factor: usize) -> Vec<f32> {
    let mut small = Vec::new();
    for rows in plane.chunks(factor * columns) {
        for left in (0..columns).step_by(factor) {
            let block = rows.chunks_exact(columns).flat_map(|row| &row[left..(left + factor).min(columns)]);
            let (sum, count) = block.fold((0., 0), |(sum, count), value| (sum + value, count + 1));
            small.push(sum / count as f32);
        }
    }
    small
}

impl Heat {
    /// Grad-CAM's numbers of 0 to 1.
    pub fn of(heat: &HeatMap) -> Self {
        let &HeatMap { height, width, .. } = heat;
        let pixels: Vec<u8> = heat.values.iter().map(|value| (value * 255.).round() as u8).collect();
        let empty = heat.values.iter().all(|&value| value <= 0.);
        Self { png: png(&pixels, width, height, ExtendedColorType::L8), height, width, empty }
    }
}

fn png(pixels: &[u8], width: usize, height: usize, color: ExtendedColorType) -> String {
    let mut file = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::NoFilter);
    let written = encoder.write_image(pixels, width as u32, height as u32, color);
    written.unwrap_or_else(|error| unreachable!("memory can be written: {error}"));
    BASE64_STANDARD.encode(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(png: &str) -> image::DynamicImage {
        let file = BASE64_STANDARD.decode(png).expect("base64");
        image::load_from_memory(&file).expect("a PNG")
    }

    #[test]
    fn maps_lie_row_by_row_on_their_sheet() {
        // Five maps of 1 x 2: map m holds 2m and 2m + 1.
        let maps = FeatureMaps {
            layer: String::new(),
            kind: "conv",
            shape: [5, 1, 2],
            values: (0..10u8).map(f32::from).collect(),
        };
        let sheet = Maps::of(&maps);
        assert_eq!((sheet.columns, sheet.shown, sheet.least, sheet.largest), (3, 5, 0., 9.));
        let pixels: Vec<u8> = decoded(&sheet.png).to_luma8().into_raw();
        let grey = |value: f32| (value / 9. * 255.).round() as u8;
        let expected: Vec<u8> = (0..10u8).map(|value| grey(f32::from(value))).chain([0, 0]).collect();
        assert_eq!(pixels, expected);
    }

    #[test]
    fn large_maps_are_made_smaller() {
        let (rows, columns) = (3, 113);
        let values = (0..rows * columns).map(|at| (at % columns) as f32).collect();
        let maps = FeatureMaps { layer: String::new(), kind: "conv", shape: [1, rows, columns], values };
        let sheet = Maps::of(&maps);
        assert_eq!((sheet.height, sheet.width), (1, 38));
        // The means of 0, 1, 2 and of 111, 112.
        assert_eq!((sheet.least, sheet.largest), (1., 111.5));
    }

    #[test]
    fn colours_are_interleaved() {
        let preprocess = Preprocess::imagenet(1, 2, 2);
        let saw = Saw::of(&preprocess, &[1, 2, 3, 4, 5, 6]);
        assert_eq!(decoded(&saw.png).to_rgb8().into_raw(), [1, 3, 5, 2, 4, 6]);
    }
}
