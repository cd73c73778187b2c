//! A picture is three grids of numbers: how red, how green and how blue each pixel is, from 0 to 255.
//!
//! Files keep the three numbers of a pixel together, `[H, W, 3]`. A network wants them apart, one grid a channel:
//! `[3, H, W]`, and a batch of one is `[1, 3, H, W]`. A grey picture has one channel, `[1, H, W]`.
//! Numbers become fractions (255 is 1.0) before they enter a network.

use std::process::ExitCode;

use burn::tensor::Tensor;
use kiln_backend::{Backend, Program};

mod drawing;
use drawing::{Grid, Sheet, terminal};

/// A house on a meadow: one letter a pixel.
const SAMPLE: [&str; 6] = ["sssyys", "ssryys", "srrrss", "ggwwws", "ggwdwg", "gggdgg"];

/// Draws the page.
pub struct Page {
    /// Whether to draw with terminal colours.
    pub colour: bool,
}

impl Program for Page {
    type Output = String;

    fn run<B: Backend>(self, device: B::Device) -> String {
        let mut sheet = Sheet::new(self.colour);
        sheet.title("A picture of 6 x 6 pixels");
        draw_pixels(&mut sheet);
        three_grids::<B>(&mut sheet, &device);
        sheet.finish()
    }
}

/// Red, green and blue of a letter.
fn colour_of(letter: char) -> [u8; 3] {
    match letter {
        's' => [110, 180, 240],
        'y' => [255, 220, 60],
        'r' => [200, 50, 40],
        'w' => [235, 225, 205],
        'd' => [120, 75, 40],
        _ => [70, 160, 60],
    }
}

/// Coloured blocks in a terminal, letters elsewhere.
fn draw_pixels(sheet: &mut Sheet) {
    for row in SAMPLE {
        let pixels: Vec<_> = row
            .chars()
            .map(|letter| {
                let [red, green, blue] = colour_of(letter);
                if sheet.colour() { format!("\x1b[48;2;{red};{green};{blue}m  \x1b[0m") } else { format!("{letter} ") }
            })
            .collect();
        sheet.say(format!("  {}", pixels.concat()));
    }
    if !sheet.colour() {
        sheet.say("s sky, y sun, r roof, w wall, d door, g grass");
    }
}

fn three_grids<B: Backend>(sheet: &mut Sheet, device: &B::Device) {
    // As in a file: red, green, blue of the first pixel, then of the second ...
    let bytes: Vec<f32> = SAMPLE.join("").chars().flat_map(colour_of).map(f32::from).collect();
    let file = Tensor::<B, 1>::from_floats(bytes.as_slice(), device).reshape([6, 6, 3]);
    let picture = file.clone().permute([2, 0, 1]);
    let batch: Tensor<B, 4> = picture.clone().unsqueeze();

    sheet.title("Its three grids");
    sheet.row(&[Grid::of("red", &batch, [0, 0]), Grid::of("green", &batch, [0, 1]), Grid::of("blue", &batch, [0, 2])]);
    sheet.title("As a tensor");
    sheet.say(format!("pixel by pixel, as in a file   {:?}   [H, W, 3]", file.dims()));
    sheet.say(format!("channel by channel             {:?}   [3, H, W]", picture.dims()));
    sheet.say(format!("a batch of one picture      {:?}   [N, 3, H, W]", batch.dims()));
    let grey = picture.mean_dim(0);
    sheet.say(format!("grey, the channels' mean       {:?}   [1, H, W]", grey.dims()));
    sheet.say("What a network reads is 0 to 1; the red grid divided by 255:");
    sheet.row(&[Grid::of("red / 255", &(batch / 255.), [0, 0])]);
}

fn main() -> ExitCode {
    terminal::show(|colour| Page { colour })
}
