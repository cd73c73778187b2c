//! Concatenation along channels and its inverse.

use kiln_kernels::{concat, split};

/// The values of one part; each encodes its image, part and position.
fn part(images: usize, part: usize, row: usize) -> Vec<f32> {
    let number = |image: usize, position: usize| (image * 10 + part) as f32 + position as f32 / 131_072.;
    (0..images).flat_map(|image| (0..row).map(move |position| number(image, position))).collect()
}

#[test]
fn concat_joins_the_parts_of_each_image_and_split_undoes_it() {
    // Rows longer than a task, exactly as long, shorter, and empty.
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
