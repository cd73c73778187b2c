//! Images that the network got wrong, two pixels in each character.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::area::{lines, placeholder};
use super::text;
use crate::ui::dashboard::Misread;
use crate::ui::dashboard::state::State;

/// Images are scaled down until this many fit, but no digit is legible in fewer pixels across.
const WANTED: usize = 6;
const LEGIBLE: usize = 10;
/// Columns between two images, and the narrowest that holds a caption like "4→9 87%".
const GAP: usize = 1;
const CAPTION: usize = 8;

/// Draws as many images as fit, each with what it is, what it was taken for, and how surely.
pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State) {
    let Some(first) = state.misread.first() else {
        return placeholder(frame, area, "after the first validation");
    };
    let grid = Grid::of(first, state.misread.len(), area);
    if grid.rows == 0 {
        return placeholder(frame, area, "no room");
    }
    for (i, image) in state.misread.iter().take(grid.columns * grid.rows).enumerate() {
        let (row, column) = (i / grid.columns, i % grid.columns);
        let x = area.x + (column * (grid.width + GAP)) as u16;
        let y = area.y + (row * grid.height) as u16;
        let tile = Rect { x, y, width: grid.width as u16, height: grid.height as u16 }.intersection(area);
        let mut content = half_blocks(image, grid.scale, grid.width, grid.height.saturating_sub(1));
        content.push(caption(image, state, grid.width));
        lines(frame, tile, content);
    }
}

/// How images are laid out; they are all shown at the size of the first.
#[derive(Debug, PartialEq)]
struct Grid {
    /// Pixels, in each direction, that make one.
    scale: usize,
    /// Columns and rows of characters of a tile, caption included.
    width: usize,
    height: usize,
    columns: usize,
    rows: usize,
}

impl Grid {
    /// The largest size at which `count` images fit into `area`, or six where they are more; else the most that fit.
    fn of(image: &Misread, count: usize, area: Rect) -> Self {
        let at = |scale: usize| {
            let width = image.width.div_ceil(scale).max(CAPTION);
            let height = image.height.div_ceil(scale).div_ceil(2) + 1;
            let columns = (usize::from(area.width) + GAP) / (width + GAP);
            let rows = usize::from(area.height) / height;
            Grid { scale, width, height, columns: columns.max(1), rows }
        };
        let wanted = count.min(WANTED);
        let shown = |grid: &Grid| (grid.columns * grid.rows).min(wanted);
        // The first of the best scales: `max_by_key` keeps the last of equals.
        let scales = 1..=(image.width.max(image.height) / LEGIBLE).max(1);
        scales.rev().map(at).max_by_key(shown).unwrap_or_else(|| at(1))
    }
}

fn half_blocks<'a>(image: &Misread, scale: usize, width: usize, rows: usize) -> Vec<Line<'a>> {
    let columns = image.width.div_ceil(scale).min(width);
    let margin = " ".repeat((width - columns) / 2);
    let line = |row: usize| {
        let pixel = |column| {
            let style =
                Style::new().fg(grey(image, scale, column, 2 * row)).bg(grey(image, scale, column, 2 * row + 1));
            Span::styled("▀", style)
        };
        Line::from_iter(std::iter::once(Span::raw(margin.clone())).chain((0..columns).map(pixel)))
    };
    (0..rows).map(line).collect()
}

/// The mean of a square of pixels as one of the 24 greys of the 256 colours; outside the image, the background.
fn grey(image: &Misread, scale: usize, column: usize, row: usize) -> Color {
    let xs = column * scale..((column + 1) * scale).min(image.width);
    let ys = row * scale..((row + 1) * scale).min(image.height);
    let pixels = ys.flat_map(|y| xs.clone().map(move |x| y * image.width + x));
    let (sum, count) = pixels
        .fold((0, 0), |(sum, count), i| (sum + usize::from(image.pixels.get(i).copied().unwrap_or(0)), count + 1));
    sum.checked_div(count).map_or(Color::Reset, |mean: usize| Color::Indexed(232 + (mean * 23 / 255) as u8))
}

fn caption<'a>(image: &Misread, state: &State, width: usize) -> Line<'a> {
    let percent = format!(" {:.0}%", f64::from(image.confidence) * 100.0);
    let room = width.saturating_sub(percent.len() + 1) / 2;
    let truth = Span::styled(text::clip(&state.class_name(image.truth), room), bold(Color::Green));
    let predicted = Span::styled(text::clip(&state.class_name(image.predicted), room), bold(Color::Red));
    Line::from(vec![truth, Span::raw("→"), predicted, Span::styled(percent, Style::new().fg(Color::Gray))]).centered()
}

fn bold(color: Color) -> Style {
    Style::new().fg(color).add_modifier(Modifier::BOLD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::dashboard::fixture;

    #[test]
    fn images_shrink_until_six_fit() {
        let image = fixture::misread(0);
        let grid = Grid::of(&image, 8, Rect::new(0, 0, 46, 17));
        assert_eq!((grid.scale, grid.columns, grid.rows), (2, 3, 2));
        let grid = Grid::of(&image, 1, Rect::new(0, 0, 46, 17));
        assert_eq!(grid.scale, 1, "a single image is shown whole");
        let photo = Misread { width: 224, height: 224, ..Misread::default() };
        let grid = Grid::of(&photo, 8, Rect::new(0, 0, 44, 17));
        assert!(grid.columns * grid.rows >= 6, "a photo shrinks further: {grid:?}");
    }

    #[test]
    fn greys_follow_the_ink() {
        let image = Misread { width: 2, height: 2, pixels: vec![0, 255, 255, 255], ..Misread::default() };
        assert_eq!(grey(&image, 1, 0, 0), Color::Indexed(232));
        assert_eq!(grey(&image, 1, 1, 0), Color::Indexed(255));
        assert_eq!(grey(&image, 2, 0, 0), Color::Indexed(249), "the mean of four");
        assert_eq!(grey(&image, 1, 0, 2), Color::Reset);
    }

    #[test]
    fn an_image_with_too_few_pixels_is_no_panic() {
        let image = Misread { width: 28, height: 28, pixels: vec![9; 3], ..Misread::default() };
        assert_eq!(half_blocks(&image, 1, 28, 14).len(), 14);
    }
}
