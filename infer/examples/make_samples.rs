//! Makes `assets/samples/*.png`: MNIST test digits as dark ink on light paper, as a scan or a photograph shows them.
//!
//! `cargo run -p infer --example make_samples`

use std::error::Error;
use std::path::Path;

use image::imageops::{FilterType, resize};
use image::{GrayImage, Rgb, RgbImage};
use kiln_data::dataset::idx;

/// A page: its size, where the digit stands, and the colours.
struct Page {
    /// Which test image: the first of its class; the second for 3 and 5, whose first ones are oddly drawn.
    image: usize,
    width: u32,
    height: u32,
    left: u32,
    top: u32,
    /// Side of the square that MNIST's 28 x 28 pixels cover.
    side: u32,
    paper: [u8; 3],
    ink: [u8; 3],
}

const PAGES: [Page; 10] = [
    page(3, [160, 160], [10, 10, 140], [255, 255, 255], [0, 0, 0]),
    page(2, [320, 240], [80, 30, 170], [250, 248, 240], [30, 30, 40]),
    page(1, [96, 128], [2, 20, 92], [235, 235, 235], [20, 20, 20]),
    page(30, [400, 400], [120, 60, 250], [252, 245, 225], [20, 40, 120]),
    page(4, [256, 192], [20, 10, 170], [245, 245, 250], [10, 10, 90]),
    page(15, [200, 300], [30, 110, 140], [255, 253, 230], [60, 20, 20]),
    page(11, [640, 480], [250, 150, 210], [228, 224, 214], [40, 40, 60]),
    page(0, [280, 280], [50, 40, 190], [255, 255, 255], [15, 15, 15]),
    page(61, [120, 120], [6, 6, 110], [240, 250, 240], [0, 70, 40]),
    page(7, [480, 360], [60, 20, 300], [248, 240, 244], [110, 20, 60]),
];

const fn page(image: usize, [width, height]: [u32; 2], at: [u32; 3], paper: [u8; 3], ink: [u8; 3]) -> Page {
    let [left, top, side] = at;
    Page { image, width, height, left, top, side, paper, ink }
}

fn main() -> Result<(), Box<dyn Error>> {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets");
    let images = idx::read_images(&idx::find(&assets.join("mnist"), "t10k-images-idx3-ubyte")?)?;
    let labels = idx::read_labels(&idx::find(&assets.join("mnist"), "t10k-labels-idx1-ubyte")?)?;
    for (digit, page) in PAGES.iter().enumerate() {
        assert_eq!(usize::from(labels[page.image]), digit, "test image {}", page.image);
        let path = assets.join(format!("samples/{digit}.png"));
        draw(page, &images.pixels[page.image * 784..][..784])?.save(&path)?;
        println!("{}: test image {}, {} x {}", path.display(), page.image, page.width, page.height);
    }
    Ok(())
}

/// Blends from paper to ink by the enlarged digit's brightness.
fn draw(page: &Page, pixels: &[u8]) -> Result<RgbImage, Box<dyn Error>> {
    let digit = GrayImage::from_raw(28, 28, pixels.to_vec()).ok_or("784 bytes are 28 x 28 pixels")?;
    let digit = resize(&digit, page.side, page.side, FilterType::CatmullRom);
    Ok(RgbImage::from_fn(page.width, page.height, |x, y| {
        let (x, y) = (x.wrapping_sub(page.left), y.wrapping_sub(page.top));
        let strength = digit.get_pixel_checked(x, y).map_or(0, |pixel| u32::from(pixel.0[0]));
        let blend =
            |paper: u8, ink: u8| ((u32::from(paper) * (255 - strength) + u32::from(ink) * strength) / 255) as u8;
        Rgb(std::array::from_fn(|channel| blend(page.paper[channel], page.ink[channel])))
    }))
}
