//! Heat maps over the picture that the network saw.

use colorous::TURBO;
use image::imageops::{FilterType, resize};
use image::{Rgb, RgbImage};
use kiln_model::explain::{HeatMap, Occluder};

/// Smaller pictures are enlarged by a whole number to at least this side, in pixels.
const LEAST_SIDE: u32 = 224;

/// The share of the heat's colour where it is strongest.
const STRONGEST: f32 = 0.75;

/// Grad-CAM's map, stretched over the network's input.
pub fn heat_overlay(picture: &RgbImage, heat: &HeatMap) -> RgbImage {
    let (width, height) = picture.dimensions();
    let middles = |length: u32, count: usize| {
        let step = length as f32 / count as f32;
        (0..count).map(|at| (at as f32 + 0.5) * step).collect()
    };
    overlay(picture, heat, [middles(height, heat.height), middles(width, heat.width)])
}

/// Occlusion's map: each number stands where the middle of the square was. The largest loss is strongest; where covering helps
/// the class, the picture stays as it is.
pub fn occlusion_overlay(picture: &RgbImage, heat: &HeatMap, occluder: Occluder) -> RgbImage {
    let largest = heat.values.iter().copied().fold(0f32, f32::max);
    let scale = if largest > 0. { 1. / largest } else { 0. };
    let values = heat.values.iter().map(|value| value.max(0.) * scale).collect();
    let middles = |length: u32| {
        let places = occluder.places(length as usize).into_iter();
        places.map(|place| place as f32 + occluder.side as f32 / 2.).collect()
    };
    let (width, height) = picture.dimensions();
    overlay(picture, &HeatMap { values, ..heat.clone() }, [middles(height), middles(width)])
}

/// A small picture enlarged by a whole number, so that its pixels can be seen.
pub(super) fn enlarged(picture: &RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    let scale = LEAST_SIDE.div_ceil(width.min(height)).max(1);
    resize(picture, width * scale, height * scale, FilterType::Nearest)
}

/// The picture, enlarged, with heat of 0 to 1, whose numbers stand in these rows and columns of the picture, in pixels.
fn overlay(picture: &RgbImage, heat: &HeatMap, [rows, columns]: [Vec<f32>; 2]) -> RgbImage {
    let mut large = enlarged(picture);
    let scale = large.width() / picture.width();
    let place = |at: u32| (at as f32 + 0.5) / scale as f32;
    let columns: Vec<_> = (0..large.width()).map(|x| neighbours(place(x), &columns)).collect();
    let rows: Vec<_> = (0..large.height()).map(|y| neighbours(place(y), &rows)).collect();
    for (x, y, pixel) in large.enumerate_pixels_mut() {
        let strength = between(heat, rows[y as usize], columns[x as usize]);
        let colour = TURBO.eval_continuous(f64::from(strength)).into_array();
        let share = STRONGEST * strength.sqrt();
        *pixel = Rgb(std::array::from_fn(|channel| {
            (f32::from(pixel.0[channel]) * (1. - share) + f32::from(colour[channel]) * share).round() as u8
        }));
    }
    large
}

/// The two middles between which a place lies, and its share of the way; beyond the outermost ones it is there.
fn neighbours(place: f32, middles: &[f32]) -> (usize, usize, f32) {
    let after = middles.partition_point(|&middle| middle <= place);
    match (after.checked_sub(1), middles.get(after)) {
        (Some(before), Some(next)) => (before, after, (place - middles[before]) / (next - middles[before])),
        (Some(last), None) => (last, last, 0.),
        (None, _) => (0, 0, 0.),
    }
}

/// The number at a place between rows and columns.
fn between(
    heat: &HeatMap,
    (top, bottom, down): (usize, usize, f32),
    (left, right, across): (usize, usize, f32),
) -> f32 {
    let at = |row: usize, column: usize| heat.values[row * heat.width + column];
    let upper = at(top, left) * (1. - across) + at(top, right) * across;
    let lower = at(bottom, left) * (1. - across) + at(bottom, right) * across;
    (upper * (1. - down) + lower * down).clamp(0., 1.)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heat(values: [f32; 4]) -> HeatMap {
        HeatMap { layer: String::new(), class: 0, height: 2, width: 2, values: values.to_vec() }
    }

    #[test]
    fn heat_is_where_it_was_found() {
        let picture = RgbImage::from_pixel(224, 224, Rgb([100; 3]));
        let hot = heat_overlay(&picture, &heat([0., 0., 0., 1.]));
        assert_eq!(hot.dimensions(), (224, 224));
        assert_eq!(hot.get_pixel(10, 10).0, [100; 3]);
        // TURBO ends in dark red.
        let [red, green, blue] = hot.get_pixel(210, 210).0;
        assert!(red > green && red > blue && hot.get_pixel(210, 210) != hot.get_pixel(210, 10));
    }

    #[test]
    fn small_pictures_are_enlarged_and_losses_are_scaled() {
        let picture = RgbImage::from_pixel(28, 28, Rgb([0; 3]));
        let occluder = Occluder { side: 14, stride: 14 };
        let hot = occlusion_overlay(&picture, &heat([0.02, -0.5, 0., 0.01]), occluder);
        assert_eq!(hot.dimensions(), (224, 224));
        assert_eq!(hot.get_pixel(200, 20).0, [0; 3]);
        let sum = |x, y| hot.get_pixel(x, y).0.iter().map(|&value| u32::from(value)).sum::<u32>();
        assert!(sum(20, 20) > 0 && sum(200, 200) > 0);
    }
}
