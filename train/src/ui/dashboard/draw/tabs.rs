//! The line of tabs above the plot.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::area::lines;
use super::text;
use crate::ui::dashboard::state::State;
use crate::ui::dashboard::view::Tab;

/// Columns between two tabs.
const GAP: usize = 2;

/// Draws the tabs, in short where they do not fit, and from the selected one on where even that is too long.
pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, tabs: &[Tab], selected: usize) {
    let width = usize::from(area.width);
    let mut names: Vec<String> = tabs.iter().map(|tab| name(state, *tab)).collect();
    if length(&names) > width {
        names = names.iter().map(|name| text::shorten(name, 0)).collect();
    }
    let first = (0..=selected).find(|&first| length(names.get(first..=selected).unwrap_or_default()) <= width);
    let first = if length(&names) <= width { 0 } else { first.unwrap_or(selected) };
    let mut spans = Vec::new();
    for (i, name) in names.into_iter().enumerate().skip(first) {
        let style = match i == selected {
            true => Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            false => Style::new().fg(Color::Gray),
        };
        spans.push(Span::styled(name, style));
        spans.push(Span::raw(" ".repeat(GAP)));
    }
    lines(frame, area, vec![Line::from(spans)]);
}

fn name(state: &State, tab: Tab) -> String {
    match tab {
        Tab::Metric(index) => {
            state.metrics.get(index).map_or_else(String::new, |metric| metric.measure.name.to_owned())
        }
        Tab::Confusion => "Confusion".into(),
        Tab::Misread => "Misread".into(),
    }
}

fn length(names: &[String]) -> usize {
    let columns: usize = names.iter().map(|name| Span::raw(name.as_str()).width()).sum();
    columns + GAP * names.len().saturating_sub(1)
}
