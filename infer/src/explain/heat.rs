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
    let step = [height as f32 / heat.height as f32, width as f32 / heat.width as f32];
    overlay(picture, heat, step.map(|step| step / 2.), step)
}

/// Occlusion's map: each number stands where the middle of the square was. The largest loss is strongest; where covering helps
/// the class, the picture stays as it is.
pub fn occlusion_overlay(picture: &RgbImage, heat: &HeatMap, occluder: Occluder) -> RgbImage {
    let largest = heat.values.iter().copied().fold(0f32, f32::max);
    let scale = if largest > 0. { 1. / largest } else { 0. };
    let values = heat.values.iter().map(|value| value.max(0.) * scale).collect();
    let middle = occluder.side as f32 / 2.;
    overlay(picture, &HeatMap { values, ..heat.clone() }, [middle; 2], [occluder.stride as f32; 2])
}

/// A small picture enlarged by a whole number, so that its pixels can be seen.
pub(super) fn enlarged(picture: &RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    let scale = LEAST_SIDE.div_ceil(width.min(height)).max(1);
    resize(picture, width * scale, height * scale, FilterType::Nearest)
}

/// The picture, enlarged, with heat of 0 to 1 whose first number stands at `origin` `[y, x]` and the others `step` apart, in
/// pixels of the picture.
fn overlay(picture: &RgbImage, heat: &HeatMap, origin: [f32; 2], step: [f32; 2]) -> RgbImage {
    let mut large = enlarged(picture);
    let scale = large.width() / picture.width();
    for (x, y, pixel) in large.enumerate_pixels_mut() {
        let place = |at: u32, side: usize| ((at as f32 + 0.5) / scale as f32 - origin[side]) / step[side];
        let strength = between(heat, place(y, 0), place(x, 1));
        let colour = TURBO.eval_continuous(f64::from(strength)).into_array();
        let share = STRONGEST * strength.sqrt();
        *pixel = Rgb(std::array::from_fn(|channel| {
            (f32::from(pixel.0[channel]) * (1. - share) + f32::from(colour[channel]) * share).round() as u8
        }));
    }
    large
}

/// The number at a place between rows and columns; beyond the edge that of the edge.
fn between(heat: &HeatMap, y: f32, x: f32) -> f32 {
    let (y, x) = (y.clamp(0., (heat.height - 1) as f32), x.clamp(0., (heat.width - 1) as f32));
    let (top, left) = (y.floor() as usize, x.floor() as usize);
    let (bottom, right) = ((top + 1).min(heat.height - 1), (left + 1).min(heat.width - 1));
    let (down, across) = (y - top as f32, x - left as f32);
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
