//! The means of each epoch, as a table with bars.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::area::{lines, placeholder};
use super::{color, text};
use crate::event::Split;
use crate::ui::dashboard::metric::{EpochMeans, Metric};

/// Widths of the epoch's number and of a mean.
const EPOCH: usize = 6;
const MEAN: usize = 10;

/// Draws the latest epochs that fit, the best one marked; bars compare validation (training where there is none).
pub(super) fn draw(frame: &mut Frame, area: Rect, metric: &Metric) {
    let rows = usize::from(area.height).saturating_sub(1);
    let skipped = metric.epochs.len().saturating_sub(rows);
    let epochs: Vec<&EpochMeans> = metric.epochs.iter().skip(skipped).collect();
    if epochs.is_empty() {
        return placeholder(frame, area, "waiting for the first iteration");
    }
    let scores: Vec<(usize, f64)> = metric.scores().filter(|(epoch, _)| *epoch >= epochs[0].epoch).collect();
    let (low, high) = scores.iter().fold((f64::MAX, f64::MIN), |(low, high), (_, y)| (low.min(*y), high.max(*y)));
    let best = metric.best().map(|(epoch, _)| epoch);
    let header = Style::new().add_modifier(Modifier::BOLD);
    let mut content = vec![Line::from(vec![
        Span::styled(text::right("epoch", EPOCH), header),
        Span::styled(text::right("train", MEAN), header.fg(color(Split::Train))),
        Span::styled(text::right("valid", MEAN), header.fg(color(Split::Valid))),
    ])];
    let width = usize::from(area.width).saturating_sub(EPOCH + 2 * MEAN + 4);
    for means in epochs {
        let mean = |value: Option<f64>| {
            let number = value.map_or_else(|| "-".into(), |value| text::number(value, metric.measure.unit));
            Span::raw(text::right(&number, MEAN))
        };
        let is_best = best == Some(means.epoch);
        let tint = match (is_best, means.valid) {
            (true, _) => Color::Green,
            (false, Some(_)) => color(Split::Valid),
            (false, None) => color(Split::Train),
        };
        // From a tenth of the width, so that the lowest is a bar too; the differences are what the bars are for.
        let score = scores.iter().find(|(epoch, _)| *epoch == means.epoch);
        let share = |y: f64| if high > low { 0.1 + 0.9 * (y - low) / (high - low) } else { 1.0 };
        let (filled, _) = text::bar(score.map_or(0.0, |(_, y)| share(*y)), width);
        content.push(Line::from(vec![
            Span::raw(text::right(&means.epoch.to_string(), EPOCH)),
            mean(means.train),
            mean(means.valid),
            Span::styled(if is_best { " ★ " } else { "   " }, Style::new().fg(Color::Green)),
            Span::styled(filled, Style::new().fg(tint)),
        ]));
    }
    lines(frame, area, content);
}
