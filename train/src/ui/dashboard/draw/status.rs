//! The panes of text: controls, metrics and status; and the frame of a terminal too small for panes.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::area::{lines, pane};
use super::{color, text};
use crate::event::Split;
use crate::ui::dashboard::metric::Metric;
use crate::ui::dashboard::state::State;
use crate::ui::dashboard::view::View;

/// Width of a column of numbers.
const NUMBER: usize = 8;
/// Width of "98.52% @12", the best value and its epoch.
const BEST: usize = 13;

/// Draws what the keys do.
pub(super) fn draw_controls(frame: &mut Frame, area: Rect) {
    let inner = pane(frame, area, "Keys");
    let line =
        |key: &'static str, does: &'static str| Line::from(vec![Span::styled(key, bold(Color::Yellow)), does.into()]);
    lines(
        frame,
        inner,
        vec![line("q    ", "stop training"), line("← →  ", "choose the tab"), line("↑ ↓  ", "full, recent, summary")],
    );
}

/// Draws the table of metrics: the mean of the pass under way for each split, and the best epoch where there is room.
pub(super) fn draw_metrics(frame: &mut Frame, area: Rect, state: &State) {
    let inner = pane(frame, area, "Metrics");
    let mut splits = Split::ALL.to_vec();
    let width = usize::from(inner.width);
    while splits.len() > 1 && NUMBER * splits.len() + 6 > width {
        splits.remove(0);
    }
    let with_best = width >= 14 + NUMBER * splits.len() + BEST;
    let name = width.saturating_sub(NUMBER * splits.len() + if with_best { BEST } else { 0 });

    let mut header = vec![Span::raw(" ".repeat(name))];
    header.extend(splits.iter().map(|&split| Span::styled(text::right(split.name(), NUMBER), bold(color(split)))));
    if with_best {
        header.push(Span::styled(text::right("best @epoch", BEST), bold(Color::Green)));
    }
    let rows = state.metrics.iter().map(|metric| {
        let mut row = vec![Span::raw(text::left(&text::shorten(metric.measure.name, name), name))];
        row.extend(splits.iter().map(|&split| Span::raw(text::right(&cell(metric, split), NUMBER))));
        if with_best {
            row.push(Span::raw(text::right(&best(metric), BEST)));
        }
        Line::from(row)
    });
    lines(frame, inner, std::iter::once(Line::from(header)).chain(rows).collect());
}

fn cell(metric: &Metric, split: Split) -> String {
    metric.shown(split).map_or_else(|| "-".to_owned(), |value| text::number(value, metric.measure.unit))
}

fn best(metric: &Metric) -> String {
    metric
        .best()
        .map_or_else(String::new, |(epoch, score)| format!("{} @{epoch}", text::number(score, metric.measure.unit)))
}

/// Draws where the run is, how fast it goes, what it is, and the latest notes.
pub(super) fn draw_status(frame: &mut Frame, area: Rect, state: &State, view: &View) {
    let title = if state.run.name.is_empty() { "Status" } else { &state.run.name };
    let inner = pane(frame, area, &text::clip(title, usize::from(area.width.saturating_sub(4))));
    let progress = &state.progress;
    let indent = if inner.width < 40 { 6 } else { 9 };
    let field = |name: &str, value: String| {
        Line::from(vec![Span::styled(text::left(name, indent), bold(Color::Gray)), value.into()])
    };
    let mut content = vec![phase(state, view)];
    content.push(field("Iter", format!("{}/{}", progress.iteration, state.run.iterations_per_epoch)));
    if let Some(iterations) = progress.iterations_per_second() {
        let images = progress.items_per_second().map(|images| format!(", {} img/s", text::speed(images)));
        content.push(field("Speed", format!("{} it/s{}", text::speed(iterations), images.unwrap_or_default())));
    }
    content.push(field("Time", text::clock(progress.elapsed(view.now))));
    let run = [("Model", &state.run.model), ("Dataset", &state.run.dataset), ("Backend", &state.run.backend)];
    let run: Vec<_> = run.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let rows = usize::from(inner.height);
    // The latest note is worth more than what the run is called.
    if indent == 9 && content.len() + run.len() < rows {
        content.extend(run.iter().map(|(name, value)| field(name, (*value).clone())));
    } else {
        let values: Vec<_> = run.iter().map(|(_, value)| value.as_str()).collect();
        content.push(Line::raw(text::clip(&values.join(", "), usize::from(inner.width))));
    }
    let room = rows.saturating_sub(content.len());
    let gap = usize::from(room > 2);
    content.extend(std::iter::repeat_n(Line::default(), gap));
    let skipped = state.notes.len().saturating_sub(room - gap);
    let dim = Style::new().fg(Color::Gray).add_modifier(Modifier::ITALIC);
    let notes = state.notes.iter().skip(skipped);
    content.extend(notes.map(|note| Line::styled(text::clip(note, usize::from(inner.width)), dim)));
    lines(frame, inner, content);
}

/// What is going on, in one line.
fn phase(state: &State, view: &View) -> Line<'static> {
    let progress = &state.progress;
    let doing = match progress.split {
        None => "Starting",
        Some(Split::Train) => "Training",
        Some(Split::Valid) => "Validating",
    };
    match view.stops {
        0 => Line::styled(format!("{doing}, epoch {} of {}", progress.epoch, progress.epochs), bold(Color::Green)),
        _ => Line::styled("Stopping after this batch", bold(Color::Red)),
    }
}

/// Draws the most important numbers, one a line, into a terminal that has room for nothing else.
pub(super) fn draw_tiny(frame: &mut Frame, area: Rect, state: &State, view: &View) {
    let progress = &state.progress;
    let percent = (progress.run_fraction() * 100.0).floor();
    let mut content = vec![Line::raw(format!("{percent}% E{}/{}", progress.epoch, progress.epochs))];
    if view.stops > 0 {
        content.insert(0, Line::styled("Stopping", bold(Color::Red)));
    }
    for metric in &state.metrics {
        let split = [Split::Valid, Split::Train].into_iter().find(|&split| metric.shown(split).is_some());
        if let Some(split) = split {
            content.push(Line::styled(
                format!("{} {}", cell(metric, split), metric.measure.name),
                Style::new().fg(color(split)),
            ));
        }
    }
    lines(frame, area, content);
}

fn bold(color: Color) -> Style {
    Style::new().fg(color).add_modifier(Modifier::BOLD)
}
