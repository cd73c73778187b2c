//! Rectangles by plain arithmetic: ratatui's constraint solver costs more than all the drawing.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

/// The upper `height` rows (all where there are fewer), and the rest.
pub(super) fn take_top(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    let rest = Rect { y: area.y + height, height: area.height - height, ..area };
    (Rect { height, ..area }, rest)
}

/// All but the lower `height` rows, and those.
pub(super) fn take_bottom(area: Rect, height: u16) -> (Rect, Rect) {
    take_top(area, area.height.saturating_sub(height))
}

/// The left `width` columns (all where there are fewer), and the rest.
pub(super) fn take_left(area: Rect, width: u16) -> (Rect, Rect) {
    let width = width.min(area.width);
    let rest = Rect { x: area.x + width, width: area.width - width, ..area };
    (Rect { width, ..area }, rest)
}

/// All but the right `width` columns, and those.
pub(super) fn take_right(area: Rect, width: u16) -> (Rect, Rect) {
    take_left(area, area.width.saturating_sub(width))
}

/// A rectangle of this size, or as much of it as fits, in the middle of `area`.
pub(super) fn centered(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

/// Draws a frame with a title and returns the area inside, one column of air on each side.
pub(super) fn pane(frame: &mut Frame, area: Rect, title: &str) -> Rect {
    let title = Span::styled(format!(" {title} "), Style::new().fg(Color::Reset).add_modifier(Modifier::BOLD));
    let block = Block::bordered().border_style(Style::new().fg(Color::DarkGray)).title(title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let (inner, _) = take_right(inner, u16::from(inner.width > 24));
    take_left(inner, u16::from(inner.width > 24)).1
}

/// Draws the lines that fit.
pub(super) fn lines(frame: &mut Frame, area: Rect, lines: Vec<Line>) {
    frame.render_widget(Paragraph::new(lines), area);
}

/// A dim sentence where there is nothing to show yet.
pub(super) fn placeholder(frame: &mut Frame, area: Rect, sentence: &str) {
    let line = Line::styled(sentence.to_owned(), Style::new().fg(Color::DarkGray)).centered();
    let (_, middle) = take_top(area, area.height / 2);
    lines(frame, middle, vec![line]);
}
