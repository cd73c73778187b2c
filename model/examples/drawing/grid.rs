//! One channel of a tensor as a grid of numbers.

use std::ops::Range;

use burn::tensor::{ElementConversion, Tensor};
use kiln_backend::Backend;

use super::number;

/// What stands left and right of a marked row: one visible character each.
const BRACKETS: [&str; 2] = ["[", "]"];
/// Bold black on yellow, and back.
const COLOURED: [&str; 2] = ["\x1b[1;30;43m ", " \x1b[0m"];

/// A captioned grid, or a sign between two grids.
#[derive(Clone)]
pub struct Grid {
    caption: String,
    cells: Vec<Vec<String>>,
    window: Option<Window>,
}

/// The part of a grid under the kernel.
#[derive(Clone, Copy)]
struct Window {
    top: usize,
    left: usize,
    height: usize,
    width: usize,
}

impl Window {
    /// The columns of `row` that it covers.
    fn columns(&self, row: usize) -> Range<usize> {
        let covered = (self.top..self.top + self.height).contains(&row);
        if covered { self.left..self.left + self.width } else { 0..0 }
    }
}

impl Grid {
    /// Plane `[n, c]` of `x` `[N, C, H, W]`; of a weight, channel `c` of filter `n`.
    pub fn of<B: Backend>(caption: impl Into<String>, x: &Tensor<B, 4>, [n, c]: [usize; 2]) -> Self {
        let [_, channels, height, width] = x.dims();
        let values = x.to_data().convert::<f32>().into_vec::<f32>().expect("just converted to f32");
        let plane = &values[(n * channels + c) * height * width..][..height * width];
        let cells = plane.chunks(width).map(|row| row.iter().copied().map(number).collect()).collect();
        Self { caption: caption.into(), cells, window: None }
    }

    /// One value of `x` as it stands in a grid.
    pub fn value<B: Backend>(x: &Tensor<B, 4>, [n, c, row, column]: [usize; 4]) -> String {
        let value = x.clone().slice([n..n + 1, c..c + 1, row..row + 1, column..column + 1]);
        number(value.into_scalar().elem())
    }

    /// A sign such as `*`, `+` or `=`.
    pub fn sign(sign: &str) -> Self {
        Self { caption: String::new(), cells: vec![vec![sign.to_owned()]], window: None }
    }

    /// Marks `[height, width]` cells from the one at `[top, left]`.
    pub fn window(mut self, [top, left]: [usize; 2], [height, width]: [usize; 2]) -> Self {
        self.window = Some(Window { top, left, height, width });
        self
    }

    /// The grid as lines of text.
    pub(super) fn block(&self, colour: bool) -> Block {
        if self.caption.is_empty() {
            let width = self.cells[0][0].chars().count();
            // Under the caption and the border, beside the second row of its neighbours.
            let lines = vec![String::new(), String::new(), String::new(), self.cells[0][0].clone()];
            return Block { lines: lines.into_iter().map(|line| format!("{line:<width$}")).collect(), width };
        }
        let cell = self.cells.iter().flatten().map(|cell| cell.chars().count()).max().unwrap_or(0);
        let columns = self.cells.first().map_or(0, Vec::len);
        let inside = columns * (cell + 1) + 1;
        let width = (inside + 2).max(self.caption.chars().count());
        let fill = " ".repeat(width - inside - 2);
        let mut lines = vec![format!("{:<width$}", self.caption), format!("┌{}┐{fill}", "─".repeat(inside))];
        for (row, cells) in self.cells.iter().enumerate() {
            let marked = self.window.map_or(0..0, |window| window.columns(row));
            lines.push(format!("│{}│{fill}", draw_row(cells, cell, marked, colour)));
        }
        lines.push(format!("└{}┘{fill}", "─".repeat(inside)));
        Block { lines, width }
    }
}

/// Cells of one row, `width` characters each; those in `marked` are coloured, or bracketed without colour.
fn draw_row(cells: &[String], width: usize, marked: Range<usize>, colour: bool) -> String {
    let [open, close] = if colour { COLOURED } else { BRACKETS };
    let mut line = String::new();
    for column in 0..=cells.len() {
        line.push_str(match column {
            _ if marked.is_empty() => " ",
            _ if column == marked.start => open,
            _ if column == marked.end => close,
            _ => " ",
        });
        if let Some(text) = cells.get(column) {
            line.push_str(&format!("{text:>width$}"));
        }
    }
    line
}

/// Lines of one visible width (escape sequences have none).
pub(super) struct Block {
    pub(super) lines: Vec<String>,
    width: usize,
}

impl Block {
    /// A line, or as many blanks.
    pub(super) fn line(&self, index: usize) -> String {
        self.lines.get(index).cloned().unwrap_or_else(|| " ".repeat(self.width))
    }
}
