//! How a page is drawn: lines of text, grids of numbers side by side, tables.
//!
//! In a terminal a kernel's window is coloured; elsewhere it stands in brackets and the page is plain text.
#![allow(dead_code, reason = "each page draws with a part of this")]

mod grid;
pub mod terminal;

pub use grid::Grid;

use grid::Block;

/// The page in the making.
pub struct Sheet {
    text: String,
    colour: bool,
}

impl Sheet {
    /// An empty page, with terminal colours or without.
    pub fn new(colour: bool) -> Self {
        Self { text: String::new(), colour }
    }

    /// A heading, underlined.
    pub fn title(&mut self, title: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.say(title);
        self.say("─".repeat(title.chars().count()));
    }

    /// A line of text.
    pub fn say(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref().trim_end());
        self.text.push('\n');
    }

    /// Grids side by side, each under its caption, with signs such as `*` and `=` between them.
    pub fn row(&mut self, grids: &[Grid]) {
        let blocks: Vec<Block> = grids.iter().map(|grid| grid.block(self.colour)).collect();
        let height = blocks.iter().map(|block| block.lines.len()).max().unwrap_or(0);
        for line in 0..height {
            let parts: Vec<_> = blocks.iter().map(|block| block.line(line)).collect();
            self.say(parts.join("  "));
        }
    }

    /// A table; columns of numbers are aligned to the right.
    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        let is_number = |cell: &String| cell.replace(',', "").parse::<f64>().is_ok();
        let columns: Vec<(usize, bool)> = (0..head.len())
            .map(|column| {
                let width = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
                (width.max(head[column].chars().count()), rows.iter().all(|row| is_number(&row[column])))
            })
            .collect();
        let rule = |left: &str, middle: &str, right: &str| {
            let dashes: Vec<_> = columns.iter().map(|(width, _)| "─".repeat(width + 2)).collect();
            format!("{left}{}{right}", dashes.join(middle))
        };
        let line = |cells: Vec<&str>| {
            let padded: Vec<_> = cells
                .iter()
                .zip(&columns)
                .map(
                    |(cell, &(width, right))| if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") },
                )
                .collect();
            format!("│ {} │", padded.join(" │ "))
        };
        self.say(rule("┌", "┬", "┐"));
        self.say(line(head.to_vec()));
        self.say(rule("├", "┼", "┤"));
        for row in rows {
            self.say(line(row.iter().map(String::as_str).collect()));
        }
        self.say(rule("└", "┴", "┘"));
    }

    /// Whether escape sequences are welcome.
    pub fn colour(&self) -> bool {
        self.colour
    }

    /// The page's text.
    pub fn finish(self) -> String {
        self.text
    }
}

/// A value with at most three decimals; whole numbers have none.
pub fn number(value: f32) -> String {
    // Adding zero turns -0 into 0.
    format!("{}", (f64::from(value) * 1e3).round() / 1e3 + 0.)
}

/// A relative difference: 0, or something like 3e-7.
pub fn difference(value: f64) -> String {
    if value == 0. { "0".to_owned() } else { format!("{value:.0e}") }
}

/// A count with commas: 40,960.
pub fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
