//! The progress of the epoch and of the run, with the time left.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};

use super::area::{lines, pane};
use super::{color, text};
use crate::event::Split;
use crate::ui::dashboard::state::State;
use crate::ui::dashboard::view::View;

/// Draws both gauges, framed where there are four rows.
pub(super) fn draw(frame: &mut Frame, area: Rect, state: &State, view: &View) {
    let inner = if area.height < 4 { area } else { pane(frame, area, "Progress") };
    let progress = &state.progress;
    let (name, tint) = match progress.split {
        Some(split @ Split::Valid) => ("Valid", color(split)),
        _ => ("Train", color(Split::Train)),
    };
    // A pass that is not training has no estimate of its own: it is part of the epoch's.
    let epoch = gauge(inner, name, tint, progress.pass_fraction(), progress.epoch_left(view.now));
    let run = gauge(inner, "Run", Color::Green, progress.run_fraction(), progress.run_left(view.now));
    lines(frame, inner, vec![epoch, run]);
}

fn gauge(area: Rect, name: &str, tint: Color, fraction: f64, left: Option<Duration>) -> Line<'static> {
    let width = usize::from(area.width);
    let eta = left.map_or_else(|| "-:--".to_owned(), text::clock);
    // Rounded down: 100 % is reached when all is done.
    let numbers = format!("{:>4} %  ETA {eta:>8}", (fraction * 100.0).floor());
    let label = text::left(name, 6);
    let room = width.saturating_sub(6 + numbers.len());
    let (filled, rest) = text::bar(fraction, room);
    Line::from(vec![
        Span::raw(label),
        Span::styled(filled, Style::new().fg(tint).bg(Color::Indexed(236))),
        Span::styled(rest, Style::new().bg(Color::Indexed(236))),
        Span::raw(numbers),
    ])
}
