use kiln_data::augment::{
    Affine, Elastic, Operation, adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation, adjust_sharpness,
    affine, crop_padded, flip_horizontal, flip_vertical, resized_crop,
};
use kiln_data::picture::{Picture, Rect};
use kiln_data::preprocess::Filter;

/// One result of torchvision.
struct Case {
    input: Picture,
    parameters: Vec<f64>,
    expected: Picture,
}

/// The golden file; its form is told in `augment.py`.
struct Reader(&'static [u8]);

impl Reader {
    fn take(&mut self, length: usize) -> &'static [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> usize {
        usize::from(self.take(1)[0])
    }

    fn picture(&mut self) -> Picture {
        let (channels, height, width) = (self.byte(), self.byte(), self.byte());
        Picture { channels, height, width, pixels: self.take(channels * height * width).to_vec() }
    }
}

/// All cases of one name, of which there must be `count` for the test to mean anything.
fn cases(name: &str, count: usize) -> Vec<Case> {
    let mut reader = Reader(include_bytes!("../golden/augment.bin"));
    let pictures: Vec<Picture> = (0..reader.byte()).map(|_| reader.picture()).collect();
    let mut cases = Vec::new();
    while !reader.0.is_empty() {
        let length = reader.byte();
        let found = reader.take(length);
        let (picture, parameters) = (reader.byte(), reader.byte());
        let input = pictures[picture].clone();
        let parameters =
            (0..parameters).map(|_| f64::from_le_bytes(reader.take(8).try_into().unwrap())).collect::<Vec<_>>();
        let case = Case { input, parameters, expected: reader.picture() };
        if found == name.as_bytes() {
            cases.push(case);
        }
    }
    assert_eq!(cases.len(), count, "cases of {name}");
    cases
}

/// Runs a function on all cases of one name and checks that no byte is further off than `tolerance`.
fn check(name: &str, count: usize, tolerance: u8, function: impl Fn(&Picture, &[f64]) -> Picture) {
    let (mut total, mut different, mut largest) = (0, 0, 0);
    for Case { input, parameters, expected } in cases(name, count) {
        let output = function(&input, &parameters);
        assert!(output.is_consistent());
        assert_eq!((output.height, output.width), (expected.height, expected.width), "{name} {parameters:?}");
        assert_eq!(output.channels, expected.channels);
        let differences = output.pixels.iter().zip(&expected.pixels).map(|(a, b)| a.abs_diff(*b));
        let worst = differences.clone().max().unwrap_or(0);
        assert!(worst <= tolerance, "{name} {parameters:?}, {} channels: {worst} levels off", input.channels);
        total += expected.pixels.len();
        different += differences.filter(|&difference| difference > 0).count();
        largest = largest.max(worst);
    }
    println!("{name}: {different} of {total} bytes differ, by {largest} at most");
}

/// A function that changes its picture in place, as one that returns it.
fn changed(picture: &Picture, function: impl Fn(&mut Picture)) -> Picture {
    let mut picture = picture.clone();
    function(&mut picture);
    picture
}

#[test]
fn flips_and_crops_are_torchvisions() {
    check("flip_horizontal", 2, 0, |picture, _| changed(picture, flip_horizontal));
    check("flip_vertical", 2, 0, |picture, _| changed(picture, flip_vertical));
    check("crop_padded", 8, 0, |picture, numbers| {
        let [padding, top, left, fill] = [0, 1, 2, 3].map(|at| numbers[at] as usize);
        crop_padded(picture, padding, top, left, fill as u8)
    });
}

#[test]
fn affine_maps_are_torchvisions() {
    check("affine", 40, 1, |picture, numbers| {
        let &[angle, x, y, scale, shear_x, shear_y, fill] = numbers else { panic!("{numbers:?}") };
        let map = Affine { angle, translate: (x, y), scale, shear: (shear_x, shear_y) };
        affine(picture, &map, fill as u8)
    });
}

#[test]
fn resized_crops_are_pillows() {
    let crop = |picture: &Picture, numbers: &[f64]| {
        let [top, left, height, width, rows, columns] = std::array::from_fn(|at| numbers[at] as usize);
        resized_crop(picture, Rect { top, left, height, width }, rows, columns, Filter::Bilinear)
    };
    check("resized_crop", 30, 0, crop);
    check("resized_crop_vertical_first", 10, 1, crop);
}

/// An adjustment by a factor.
type Adjustment = fn(&mut Picture, f64);

#[test]
fn colours_are_torchvisions() {
    let adjustments: [(&str, u8, Adjustment); 5] = [
        ("brightness", 0, adjust_brightness),
        ("contrast", 1, adjust_contrast),
        ("saturation", 1, adjust_saturation),
        ("sharpness", 1, adjust_sharpness),
        ("hue", 1, adjust_hue),
    ];
    for (name, tolerance, adjust) in adjustments {
        check(name, 10, tolerance, |picture, numbers| changed(picture, |picture| adjust(picture, numbers[0])));
    }
}

#[test]
fn elastic_deformations_are_torchvisions() {
    check("elastic", 8, 1, |picture, numbers| {
        let count = 2 * picture.height * picture.width;
        let noise = (0..count).map(|at| (at * 7919 % 1009) as f32 / 504.0 - 1.0).collect();
        Elastic { alpha: numbers[0], sigma: numbers[1] }.deform(picture, noise, numbers[2] as u8)
    });
}

#[test]
fn operations_of_rand_augment_are_torchvisions() {
    check("rand_augment", 108, 1, |picture, numbers| {
        let operation = Operation::ALL[numbers[0] as usize];
        changed(picture, |picture| operation.apply(picture, numbers[1] as usize, numbers[2] < 0.0, numbers[3] as u8))
    });
}
