//! Pictures as other programs find them.

use image::RgbImage;
use kiln_report::{Matrix, Mistake, RgbPicture, png};

fn decoded(bytes: &[u8]) -> RgbImage {
    image::load_from_memory(bytes).unwrap().to_rgb8()
}

fn matrix(classes: usize, name: &str) -> Matrix {
    let counts = (0..classes * classes).map(|place| if place % (classes + 1) == 0 { 90 } else { 0 });
    Matrix { classes: (0..classes).map(|_| name.to_owned()).collect(), counts: counts.collect() }
}

/// How many pixels are more blue than red.
fn blue(picture: &RgbImage) -> usize {
    picture.pixels().filter(|pixel| pixel.0[2] > pixel.0[0].saturating_add(80)).count()
}

#[test]
fn the_confusion_matrix_is_blue_where_classes_agree() {
    let all = decoded(&png::confusion(&matrix(10, "class")));
    let mut half = matrix(10, "class");
    (0..5).for_each(|class| half.counts[class * 11] = 0);
    let half = decoded(&png::confusion(&half));
    assert_eq!(all.dimensions(), half.dimensions());
    assert!(blue(&half) * 2 == blue(&all) && blue(&half) > 1000, "{} and {}", blue(&half), blue(&all));
}

#[test]
fn any_number_of_classes_with_any_names_fits_a_picture() {
    for (classes, name) in
        [(1, ""), (2, "猫\u{7}\u{10ffff}"), (30, "a name that is longer than others"), (31, "x"), (1000, "y")]
    {
        let picture = decoded(&png::confusion(&matrix(classes, name)));
        let side = picture.width();
        assert!(side == picture.height() && (64..2200).contains(&side), "{classes} classes: {side}");
    }
}

#[test]
fn a_contact_sheet_shows_every_mistake() {
    let mistake = |shade: u8, [height, width]: [usize; 2]| Mistake {
        picture: RgbPicture::of_planes([3, height, width], &vec![shade; 3 * height * width]),
        source: String::new(),
        truth: "おはよう".to_owned(),
        predicted: "<a name that is longer than others>".to_owned(),
        confidence: 0.987,
    };
    let sizes = [[28, 28], [1, 1], [3000, 10], [10, 3000], [97, 500]];
    let mistakes: Vec<_> = (0u8..5).zip(sizes).map(|(place, size)| mistake(100 + 20 * place, size)).collect();
    let sheet = decoded(&png::contact_sheet(&mistakes));
    for shade in [100, 120, 140, 160, 180] {
        assert!(sheet.pixels().any(|pixel| pixel.0 == [shade; 3]), "no picture of shade {shade}");
    }
    let none = Mistake { picture: None, ..mistake(0, [1, 1]) };
    assert!(decoded(&png::contact_sheet(&[none])).pixels().any(|pixel| pixel.0 != [255; 3]), "words without a picture");
    assert!(decoded(&png::contact_sheet(&[])).width() > 0);
}

#[test]
fn planes_become_pixels() {
    let picture = RgbPicture::of_planes([3, 1, 2], &[1, 2, 3, 4, 5, 6]).unwrap();
    assert_eq!((picture.width, picture.height, picture.pixels), (2, 1, vec![1, 3, 5, 2, 4, 6]));
    let grey = RgbPicture::of_planes([1, 2, 1], &[7, 8]).unwrap();
    assert_eq!(grey.pixels, [7, 7, 7, 8, 8, 8]);
    let large = RgbPicture::of_planes([1, 1000, 641], &vec![9; 641_000]).unwrap();
    assert!(large.width <= 320 && large.height <= 320 && large.height > large.width, "{}", large.height);
    assert!(RgbPicture::of_planes([3, 2, 2], &[0; 11]).is_none());
    assert!(RgbPicture::of_planes([2, 1, 1], &[0; 2]).is_none() && RgbPicture::of_planes([1, 0, 5], &[]).is_none());
}
