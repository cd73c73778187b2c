use kiln_data::augment::{
    Affine, ColourJitter, Draw, Elastic, Operation, RandAugment, RandomAffine, RandomErasing, RandomResizedCrop,
    adjust_contrast, adjust_hue, adjust_saturation, adjust_sharpness, affine, autocontrast, crop_padded, equalize,
    erase, flip_horizontal, flip_vertical, posterize, random_crop_padded, resized_crop, solarize,
};
use kiln_data::picture::{Picture, Rect};
use kiln_data::preprocess::Filter;

/// A picture whose pixels all differ from their neighbours.
fn pattern(channels: usize, height: usize, width: usize) -> Picture {
    let pixels = (0..channels * height * width).map(|at| (at * 101 % 251) as u8).collect();
    Picture { channels, height, width, pixels }
}

/// A random operation with fixed settings.
type Change = fn(&mut Picture, &mut Draw);

/// Every random operation by name, and the checksum of one result, written down from a first run: a checksum that
/// changes breaks every interrupted training.
const CHANGES: &[(&str, Change, u64)] = &[
    ("affine", |picture, draw| *picture = AFFINE.apply(picture, 0, draw), 0x037eea3fbd928f49),
    ("padded crop", |picture, draw| *picture = random_crop_padded(picture, 4, 0, draw), 0xcb5b79ae60d66be5),
    ("resized crop", resize, 0xc7006e3c4e2029b3),
    ("erasing", |picture, draw| ERASING.apply(picture, [1, 2, 3], draw), 0xc154bb10a9338b99),
    ("colour jitter", |picture, draw| JITTER.apply(picture, draw), 0xa301b26cac2fbb2c),
    (
        "elastic",
        |picture, draw| *picture = Elastic { alpha: 34.0, sigma: 4.0 }.apply(picture, 0, draw),
        0x4f3ff3e81430accd,
    ),
    (
        "RandAugment",
        |picture, draw| RandAugment { operations: 3, magnitude: 20 }.apply(picture, 0, draw),
        0x7cb84ccd84fd21be,
    ),
];

fn resize(picture: &mut Picture, draw: &mut Draw) {
    let (height, width) = (picture.height, picture.width);
    *picture = RandomResizedCrop::default().apply(picture, height, width, Filter::Bilinear, draw);
}

const JITTER: ColourJitter = ColourJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 };

const AFFINE: RandomAffine =
    RandomAffine { degrees: 15.0, translate: (0.1, 0.1), scale: (0.9, 1.1), shear: (5.0, 5.0) };

const ERASING: RandomErasing = RandomErasing { probability: 1.0, scale: (0.02, 0.33), ratio: (0.3, 3.3) };

fn run(change: Change, picture: &Picture, draw: &mut Draw) -> Picture {
    let mut picture = picture.clone();
    change(&mut picture, draw);
    picture
}

/// FNV-1a.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn a_result_depends_on_seed_epoch_and_index() {
    for &(name, change, _) in CHANGES {
        let picture = pattern(3, 24, 20);
        let results = |seed, epoch| -> Vec<Picture> {
            (0..8).map(|index| run(change, &picture, &mut Draw::new(seed, epoch, index))).collect()
        };
        let first = results(1, 1);
        assert_eq!(first, results(1, 1), "{name}");
        assert_ne!(first, results(1, 2), "{name}: epochs differ");
        assert_ne!(first, results(2, 1), "{name}: seeds differ");
        assert!(first.iter().any(|result| *result != first[0]), "{name}: pictures differ");
    }
}

#[test]
fn results_are_fixed() {
    let found: Vec<_> = CHANGES
        .iter()
        .map(|&(name, change, _)| (name, checksum(&run(change, &pattern(3, 24, 20), &mut Draw::new(1, 2, 3)).pixels)))
        .collect();
    let expected: Vec<_> = CHANGES.iter().map(|&(name, _, checksum)| (name, checksum)).collect();
    assert_eq!(found, expected);
}

#[test]
fn pictures_of_any_shape_are_taken() {
    for (channels, height, width) in [(1, 1, 1), (3, 1, 1), (1, 1, 9), (3, 7, 1), (1, 2, 2), (3, 2, 3), (3, 40, 5)] {
        let picture = pattern(channels, height, width);
        let check = |name: &str, result: Picture| {
            assert!(result.is_consistent(), "{name} of {channels} x {height} x {width}");
            assert_eq!((result.channels, result.height, result.width), (channels, height, width), "{name}");
        };
        for &(name, change, _) in CHANGES {
            for index in 0..50 {
                check(name, run(change, &picture, &mut Draw::new(0, 0, index)));
            }
        }
        for operation in Operation::ALL {
            for magnitude in [0, 9, 30, usize::MAX] {
                for reverse in [false, true] {
                    let mut changed = picture.clone();
                    operation.apply(&mut changed, magnitude, reverse, 0);
                    check(&format!("{operation:?}"), changed);
                }
            }
        }
    }
}

#[test]
fn two_flips_undo_each_other() {
    for picture in [pattern(3, 5, 4), pattern(1, 4, 7), pattern(1, 1, 1)] {
        for flip in [flip_horizontal, flip_vertical] {
            let mut flipped = picture.clone();
            flip(&mut flipped);
            assert!(picture.pixels.len() == 1 || flipped != picture);
            flip(&mut flipped);
            assert_eq!(flipped, picture);
        }
    }
}

#[test]
fn the_identity_changes_nothing_and_a_degenerate_map_leaves_the_fill_colour() {
    for (height, width) in [(1, 1), (28, 28), (13, 40), (224, 301)] {
        let picture = pattern(3, height, width);
        assert_eq!(affine(&picture, &Affine::IDENTITY, 77), picture);
        assert_eq!(crop_padded(&picture, 3, 3, 3, 77), picture);
        for map in [
            Affine { scale: 0.0, ..Affine::IDENTITY },
            Affine { angle: f64::NAN, ..Affine::IDENTITY },
            Affine { translate: (f64::INFINITY, 0.0), ..Affine::IDENTITY },
            Affine { translate: (1e30, 0.0), ..Affine::IDENTITY },
        ] {
            assert!(affine(&picture, &map, 77).pixels.iter().all(|&pixel| pixel == 77), "{map:?}");
        }
    }
}

#[test]
fn drawn_affine_maps_stay_in_their_ranges() {
    let mut draw = Draw::new(5, 0, 0);
    let maps: Vec<Affine> = (0..2000).map(|_| AFFINE.draw(28, 50, &mut draw)).collect();
    let range = |number: fn(&Affine) -> f64| {
        let numbers = maps.iter().map(number);
        (numbers.clone().fold(f64::MAX, f64::min).round(), numbers.fold(f64::MIN, f64::max).round())
    };
    assert_eq!(range(|map| map.angle), (-15.0, 15.0));
    assert_eq!(range(|map| map.translate.0), (-5.0, 5.0));
    assert_eq!(range(|map| map.translate.1), (-3.0, 3.0));
    assert_eq!(range(|map| map.scale * 100.0), (90.0, 110.0));
    assert_eq!(range(|map| map.shear.0), (-5.0, 5.0));
    assert!(maps.iter().all(|map| map.translate.0.fract() == 0.0), "whole pixels");
}

#[test]
fn padded_crops_reach_every_place() {
    let picture = pattern(1, 6, 6);
    let mut draw = Draw::new(3, 0, 0);
    let mut crops: Vec<Vec<u8>> = (0..2000).map(|_| random_crop_padded(&picture, 2, 0, &mut draw).pixels).collect();
    crops.sort();
    crops.dedup();
    assert_eq!(crops.len(), 25);
    let beyond = crop_padded(&picture, 2, usize::MAX, 4, 0);
    assert_eq!(beyond, crop_padded(&picture, 2, 4, 4, 0));
    assert!(crop_padded(&picture, usize::MAX, 0, 0, 9).pixels.iter().all(|&pixel| pixel == 9));
}

#[test]
fn erasing_paints_one_rectangle_with_each_channels_byte() {
    let mut picture = pattern(3, 4, 5);
    let region = Rect { top: 1, left: 3, height: 2, width: 9 };
    erase(&mut picture, region, [7, 8, 9]);
    let expected: Vec<u8> = (0..3 * 4 * 5)
        .map(|at| {
            let (channel, row, column) = (at / 20, at / 5 % 4, at % 5);
            let painted = (1..3).contains(&row) && column >= 3;
            if painted { [7, 8, 9][channel] } else { (at * 101 % 251) as u8 }
        })
        .collect();
    assert_eq!(picture.pixels, expected);
}

#[test]
fn erasing_keeps_its_probability_area_and_ratio() {
    let half = RandomErasing::default();
    let erased = (0..4000).filter(|&index| half.draw(32, 32, &mut Draw::new(0, 0, index)).is_some()).count();
    assert!((1900..2100).contains(&erased), "{erased}");
    let never = RandomErasing { probability: 0.0, ..half };
    for index in 0..1000 {
        assert_eq!(never.draw(32, 32, &mut Draw::new(0, 0, index)), None);
        let region = ERASING.draw(100, 200, &mut Draw::new(0, 0, index)).expect("a try fits");
        assert!(region.top + region.height <= 100 && region.left + region.width <= 200);
        let share = (region.height * region.width) as f64 / 20_000.0;
        let ratio = region.height as f64 / region.width as f64;
        assert!((0.018..0.34).contains(&share), "{share}");
        assert!((0.27..3.6).contains(&ratio), "{ratio}");
    }
}

#[test]
fn resized_crops_keep_their_area_and_ratio() {
    let crop = RandomResizedCrop::default();
    for index in 0..1000 {
        let region = crop.draw(200, 250, &mut Draw::new(0, 0, index));
        assert!(region.top + region.height <= 200 && region.left + region.width <= 250);
        let share = (region.height * region.width) as f64 / 50_000.0;
        let ratio = region.width as f64 / region.height as f64;
        assert!((0.078..=1.0).contains(&share), "{share}");
        assert!((0.73..1.37).contains(&ratio), "{ratio}");
    }
}

#[test]
fn a_picture_that_no_crop_fits_gives_its_middle() {
    let whole = RandomResizedCrop { scale: (1.0, 1.0), ..RandomResizedCrop::default() };
    let mut draw = Draw::new(0, 0, 0);
    assert_eq!(whole.draw(100, 20, &mut draw), Rect { top: 36, left: 0, height: 27, width: 20 });
    assert_eq!(whole.draw(30, 100, &mut draw), Rect { top: 0, left: 30, height: 30, width: 40 });
    let impossible = RandomResizedCrop { scale: (4.0, 5.0), ..whole };
    assert_eq!(impossible.draw(50, 60, &mut draw), Rect { top: 0, left: 0, height: 50, width: 60 });
}

#[test]
fn a_crop_that_sticks_out_is_cut_off() {
    let picture = pattern(3, 6, 8);
    let region = Rect { top: 4, left: 5, height: 99, width: 99 };
    let beyond = resized_crop(&picture, region, 2, 3, Filter::Bilinear);
    let expected: Vec<u8> =
        (0..3).flat_map(|channel| [37, 38, 39, 45, 46, 47].map(|at| picture.plane(channel)[at])).collect();
    assert_eq!(beyond.pixels, expected);
    for region in [Rect { top: 9, left: 9, height: 0, width: 0 }, Rect { top: 5, left: 7, height: 1, width: 1 }] {
        let corner = resized_crop(&picture, region, 1, 1, Filter::Bilinear);
        assert_eq!(corner.pixels, [0, 1, 2].map(|channel| picture.plane(channel)[47]));
    }
}

#[test]
fn strength_0_of_colour_and_elastic_changes_nothing() {
    let picture = pattern(3, 24, 20);
    for index in 0..20 {
        assert_eq!(
            run(|picture, draw| ColourJitter::default().apply(picture, draw), &picture, &mut Draw::new(0, 0, index)),
            picture
        );
        let still = Elastic { alpha: 0.0, sigma: 4.0 };
        assert_eq!(still.apply(&picture, 9, &mut Draw::new(0, 0, index)), picture);
    }
}

#[test]
fn saturation_and_hue_leave_grey_as_it_is() {
    let grey = pattern(1, 9, 9);
    let grey_in_colour = grey.to_rgb().into_owned();
    for picture in [grey, grey_in_colour] {
        let mut changed = picture.clone();
        adjust_hue(&mut changed, 0.3);
        assert_eq!(changed, picture);
        adjust_saturation(&mut changed, 0.0);
        // Grey of weights that add up to 0.9999, rounded down.
        assert!(changed.pixels.iter().zip(&picture.pixels).all(|(a, b)| b - a <= 1));
    }
}

#[test]
fn the_opposite_of_red_is_cyan_and_a_third_of_a_turn_makes_it_green() {
    let red = Picture::rgb(1, 1, vec![200, 50, 50]).expect("three bytes");
    for (turn, expected) in
        [(0.5, [50, 200, 200]), (-0.5, [50, 200, 200]), (1.0 / 3.0, [50, 200, 50]), (0.0, [200, 50, 50])]
    {
        let mut picture = red.clone();
        adjust_hue(&mut picture, turn);
        assert_eq!(picture.pixels, expected, "{turn}");
    }
}

#[test]
fn tones_are_mapped_as_their_names_say() {
    let picture = Picture::gray(1, 6, vec![0, 20, 100, 127, 128, 140]).expect("six bytes");
    type Tone = fn(&mut Picture);
    let table: [(&str, Tone, [u8; 6]); 7] = [
        ("posterize to 1 bit", |picture| posterize(picture, 1), [0, 0, 0, 0, 128, 128]),
        ("posterize to 0 bits", |picture| posterize(picture, 0), [0; 6]),
        ("posterize to 99 bits", |picture| posterize(picture, 99), [0, 20, 100, 127, 128, 140]),
        ("solarize", |picture| solarize(picture, 127.5), [0, 20, 100, 127, 127, 115]),
        // torchvision divides by the range times 1/255, which is not exact.
        ("autocontrast", autocontrast, [0, 36, 182, 231, 233, 254]),
        ("equalize too few", equalize, [0, 20, 100, 127, 128, 140]),
        ("contrast 0", |picture| adjust_contrast(picture, 0.0), [85; 6]),
    ];
    for (name, function, expected) in table {
        let mut changed = picture.clone();
        function(&mut changed);
        assert_eq!(changed.pixels, expected, "{name}");
    }
}

#[test]
fn equalizing_a_ramp_of_few_values_spreads_them() {
    let pixels = (0..1024).map(|at| 100 + (at % 4) as u8).collect();
    let mut picture = Picture::gray(32, 32, pixels).expect("1024 bytes");
    equalize(&mut picture);
    assert_eq!(picture.pixels[..4], [0, 85, 171, 255]);
}

#[test]
fn sharpening_raises_an_edge_and_smoothing_lowers_it() {
    let pixels = [[100, 100, 100, 200, 200, 200]; 5].concat();
    let row = |factor| {
        let mut picture = Picture::gray(5, 6, pixels.clone()).expect("30 bytes");
        adjust_sharpness(&mut picture, factor);
        picture.pixels[12..18].to_vec()
    };
    assert_eq!(row(1.0), pixels[..6]);
    assert_eq!(row(0.0), [100, 100, 123, 177, 200, 200]);
    assert_eq!(row(2.0), [100, 100, 77, 223, 200, 200]);
}

#[test]
fn rand_augment_draws_every_operation_in_both_directions() {
    let picture = pattern(3, 24, 20);
    let one = RandAugment { operations: 1, magnitude: 30 };
    let mut results: Vec<Vec<u8>> = (0..1000)
        .map(|index| {
            let mut picture = picture.clone();
            one.apply(&mut picture, 0, &mut Draw::new(0, 0, index));
            picture.pixels
        })
        .collect();
    results.sort();
    results.dedup();
    // Nine signed operations twice, five once.
    assert_eq!(results.len(), 23);
    let none = RandAugment { operations: 0, magnitude: 30 };
    let mut same = picture.clone();
    none.apply(&mut same, 0, &mut Draw::new(0, 0, 0));
    assert_eq!(same, picture);
}
