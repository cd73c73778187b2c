//! Resizing against Pillow, cropping and normalising against torchvision, and the description as data.

use kiln_data::picture::Picture;
use kiln_data::preprocess::{Filter, Polarity, Preprocess, PreprocessError, Resize, ResizeMode};

use super::{drawn, largest_difference};

/// In the order of pillow.py.
const FILTERS: [Filter; 3] = [Filter::Bilinear, Filter::Bicubic, Filter::Nearest];

/// source.png as pillow.py saw it: the identity resize in resized.bin, which saves these tests a decoder.
fn source() -> Picture {
    let before: usize = SIZES[..5].iter().map(|(height, width)| 3 * height * width).sum();
    let pixels = include_bytes!("resized.bin")[before..][..3 * 37 * 53].to_vec();
    Picture::rgb(37, 53, pixels).unwrap()
}

const SIZES: [(usize, usize); 6] = [(14, 20), (11, 53), (61, 80), (90, 7), (1, 1), (37, 53)];

fn transposed(picture: &Picture) -> Picture {
    let (height, width) = (picture.width, picture.height);
    let pixel = |at: usize| {
        let (channel, row, column) = (at / (height * width), at / width % height, at % width);
        picture.plane(channel)[column * picture.width + row]
    };
    Picture::rgb(height, width, (0..3 * height * width).map(pixel).collect()).unwrap()
}

fn photo(height: usize, width: usize, mode: ResizeMode, filter: Filter, resize_to: Option<usize>) -> Preprocess {
    Preprocess {
        channels: 3,
        height,
        mean: vec![0.485, 0.456, 0.406],
        polarity: Polarity::AsIs,
        resize: Resize { filter, mode, resize_to },
        std: vec![0.229, 0.224, 0.225],
        width,
    }
}

#[cfg(feature = "images")]
#[test]
fn the_source_is_the_png() {
    assert_eq!(Picture::decode(include_bytes!("source.png")).unwrap(), source());
}

#[test]
fn resizing_gives_pillows_bytes() {
    let source = source();
    let mut golden = include_bytes!("resized.bin").as_slice();
    for filter in FILTERS {
        for (height, width) in SIZES {
            let (expected, rest) = golden.split_at(3 * height * width);
            let output = photo(height, width, ResizeMode::Squash, filter, None).pixels(&source).pixels;
            assert_eq!(largest_difference(&output, expected), 0, "{filter:?} to {height} x {width}");
            golden = rest;
        }
    }
    assert!(golden.is_empty());
}

#[test]
fn cropping_gives_torchvisions_bytes() {
    let pictures = [source(), transposed(&source())];
    let mut golden = include_bytes!("cropped.bin").as_slice();
    for filter in FILTERS {
        for (resize_to, height, width) in [(24, 20, 20), (25, 20, 22), (51, 41, 44), (26, 25, 25)] {
            for picture in &pictures {
                let preprocess = photo(height, width, ResizeMode::Crop, filter, Some(resize_to));
                preprocess.validate().unwrap();
                let (expected, rest) = golden.split_at(3 * height * width);
                let difference = largest_difference(&preprocess.pixels(picture).pixels, expected);
                assert_eq!(difference, 0, "{filter:?} {resize_to} {height} x {width}");
                golden = rest;
            }
        }
    }
    assert!(golden.is_empty());
}

#[test]
fn gray_is_pillows_mode_l() {
    let source = source();
    assert_eq!(source.to_gray().pixels, include_bytes!("gray.bin"));
    assert_eq!(source.to_gray().to_rgb().plane(2), include_bytes!("gray.bin"));
}

#[test]
fn normalising_gives_torchvisions_floats() {
    let golden: Vec<f32> =
        include_bytes!("normalised.bin").as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    let ramp: Vec<u8> = (0..=255).collect();
    let mnist = Preprocess { height: 16, width: 16, ..Preprocess::mnist() };
    let imagenet = photo(1, 256, ResizeMode::Squash, Filter::Bilinear, None);
    let mut output = vec![0.0; 4 * 256];
    mnist.normalise_into(&ramp, &mut output[..256]);
    imagenet.normalise_into(&ramp.repeat(3), &mut output[256..]);
    assert_eq!(output, golden);

    // A batch is its images one after the other.
    let mut batch = vec![0.0; 2 * 3 * 256];
    imagenet.normalise_into(&ramp.repeat(6), &mut batch);
    assert_eq!(batch[..768], batch[768..]);
    assert_eq!(batch[..768], output[256..]);
}

#[test]
fn a_picture_of_the_right_size_is_left_alone() {
    for mode in [ResizeMode::Crop, ResizeMode::Squash, ResizeMode::Pad] {
        let prepared = photo(37, 53, mode, Filter::Bicubic, None).pixels(&source());
        assert_eq!(prepared.pixels, source().pixels, "{mode:?}");
        assert!(!prepared.inverted);
    }
}

#[test]
fn padding_keeps_the_shape_and_fills_with_the_mean() {
    let white = Picture::rgb(10, 40, vec![255; 1200]).unwrap();
    let padded = photo(20, 20, ResizeMode::Pad, Filter::Bilinear, None).pixels(&white).pixels;
    // 40 x 10 becomes 20 x 5, from row 7; 0.485 * 255 = 124, 0.406 * 255 = 104.
    assert_eq!((padded[6 * 20], padded[7 * 20], padded[11 * 20 + 19], padded[12 * 20]), (124, 255, 255, 124));
    assert_eq!(padded[800], 104);

    let ink = Preprocess {
        resize: Resize { mode: ResizeMode::Pad, filter: Filter::Bilinear, resize_to: None },
        ..Preprocess::mnist()
    };
    let page = drawn(40, 20, |y, x| if (15..25).contains(&y) && (8..12).contains(&x) { 10 } else { 250 });
    let prepared = ink.pixels(&page);
    assert!(prepared.inverted);
    assert_eq!((prepared.pixels[0], prepared.pixels[10], prepared.pixels[14 * 28 + 14]), (0, 5, 245));
}

#[test]
fn cropping_an_extreme_shape_costs_only_the_crop() {
    // Resized whole, this would be 256 x 15 million pixels.
    let line = Picture::rgb(1, 60_000, vec![9; 180_000]).unwrap();
    for filter in FILTERS {
        let prepared = photo(224, 224, ResizeMode::Crop, filter, Some(256)).pixels(&line);
        assert!(prepared.pixels.iter().all(|&pixel| pixel == 9));
    }
}

#[test]
fn the_description_is_deterministic_json() {
    let json = serde_json::to_string(&Preprocess::mnist()).unwrap();
    assert_eq!(
        json,
        concat!(
            r#"{"channels":1,"height":28,"mean":[0.1307],"polarity":"auto","#,
            r#""resize":{"filter":"bilinear","mode":"digit"},"std":[0.3081],"width":28}"#
        )
    );
    assert_eq!(serde_json::from_str::<Preprocess>(&json).unwrap(), Preprocess::mnist());
    let crop = photo(224, 224, ResizeMode::Crop, Filter::Bicubic, Some(256));
    let text = serde_json::to_string(&crop).unwrap();
    assert!(text.contains(r#""resize":{"filter":"bicubic","mode":"crop","resize_to":256}"#), "{text}");
    assert!(text.contains(r#""polarity":"as-is""#), "{text}");
    assert_eq!(serde_json::from_str::<Preprocess>(&text).unwrap(), crop);
    assert!(serde_json::from_str::<Preprocess>(&json.replace("\"width\"", "\"breadth\"")).is_err());
}

#[test]
fn values_out_of_range_are_named() {
    use PreprocessError as E;
    let ok = || photo(224, 224, ResizeMode::Crop, Filter::Bilinear, Some(256));
    assert_eq!(ok().validate(), Ok(()));
    assert_eq!(Preprocess::mnist().validate(), Ok(()));
    let resize = |mode, resize_to| Resize { mode, filter: Filter::Bilinear, resize_to };
    let wrong = [
        (Preprocess { channels: 2, ..ok() }, E::Channels(2)),
        (Preprocess { height: 0, ..ok() }, E::Size { field: "height", value: 0 }),
        (Preprocess { width: 4097, ..ok() }, E::Size { field: "width", value: 4097 }),
        (Preprocess { mean: vec![], ..ok() }, E::Length { field: "mean", found: 0, channels: 3 }),
        (Preprocess { std: vec![1.0], ..ok() }, E::Length { field: "std", found: 1, channels: 3 }),
        (Preprocess { std: vec![1.0, 0.0, 1.0], ..ok() }, E::Value { field: "std", index: 1, value: 0.0 }),
        (
            Preprocess { mean: vec![0.0, 0.0, f32::INFINITY], ..ok() },
            E::Value { field: "mean", index: 2, value: f32::INFINITY },
        ),
        (Preprocess { resize: resize(ResizeMode::Pad, Some(256)), ..ok() }, E::ResizeToWithoutCrop),
        (
            Preprocess { resize: resize(ResizeMode::Crop, Some(200)), ..ok() },
            E::ResizeToTooSmall { resize_to: 200, crop: 224 },
        ),
    ];
    for (preprocess, error) in wrong {
        assert_eq!(preprocess.validate(), Err(error.clone()));
        assert!(!error.to_string().contains('\n'));
    }
    assert!(Preprocess { std: vec![f32::NAN], ..Preprocess::mnist() }.validate().is_err());
}

/// In the order of torchvision_golden.py: name, and by how many levels of 255 a decoder may differ.
#[cfg(feature = "images")]
const SAMPLES: [(&[u8], &str, f32); 12] = [
    (include_bytes!("source.png"), "odd sizes", 0.),
    (include_bytes!("wide.png"), "wide", 0.),
    (include_bytes!("gray.png"), "grey", 0.),
    (include_bytes!("gray16.png"), "16-bit grey", 0.),
    (include_bytes!("palette.png"), "palette", 0.),
    (include_bytes!("rgba.png"), "transparent", 0.),
    (include_bytes!("bilevel.png"), "1 bit", 0.),
    (include_bytes!("rgb.jpg"), "JPEG", 1.),
    (include_bytes!("gray.jpg"), "grey JPEG", 1.),
    (include_bytes!("cmyk.jpg"), "CMYK JPEG", 1.),
    (include_bytes!("progressive.jpg"), "progressive JPEG", 1.),
    (include_bytes!("orientation6.jpg"), "turned JPEG", 1.),
];

#[cfg(feature = "images")]
#[test]
fn sample_pictures_become_torchvisions_tensors() {
    let mut golden =
        include_bytes!("preprocessed.bin").as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
    for (bytes, name, levels) in SAMPLES {
        let picture = Picture::decode(bytes).unwrap();
        for (resize_to, side) in [(16, 14), (15, 14), (21, 18)] {
            let preprocess = Preprocess::imagenet(side, side, resize_to);
            let mut ours = vec![0.; 3 * side * side];
            preprocess.normalise_into(&preprocess.pixels(&picture).pixels, &mut ours);
            let theirs: Vec<_> = golden.by_ref().take(ours.len()).collect();
            let difference = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0., f32::max) * 0.225 * 255.;
            println!("{name}, {resize_to} -> {side}: {difference:.4} levels");
            assert!(difference <= levels + 0.02, "{name}, {resize_to} -> {side}: {difference} levels");
        }
    }
    assert_eq!(golden.next(), None);
}
