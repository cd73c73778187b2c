//! The confusion matrix: numbers on coloured cells where they fit, else two rows of classes in each row of characters.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::area::{lines, placeholder, take_bottom};
use super::text;
use crate::ui::dashboard::state::{ConfusionCounts, State};

/// Greens for right answers and reds for wrong ones, from few to many, of the 256 colours that every terminal has.
const RIGHT: [u8; 3] = [22, 28, 34];
const WRONG: [u8; 6] = [52, 88, 124, 160, 196, 202];
/// The background of a cell that counts nothing.
const NOTHING: u8 = 234;
/// Columns that row labels may take.
const LABEL: usize = 11;
/// Width of " recall".
const RECALL: usize = 8;

/// Draws the latest matrix with its accuracy and the most confused pairs below.
pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State) {
    let Some(confusion) = state.confusion.as_deref() else {
        return placeholder(frame, area, "after the first validation");
    };
    let (matrix, footer) = take_bottom(area, if area.height >= 14 { 3 } else { u16::from(area.height > 4) });
    let width = usize::from(matrix.width);
    let digits = confusion.largest().max(confusion.classes as u64 - 1).to_string().len();
    let room = width.saturating_sub(digits * confusion.classes);
    let labels = Labels::new(state, confusion.classes, digits, room);
    if labels.width <= room && confusion.classes < usize::from(matrix.height) {
        let roomy = labels.width + (digits + 1) * confusion.classes <= width;
        let content = with_numbers(confusion, &labels, digits + usize::from(roomy), width);
        lines(frame, matrix, content);
        draw_footer(frame, footer, state, confusion, 1);
    } else {
        let join = joined(confusion, width, usize::from(matrix.height));
        lines(frame, matrix, as_half_blocks(confusion, join, width));
        draw_footer(frame, footer, state, confusion, join);
    }
}

/// What heads the rows and the columns.
struct Labels {
    rows: Vec<String>,
    columns: Vec<String>,
    /// Of the rows' labels, with one column of air.
    width: usize,
}

impl Labels {
    /// Names head the columns where they are no wider than the counts; class numbers do otherwise, for clipped names
    /// say nothing, and then the rows tell which number is which name, if they have `room`.
    fn new(state: &State, classes: usize, digits: usize, room: usize) -> Self {
        let names: Vec<String> = (0..classes).map(|class| state.class_name(class)).collect();
        let numbers: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
        let width = |labels: &[String]| labels.iter().map(|label| Span::raw(label).width() + 1).max().unwrap_or(0);
        if width(&names) <= digits + 1 {
            return Self { width: width(&names), rows: names.clone(), columns: names };
        }
        let named: Vec<String> = numbers.iter().zip(&names).map(|(number, name)| format!("{number} {name}")).collect();
        let most = width(&named).min(LABEL).min(room);
        match most >= width(&numbers) + 4 {
            true => Self { width: most, rows: named, columns: numbers },
            false => Self { width: width(&numbers), rows: numbers.clone(), columns: numbers },
        }
    }
}

fn with_numbers<'a>(confusion: &ConfusionCounts, labels: &Labels, cell: usize, width: usize) -> Vec<Line<'a>> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let with_recall = labels.width + cell * confusion.classes + RECALL <= width;
    let mut header = vec![Span::raw(" ".repeat(labels.width))];
    header.extend(labels.columns.iter().map(|label| Span::styled(text::right(label, cell), bold)));
    if with_recall {
        header.push(Span::styled(text::right("recall", RECALL), Style::new().fg(Color::Gray)));
    }
    let rows = (0..confusion.classes).map(|truth| {
        let total: u64 = confusion.row(truth).iter().sum();
        let label = text::clip(&labels.rows[truth], labels.width.saturating_sub(1));
        let mut row = vec![Span::styled(text::left(&label, labels.width), bold)];
        row.extend((0..confusion.classes).map(|predicted| {
            let count = confusion.count(truth, predicted);
            let number = if count == 0 { "·".to_owned() } else { count.to_string() };
            Span::styled(text::right(&number, cell), style(count, total, truth == predicted))
        }));
        if with_recall && total > 0 {
            let recall = confusion.count(truth, truth) as f64 / total as f64;
            row.push(Span::styled(
                text::right(&format!("{:.1}%", recall * 100.0), RECALL),
                Style::new().fg(Color::Gray),
            ));
        }
        Line::from(row)
    });
    std::iter::once(Line::from(header)).chain(rows).collect()
}

fn style(count: u64, total: u64, correct: bool) -> Style {
    let background = shade(count, total, correct);
    let ink = match (count, correct) {
        (0, _) => Color::Indexed(240),
        // Black on what is bright, white on what is dark.
        _ if matches!(background, 34 | 202) => Color::Black,
        _ => Color::White,
    };
    Style::new().fg(ink).bg(Color::Indexed(background))
}

/// The colour of a cell by its share of its row. Errors are few: their scale is a square root that is full at a tenth.
fn shade(count: u64, total: u64, correct: bool) -> u8 {
    if count == 0 || total == 0 {
        return NOTHING;
    }
    let share = count as f64 / total as f64;
    let (colors, level): (&[u8], f64) =
        if correct { (&RIGHT, share) } else { (&WRONG, (share * 10.0).min(1.0).sqrt()) };
    colors[((level * colors.len() as f64) as usize).min(colors.len() - 1)]
}

/// How many neighbouring classes share a row and a column where not all have one of their own.
fn joined(confusion: &ConfusionCounts, width: usize, height: usize) -> usize {
    confusion.classes.div_ceil(width.min(height * 2).max(1))
}

/// The matrix without numbers, `join` classes in each row and column of cells.
fn as_half_blocks<'a>(confusion: &ConfusionCounts, join: usize, width: usize) -> Vec<Line<'a>> {
    let cells = confusion.classes.div_ceil(join);
    // Half a character is square where characters are twice as high as wide; two columns a cell fill wide areas.
    let columns = if cells * 2 <= width { 2 } else { 1 };
    let color = |row: usize, column: usize| match row < cells {
        true => Color::Indexed(joined_shade(confusion, join, row, column)),
        false => Color::Reset,
    };
    let line = |row: usize| {
        let span = |column| {
            let style = Style::new().fg(color(row, column)).bg(color(row + 1, column));
            Span::styled("▀".repeat(columns), style)
        };
        Line::from((0..cells).map(span).collect::<Vec<_>>())
    };
    (0..cells).step_by(2).map(line).collect()
}

fn joined_shade(confusion: &ConfusionCounts, join: usize, row: usize, column: usize) -> u8 {
    let classes = |cell: usize| cell * join..((cell + 1) * join).min(confusion.classes);
    let (mut right, mut wrong, mut total) = (0, 0, 0);
    for truth in classes(row) {
        total += confusion.row(truth).iter().sum::<u64>();
        for predicted in classes(column) {
            let count = confusion.count(truth, predicted);
            *(if truth == predicted { &mut right } else { &mut wrong }) += count;
        }
    }
    if right > 0 { shade(right, total, true) } else { shade(wrong, total, false) }
}

fn draw_footer(frame: &mut Frame, area: Rect, state: &State, confusion: &ConfusionCounts, join: usize) {
    let (right, all) = confusion.totals();
    let accuracy = if all > 0 { right as f64 / all as f64 * 100.0 } else { 0.0 };
    let name = |class: usize| text::clip(&state.class_name(class), LABEL);
    let mut confused = vec![Span::styled("confused ", Style::new().fg(Color::Gray))];
    for (truth, predicted, count) in confusion.most_confused(12) {
        confused.push(Span::styled(format!("{}→{}", name(truth), name(predicted)), Style::new().fg(Color::Red)));
        confused.push(Span::raw(format!(" {count}  ")));
    }
    while confused.len() > 3 && confused.iter().map(Span::width).sum::<usize>() > usize::from(area.width) {
        confused.truncate(confused.len() - 2);
    }
    let summary = format!("epoch {}: {right} of {all} right, {accuracy:.2}%", confusion.epoch);
    let legend = match join {
        1 => "rows: true class, columns: predicted class".to_owned(),
        _ => format!("rows true, columns predicted, cells {join} x {join}"),
    };
    let legend = Line::styled(legend, Style::new().fg(Color::Gray));
    let content = match area.height {
        0..=1 => vec![Line::from(confused)],
        _ => vec![legend, Line::from(confused), Line::raw(summary)],
    };
    lines(frame, area, content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_stand_out_and_nothing_stays_dark() {
        assert_eq!(shade(0, 1000, false), NOTHING);
        assert!(WRONG.contains(&shade(1, 1000, false)), "a single error is visible");
        assert!(RIGHT.contains(&shade(1, 1000, true)));
        assert_eq!(shade(1000, 1000, true), RIGHT[2]);
        assert_eq!(shade(500, 1000, false), WRONG[5]);
        assert_ne!(shade(1, 1000, false), shade(50, 1000, false), "more errors, another colour");
    }
}
