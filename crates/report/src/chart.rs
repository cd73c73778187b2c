//! Charts as SVG, whose colours the page's style sheet decides.
//!
//! Plotters writes colours as numbers. Those here are names in disguise: the page gives each its colour, light or dark.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::blocks::{Curve, Curves, Reliability};
use crate::escape::{escape, printable};

/// Width and height, in the units of its text.
const SIZE: (u32, u32) = (480, 300);

const SQUARE: (u32, u32) = (420, 420);

const FONT: &str = "sans-serif";

/// Height of a line of text; Plotters makes letters a fifth smaller.
const TEXT: u32 = 18;

/// Text and axes.
const INK: RGBColor = RGBColor(1, 1, 1);
/// Lines behind the curves.
const GRID: RGBColor = RGBColor(2, 2, 2);
/// The curves, in their order; also as the page knows them.
const CURVES: [RGBColor; 3] = [RGBColor(16, 1, 1), RGBColor(16, 1, 2), RGBColor(16, 1, 3)];

/// More points than this are drawn without marks.
const MARKED: usize = 40;

/// The chart and its legend.
pub(crate) fn curves(chart: &Curves) -> String {
    let Curves { title, x_name, y_name, curves } = chart;
    let mut svg = String::new();
    draw_curves(&SVGBackend::with_string(&mut svg, SIZE).into_drawing_area(), chart);
    let legend = |(place, curve): (usize, &Curve)| {
        format!("<span class=\"key c{}\">{}</span>", place % CURVES.len(), escape(&curve.name))
    };
    let legend: String = curves.iter().enumerate().map(legend).collect();
    let names: Vec<_> = curves.iter().map(|curve| curve.name.as_str()).collect();
    let label = format!("{title}: {} ({y_name}) by {x_name}", names.join(" and "));
    figure(&svg, &label, &format!("{} {legend}", escape(title)))
}

/// An SVG as a part of the page, with a text for those who do not see it.
fn figure(svg: &str, label: &str, caption: &str) -> String {
    let label = format!("<svg class=\"chart\" role=\"img\" aria-label=\"{}\" ", escape(label));
    let svg = svg.replacen("<svg ", &label, 1);
    format!("<figure>{svg}<figcaption>{caption}</figcaption></figure>\n")
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn draw_curves(area: &Area<'_>, chart: &Curves) {
    let Curves { x_name, y_name, curves, .. } = chart;
    let points = || curves.iter().flat_map(finite);
    let (across, up) = (bounds(points().map(|(x, _)| x), 0.), bounds(points().map(|(_, y)| y), 0.05));
    let drawn = ChartBuilder::on(area)
        .margin(8)
        .margin_right(16)
        .x_label_area_size(48)
        .y_label_area_size(76)
        .build_cartesian_2d(across.clone(), up.clone())
        .and_then(|mut context| {
            context
                .configure_mesh()
                .x_desc(printable(x_name))
                .y_desc(printable(y_name))
                .axis_style(INK)
                .bold_line_style(GRID)
                .light_line_style(TRANSPARENT)
                .label_style((FONT, TEXT).into_font().color(&INK))
                .axis_desc_style((FONT, TEXT).into_font().color(&INK))
                .x_labels(whole_steps(&across))
                .y_labels(6)
                .x_label_formatter(&|x| number(*x))
                .y_label_formatter(&|y| number(*y))
                .draw()?;
            for (curve, colour) in curves.iter().zip(CURVES.iter().cycle()) {
                let points: Vec<_> = finite(curve).collect();
                if points.len() <= MARKED {
                    context.draw_series(points.iter().map(|&point| Circle::new(point, 3, colour.filled())))?;
                }
                context.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
            }
            area.present()
        });
    drawn.unwrap_or_else(|error| unreachable!("text in memory takes everything: {error}"));
}

fn finite(curve: &Curve) -> impl Iterator<Item = (f64, f64)> {
    curve.points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite())
}

/// From the least to the largest value, and the share `beyond` of it more at both ends; never empty.
fn bounds(values: impl Iterator<Item = f64>, beyond: f64) -> Range<f64> {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    match high - low {
        span if span > 0. && span.is_finite() => low - beyond * span..high + beyond * span,
        _ if low.is_finite() && high.is_finite() => {
            let half = (low.abs() / 10.).clamp(1e-9, 0.5);
            low - half..high + half
        }
        _ => 0. ..1.,
    }
}

/// How many labels to ask for so that none stands between two epochs.
fn whole_steps(across: &Range<f64>) -> usize {
    ((across.end - across.start).round() as usize).clamp(1, 8)
}

/// A number as short as it can be.
fn number(value: f64) -> String {
    if value != 0. && value.abs() < 0.01 {
        let digits: f64 = format!("{value:.2e}").parse().unwrap_or(value);
        return format!("{digits:e}");
    }
    format!("{}", (value * 1e6).round() / 1e6)
}

/// The reliability diagram: a bar a bin, as high as its accuracy, a mark at its mean confidence, and the line on which both agree.
pub(crate) fn reliability(bins: &[Reliability]) -> String {
    let mut svg = String::new();
    draw_reliability(&SVGBackend::with_string(&mut svg, SQUARE).into_drawing_area(), bins);
    let caption = "<span class=\"key c0\">accuracy of the images in a bin</span>\
                   <span class=\"key c1\">their mean confidence: on the line where the two agree</span>";
    figure(&svg, "Reliability diagram: accuracy by confidence; the table below has its numbers", caption)
}

fn draw_reliability(area: &Area<'_>, bins: &[Reliability]) {
    let drawn = ChartBuilder::on(area)
        .margin(8)
        .margin_right(16)
        .x_label_area_size(48)
        .y_label_area_size(60)
        .build_cartesian_2d(0. ..1., 0. ..1.)
        .and_then(|mut context| {
            context
                .configure_mesh()
                .x_desc("confidence")
                .y_desc("accuracy")
                .axis_style(INK)
                .bold_line_style(GRID)
                .light_line_style(TRANSPARENT)
                .label_style((FONT, TEXT).into_font().color(&INK))
                .axis_desc_style((FONT, TEXT).into_font().color(&INK))
                .x_labels(6)
                .y_labels(6)
                .x_label_formatter(&|x| number(*x))
                .y_label_formatter(&|y| number(*y))
                .draw()?;
            let bars =
                bins.iter().map(|bin| Rectangle::new([(bin.low, 0.), (bin.high, bin.accuracy)], CURVES[0].filled()));
            context.draw_series(bars)?;
            context.draw_series(LineSeries::new([(0., 0.), (1., 1.)], INK.stroke_width(1)))?;
            let marks = bins.iter().map(|bin| Circle::new((bin.confidence, bin.accuracy), 4, CURVES[1].filled()));
            context.draw_series(marks)?;
            area.present()
        });
    drawn.unwrap_or_else(|error| unreachable!("text in memory takes everything: {error}"));
}

/// The rules that give the charts' colours their meaning.
pub(crate) fn style() -> String {
    let rule = |colour: RGBColor, name: &str, more: &str| {
        let hexadecimal = format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2);
        format!(
            ".chart [fill=\"{hexadecimal}\"]{{fill:var(--{name})}}\n.chart [stroke=\"{hexadecimal}\"]{{stroke:var(--{name}){more}}}\n"
        )
    };
    // The second curve is broken as well, for those who do not see its colour.
    let curves = [("c0", ""), ("c1", ";stroke-dasharray:6 3"), ("c2", ";stroke-dasharray:2 3")];
    let curves = CURVES.iter().zip(curves).map(|(&colour, (name, more))| rule(colour, name, more));
    [rule(INK, "ink", ""), rule(GRID, "grid", "")].into_iter().chain(curves).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_hold_all_points_and_are_never_empty() {
        assert_eq!(bounds([1., 3.].into_iter(), 0.05), 0.9..3.1);
        assert_eq!(bounds([5.].into_iter(), 0.05), 4.5..5.5);
        assert_eq!(bounds([0.; 3].into_iter(), 0.05), -1e-9..1e-9);
        assert_eq!(bounds([].into_iter(), 0.05), 0. ..1.);
        assert_eq!(bounds([f64::MIN, f64::MAX].into_iter(), 0.05), f64::MIN - 0.5..f64::MAX + 0.5);
    }

    #[test]
    fn labels_are_short() {
        assert_eq!([0.1 + 0.2, 98., 0.00001, 0.00095, 0.].map(number), ["0.3", "98", "1e-5", "9.5e-4", "0"]);
    }
}
