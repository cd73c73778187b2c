//! A metric over time: the whole run, or its last iterations.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Chart, Dataset, GraphType};

use super::area::{lines, placeholder, take_top};
use super::scale::Scale;
use super::{color, summary};
use crate::event::Split;
use crate::ui::dashboard::history::{MetricHistory, is_plottable};
use crate::ui::dashboard::metric::Metric;
use crate::ui::dashboard::state::State;
use crate::ui::dashboard::view::{PlotKind, View};

/// The recent values scatter; the line through them is the mean of this many.
const SMOOTHING: usize = 25;
/// Validations beyond this many would draw a chain of dots over their curve.
const MARKS: usize = 40;
/// Grey that a dark and a light terminal both show as background noise.
const NOISE: Color = Color::Indexed(240);

type Points = Vec<(f64, f64)>;

/// What a plot shows, in values; `single` is the noise of single batches behind the curves.
struct Curves {
    single: Points,
    train: Points,
    valid: Points,
    valid_marks: bool,
    /// The legend's names for the three above.
    names: [String; 3],
    bounds_x: [f64; 2],
    labels_x: Vec<String>,
}

/// Draws the plot of `metric` that the view asks for, with a legend above it.
pub(super) fn draw(frame: &mut Frame, area: Rect, metric: &Metric, state: &State, view: &View) {
    let curves = match view.kind {
        PlotKind::Full => full(metric, state),
        PlotKind::Recent => recent(metric),
        PlotKind::Summary => return summary::draw(frame, area, metric),
    };
    // The axis shows the curves; single batches may lie outside, or one unlucky batch would flatten everything else.
    let shown = curves.train.iter().chain(&curves.valid).map(|point| point.1);
    let limits = [0.0, if metric.measure.unit == Some("%") { 100.0 } else { f64::INFINITY }];
    let Some(scale) = Scale::of(shown, limits, !metric.measure.higher_is_better) else {
        return placeholder(frame, area, "waiting for the first iteration");
    };
    let (legend, area) = take_top(area, u16::from(area.height > 4));
    draw_legend(frame, legend, &curves, &scale);
    draw_chart(frame, area, curves, &scale);
}

fn full(metric: &Metric, state: &State) -> Curves {
    let history = &metric.series(Split::Train).history;
    let start = state.run.first_epoch.saturating_sub(1) as f64;
    let end = state.progress.epochs_done().max(start + 1e-3);
    let decimals = usize::from(end - start < 10.0) + usize::from(end - start < 0.5);
    let label = |x: f64| format!("{x:.decimals$}");
    Curves {
        single: history.buckets().iter().flat_map(|b| [(b.x(), b.min), (b.x(), b.max)]).collect(),
        train: training_curve(history),
        valid: validation_curve(metric, state),
        valid_marks: true,
        names: ["range of single batches", "train", "valid, epoch mean"].map(str::to_owned),
        bounds_x: [start, end],
        labels_x: vec![label(start), label((start + end) / 2.0), format!("epoch {}", label(end))],
    }
}

/// The mean of each bucket, stretched to the first sample and to the last position: the curve begins and ends where
/// training does.
fn training_curve(history: &MetricHistory) -> Points {
    let mut curve: Points = history.first().into_iter().collect();
    curve.extend(history.buckets().iter().map(|bucket| (bucket.x(), bucket.mean())));
    let end = history.last().zip(history.buckets().last());
    curve.extend(end.map(|((x, _), bucket)| (x, bucket.mean())));
    curve
}

/// One point for each validation so far, and for the one under way its mean until now.
fn validation_curve(metric: &Metric, state: &State) -> Points {
    let series = metric.series(Split::Valid);
    let mut curve: Points = series.history.buckets().iter().map(|b| (b.x(), b.mean())).collect();
    let running =
        metric.shown(Split::Valid).filter(|mean| state.progress.split == Some(Split::Valid) && is_plottable(*mean));
    curve.extend(running.map(|mean| (state.progress.epoch as f64, mean)));
    curve
}

/// The last iterations, with the last validation as a level line.
fn recent(metric: &Metric) -> Curves {
    let values = &metric.series(Split::Train).recent;
    let oldest = 1.0 - values.len() as f64;
    let single: Points = values.values().enumerate().map(|(i, y)| (i as f64 + oldest, y)).collect();
    let valid = metric.shown(Split::Valid).filter(|mean| is_plottable(*mean) && !single.is_empty());
    let smoothing = SMOOTHING.min(values.len());
    Curves {
        train: smooth(&single),
        single,
        valid: valid.map_or_else(Vec::new, |mean| vec![(oldest, mean), (0.0, mean)]),
        valid_marks: false,
        names: ["single batches".into(), format!("train, mean of {smoothing}"), "valid, last mean".into()],
        bounds_x: [oldest.min(-1.0), 0.0],
        labels_x: vec![format!("{oldest:.0}"), "latest iteration".into()],
    }
}

/// The mean of each point and those before it.
fn smooth(points: &[(f64, f64)]) -> Points {
    let mut sum = 0.0;
    let means = points.iter().enumerate().map(|(i, &(x, y))| {
        sum += y - if i >= SMOOTHING { points[i - SMOOTHING].1 } else { 0.0 };
        (x, sum / (i + 1).min(SMOOTHING) as f64)
    });
    means.collect()
}

fn draw_chart(frame: &mut Frame, area: Rect, curves: Curves, scale: &Scale) {
    let grey = Style::new().fg(Color::DarkGray);
    let marks = curves.valid_marks && curves.valid.len() <= MARKS;
    let [single, train, valid] = [curves.single, curves.train, curves.valid].map(|points| scale.place(points));
    let dataset = |points, marker, kind, color| {
        Dataset::default().marker(marker).graph_type(kind).style(Style::new().fg(color)).data(points)
    };
    let mut datasets = vec![
        dataset(&single, Marker::Braille, GraphType::Scatter, NOISE),
        dataset(&train, Marker::Braille, GraphType::Line, color(Split::Train)),
        dataset(&valid, Marker::Braille, GraphType::Line, color(Split::Valid)),
    ];
    if marks {
        datasets.push(dataset(&valid, Marker::Dot, GraphType::Scatter, color(Split::Valid)));
    }
    let labels_y = scale.labels(usize::from(area.height / 5).clamp(2, 7));
    let chart = Chart::new(datasets)
        .x_axis(Axis::default().style(grey).bounds(curves.bounds_x).labels(curves.labels_x))
        .y_axis(Axis::default().style(grey).bounds(scale.bounds).labels(labels_y))
        .legend_position(None);
    frame.render_widget(chart, area);
}

fn draw_legend(frame: &mut Frame, area: Rect, curves: &Curves, scale: &Scale) {
    let mut line = Line::default();
    let [single, train, valid] = &curves.names;
    for (name, split, points) in [(train, Split::Train, &curves.train), (valid, Split::Valid, &curves.valid)] {
        if !points.is_empty() {
            line.push_span(Span::styled("━ ", Style::new().fg(color(split)).add_modifier(Modifier::BOLD)));
            line.push_span(format!("{name}  "));
        }
    }
    // What is left of the row says the rest, the more important first.
    let scale = if scale.logarithmic { "log scale  " } else { "" };
    for part in [scale.to_owned(), format!("· {single}")] {
        if line.width() + part.len() <= usize::from(area.width) {
            line.push_span(Span::styled(part, Style::new().fg(Color::Gray)));
        }
    }
    lines(frame, area, vec![line]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_is_the_mean_of_the_window() {
        let points: Points = (0..100).map(|i| (f64::from(i), f64::from(i % 25))).collect();
        let line = smooth(&points);
        assert_eq!(line[0], (0.0, 0.0));
        assert_eq!(line[2], (2.0, 1.0));
        assert!((line[99].1 - 12.0).abs() < 1e-9, "{:?}", line[99]);
    }
}
