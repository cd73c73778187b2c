//! Text for people: a block of rows for each image, best class first.
//!
//! ```text
//! 7.png  7   99.8 %  ███████████████████▉
//!        9    0.2 %
//! ```

use std::io::{self, Write};
use std::sync::Arc;

use anstyle::{AnsiColor, Style};

use super::{Record, Report};
use crate::columns::{fill, width};
use crate::{Classification, Named, printable};

/// Cells of a full bar.
const CELLS: usize = 20;

/// Longer paths push their row to the right instead of all the others'.
const WIDEST_PATH: usize = 48;

pub(super) struct Text<W> {
    out: W,
    /// Widths of the columns; the first one grows when a longer path comes.
    path_width: usize,
    name_width: usize,
    palette: Palette,
}

/// The styles of a terminal, or none.
#[derive(Default)]
struct Palette {
    best: Style,
    bar: Style,
    faint: Style,
    warning: Style,
}

impl Palette {
    fn coloured() -> Self {
        Self {
            best: Style::new().bold(),
            bar: AnsiColor::Green.on_default(),
            faint: Style::new().dimmed(),
            warning: AnsiColor::Yellow.on_default(),
        }
    }
}

impl<W: Write> Text<W> {
    pub(super) fn new(out: W, classes: &[Arc<str>], colour: bool) -> Self {
        let palette = if colour { Palette::coloured() } else { Palette::default() };
        Self { out, path_width: 0, name_width: classes.iter().map(|name| width(name)).max().unwrap_or(0), palette }
    }

    /// The rows of an image. Digits are rows of their own, below the number.
    fn answer(&mut self, answer: &Classification) -> io::Result<()> {
        let Self { out, path_width, name_width, palette: Palette { best, bar, faint, warning } } = self;
        let problem = match answer.problem() {
            Some("blank") => Some("blank: no ink found".to_owned()),
            Some("several") => Some(format!("{} digits found: use --digits", answer.preprocess.digits_found)),
            Some(_) => Some("rejected: less likely than --reject-below".to_owned()),
            None => None,
        };
        let digits = answer.digits.iter().filter(|digits| !digits.each.is_empty());
        let number = digits.clone().next().map(|digits| &digits.number);
        if let Some(number) = number {
            let path = printable(&answer.path);
            write!(out, "{path}{}  {best}{}{best:#}", fill(&path, *path_width), printable(number))?;
            if let Some(problem) = &problem {
                write!(out, "  {warning}{problem}{warning:#}")?;
            }
            writeln!(out)?;
        }
        let digits: Vec<&Named> = digits.flat_map(|digits| &digits.each).map(|digit| &digit.best).collect();
        let rows = if digits.is_empty() { answer.predictions.iter().collect() } else { digits };
        for (row, prediction) in rows.into_iter().enumerate() {
            let path = if row == 0 && number.is_none() { printable(&answer.path) } else { String::new() };
            let name = printable(&prediction.name);
            let percent = 100. * prediction.confidence;
            let style = if row == 0 { &*best } else { &*faint };
            let (after_path, after_name) = (fill(&path, *path_width), fill(&name, *name_width));
            write!(out, "{path}{after_path}  {style}{name}{after_name}  {percent:5.1} %{style:#}")?;
            let cells = cells(prediction.confidence);
            if !cells.is_empty() {
                write!(out, "  {bar}{cells}{bar:#}")?;
            }
            if let (0, None, Some(problem)) = (row, number, &problem) {
                write!(out, "  {warning}{problem}{warning:#}")?;
            }
            writeln!(out)?;
        }
        if let Some(logits) = &answer.logits {
            let logits: Vec<_> = logits.iter().map(|logit| format!("{logit:.4}")).collect();
            writeln!(out, "{:<path_width$}  logits  {}", "", logits.join("  "))?;
        }
        Ok(())
    }
}

impl<W: Write> Report for Text<W> {
    fn batch(&mut self, records: Vec<Record>) -> io::Result<()> {
        let widths = records.iter().flatten().map(|answer| width(&answer.path)).filter(|&width| width <= WIDEST_PATH);
        self.path_width = widths.fold(self.path_width, usize::max);
        records.iter().flatten().try_for_each(|answer| self.answer(answer))?;
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A bar of up to 20 cells, to an eighth of a cell.
fn cells(share: f64) -> String {
    // What is not a number becomes 0.
    let eighths = (share * (8 * CELLS) as f64).round() as usize;
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    "█".repeat(eighths / 8) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_exact_to_an_eighth_of_a_cell() {
        assert_eq!(cells(1.), "█".repeat(20));
        assert_eq!(cells(0.998), "█".repeat(20));
        assert_eq!(cells(0.994), "█".repeat(19) + "▉");
        assert_eq!(cells(0.5), "█".repeat(10));
        assert_eq!(cells(1. / 160.), "▏");
        assert_eq!(cells(0.001), "");
        assert_eq!(cells(f64::NAN), "");
    }
}
