//! A frame: which panes there are at this size, and where.
//!
//! ```text
//! controls | tabs, plot or | confusion      Large terminals have all three columns,
//! metrics  | confusion or  | misread        small ones drop the right one (its panes become tabs),
//! status   | misread       |                smaller ones the left one,
//! progress of the epoch and of the run      tiny ones show two lines of text.
//! ```

mod area;
mod confusion;
mod gauges;
mod misread;
mod plot;
mod popup;
mod scale;
mod status;
mod summary;
mod tabs;
mod text;

#[cfg(test)]
mod tests;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Color;

use super::state::State;
use super::view::{Tab, View};
use crate::event::Split;
use area::{pane, take_bottom, take_left, take_right, take_top};

/// Below this size a frame is text only.
const SMALLEST: (u16, u16) = (24, 8);
/// Below this size there is no left column.
const TWO_COLUMNS: (u16, u16) = (66, 18);

fn color(split: Split) -> Color {
    match split {
        Split::Train => Color::Cyan,
        Split::Valid => Color::Yellow,
    }
}

/// Draws `state` as `view` looks at it; reads no clock and no terminal, so that tests can draw to a buffer.
pub(super) fn draw(frame: &mut Frame, state: &State, view: &View) {
    let screen = frame.area();
    let large = view.is_large();
    if screen.width < SMALLEST.0 || screen.height < SMALLEST.1 {
        status::draw_tiny(frame, screen, state, view);
    } else {
        let (rest, progress) = take_bottom(screen, if screen.height < 12 { 2 } else { 4 });
        gauges::draw(frame, progress, state, view);
        if screen.width < TWO_COLUMNS.0 || screen.height < TWO_COLUMNS.1 {
            draw_one_column(frame, rest, state, view);
        } else {
            let (left, rest) = take_left(rest, if large { 48 } else { 32 });
            draw_left(frame, left, state, view);
            let (middle, right) = take_right(rest, if large { (rest.width * 3 / 7).clamp(46, 70) } else { 0 });
            draw_tabs(frame, middle, state, view);
            draw_right(frame, right, state);
        }
    }
    if view.popup {
        popup::draw(frame, screen, view);
    }
}

fn draw_one_column(frame: &mut Frame, area: Rect, state: &State, view: &View) {
    // A plot needs ten rows to say anything; the numbers come first where there are fewer.
    let wanted = state.metrics.len() as u16 + 3;
    let metrics = if area.height >= wanted + 10 { wanted } else { 0 };
    let (top, rest) = take_top(area, metrics);
    if metrics > 0 {
        status::draw_metrics(frame, top, state);
    }
    draw_tabs(frame, rest, state, view);
}

fn draw_left(frame: &mut Frame, area: Rect, state: &State, view: &View) {
    let (controls, rest) = take_top(area, 5);
    status::draw_controls(frame, controls);
    let (metrics, rest) = take_top(rest, (state.metrics.len() as u16).clamp(1, rest.height / 2) + 3);
    status::draw_metrics(frame, metrics, state);
    let (status, rest) = take_top(rest, if view.is_large() { 14 } else { rest.height });
    status::draw_status(frame, status, state, view);
    if let Some(Tab::Metric(index)) = front(state, view)
        && let Some(metric) = state.metrics.get(index)
        && !rest.is_empty()
    {
        let inner = pane(frame, rest, &format!("{} by epoch", metric.measure.name));
        summary::draw(frame, inner, metric);
    }
}

/// The tab in front.
fn front(state: &State, view: &View) -> Option<Tab> {
    let tabs = view.tabs(state);
    tabs.get(view.selected(&tabs)).copied()
}

fn draw_tabs(frame: &mut Frame, area: Rect, state: &State, view: &View) {
    let tabs = view.tabs(state);
    let selected = view.selected(&tabs);
    let front = front(state, view);
    let title = match front {
        Some(Tab::Metric(_)) => format!("Plots: {}", view.kind.name()),
        Some(Tab::Confusion) => "Confusion".to_owned(),
        Some(Tab::Misread) => "Misread".to_owned(),
        None => "Plots".to_owned(),
    };
    let inner = pane(frame, area, &title);
    let (line, rest) = take_top(inner, 1);
    tabs::draw(frame, line, state, &tabs, selected);
    match front {
        Some(Tab::Metric(index)) => {
            if let Some(metric) = state.metrics.get(index) {
                plot::draw(frame, rest, metric, state, view);
            }
        }
        Some(Tab::Confusion) => confusion::draw(frame, rest, state),
        Some(Tab::Misread) => misread::draw(frame, rest, state),
        None => {}
    }
}

fn draw_right(frame: &mut Frame, area: Rect, state: &State) {
    if area.is_empty() {
        return;
    }
    // A few classes get the rows that they need, many get half.
    let wanted = (state.run.classes.len() as u16).saturating_add(7);
    let (top, bottom) = take_top(area, wanted.clamp(10, area.height / 2));
    let inner = pane(frame, top, "Confusion");
    confusion::draw(frame, inner, state);
    let inner = pane(frame, bottom, "Misread");
    misread::draw(frame, inner, state);
}
