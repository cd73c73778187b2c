//! Putting channels together and taking them apart.

use kiln_kernels::{concat, split};

/// Numbers of one part: image, part and place can be read from each.
fn part(images: usize, part: usize, row: usize) -> Vec<f32> {
    let number = |image: usize, place: usize| (image * 10 + part) as f32 + place as f32 / 131_072.;
    (0..images).flat_map(|image| (0..row).map(move |place| number(image, place))).collect()
}

#[test]
fn parts_lie_one_after_the_other_in_each_image_and_come_apart_again() {
    // Rows longer than a piece of work, as long, and shorter, and none at all.
    let rows = [[1, 2, 3], [0, 5, 0], [100_000, 7, 40_000], [32_768, 32_768, 1], [3, 90_000, 32_767], [0, 0, 0]];
    for (images, rows) in [1, 2, 5].into_iter().flat_map(|images| rows.map(|rows| (images, rows))) {
        let parts: Vec<Vec<f32>> = rows.iter().enumerate().map(|(index, &row)| part(images, index, row)).collect();
        let slices: Vec<&[f32]> = parts.iter().map(Vec::as_slice).collect();
        let image = |image: usize| {
            let of = move |(part, &row): (&Vec<f32>, &usize)| part[image * row..][..row].to_vec();
            parts.iter().zip(&rows).flat_map(of)
        };
        let expected: Vec<f32> = (0..images).flat_map(image).collect();
        let together = concat(images, &slices);
        assert!(together == expected, "{images} images of {rows:?}");
        assert!(split(images, &together, &rows) == parts, "{images} images of {rows:?}, apart");
    }
}
