//! Results for people.

use std::fmt::{self, Write};

use anstyle::{Ansi256Color, Style};

use super::calibration::Calibration;
use super::comparison::Comparison;
use super::percent::{percent, percent_or_dash};
use super::results::Results;
use super::summary::{ClassRow, Summary};
use crate::columns::{fill, shortened, width};
use crate::printable;

/// Up to as many classes are shown one by one.
const SHOWN: usize = 20;

/// Mistakes that are shown.
const MISTAKES: usize = 10;

/// Columns of the longest name.
const LONGEST: usize = 24;

/// Results for people; `colour` is for terminals.
pub fn text(results: &Results, colour: bool) -> String {
    let mut out = String::new();
    let written = write(&mut out, results, colour);
    written.unwrap_or_else(|error| unreachable!("memory takes everything: {error}"));
    out
}

fn write(out: &mut String, results: &Results, colour: bool) -> fmt::Result {
    let Results { dataset, split, models, comparison, calibration, .. } = results;
    let count = models.first().map_or(0, |model| model.images);
    writeln!(out, "{}, {split}: {count} images", printable(dataset))?;
    for (place, model) in models.iter().enumerate() {
        let name = if models.len() > 1 { ["A  ", "B  "][place % 2] } else { "" };
        writeln!(out, "\n{name}{} ({})", printable(&model.model), model.architecture)?;
        totals(out, model)?;
    }
    if let [model] = &models[..] {
        classes(out, model)?;
        if model.per_class.len() <= SHOWN {
            matrix(out, model, colour)?
        } else {
            pairs(out, model)?
        }
        mistakes(out, model)?;
    }
    comparison.iter().try_for_each(|comparison| compared(out, comparison))?;
    calibration.iter().try_for_each(|calibration| calibrated(out, calibration))
}

fn totals(out: &mut String, model: &Summary) -> fmt::Result {
    let line = |out: &mut String, name: &str, value: &str, more: &str| writeln!(out, "{name:<10} {value:>9}  {more}");
    let (low, high) = (100. * model.accuracy_low, 100. * model.accuracy_high);
    let (correct, images) = (model.correct, model.images);
    let interval = format!("95 % interval {low:.2} to {high:.2}; {correct} of {images} correct");
    line(out, "accuracy", &percent(model.accuracy), &interval)?;
    if let Some(top5) = model.top5 {
        writeln!(out, "{:<10} {:>9}", "top-5", percent(top5))?;
    }
    let temperature = match model.temperature {
        1. => "nats".to_owned(),
        temperature => format!("nats, at temperature {temperature:.4}"),
    };
    line(out, "NLL", &format!("{:.4}", model.nll), &temperature)?;
    line(out, "ECE", &percent(model.ece), "15 bins")?;
    line(out, "F1", &percent(model.means.f1), "mean over the classes")
}

fn classes(out: &mut String, model: &Summary) -> fmt::Result {
    let mut rows: Vec<_> = model.per_class.iter().collect();
    if rows.len() > SHOWN {
        // The worst ones: a class without images says nothing.
        rows.retain(|row| row.images > 0);
        rows.sort_by(|a, b| a.f1.unwrap_or(0.).total_cmp(&b.f1.unwrap_or(0.)).then(a.class.cmp(&b.class)));
        rows.truncate(SHOWN);
        writeln!(out, "\nthe {} classes with the lowest F1 of {}", rows.len(), model.per_class.len())?;
    } else {
        writeln!(out)?;
    }
    let widest = rows.iter().map(|row| width(&name(&row.name))).max().unwrap_or(0).max(5);
    writeln!(out, "{:<widest$}  images  precision     recall         F1", "class")?;
    for ClassRow { name: class, images, precision, recall, f1, .. } in rows {
        let [precision, recall, f1] = [precision, recall, f1].map(|share| percent_or_dash(*share));
        let (class, space) = (name(class), fill(&name(class), widest));
        writeln!(out, "{class}{space}  {images:>6}  {precision:>9}  {recall:>9}  {f1:>9}")?;
    }
    Ok(())
}

/// A class's name on one line, not too long.
fn name(class: &str) -> String {
    shortened(class, LONGEST)
}

fn matrix(out: &mut String, model: &Summary, colour: bool) -> fmt::Result {
    let names: Vec<_> = model.class_names().map(name).collect();
    let widest = names.iter().map(|name| width(name)).max().unwrap_or(0);
    let digits = model.confusion.iter().flatten().max().map_or(1, |count| count.to_string().len()).max(3);
    writeln!(out, "\nconfusion: true classes downwards, predicted ones to the right")?;
    let head = |name: &String| {
        let name = shortened(name, digits);
        fill(&name, digits) + &name
    };
    let heads: Vec<_> = names.iter().map(head).collect();
    writeln!(out, "{}  {}", " ".repeat(widest), heads.join("  "))?;
    for (label, (counts, name)) in model.confusion.iter().zip(&names).enumerate() {
        write!(out, "{name}{} ", fill(name, widest))?;
        let total = counts.iter().sum::<u64>().max(1) as f64;
        for (predicted, &count) in counts.iter().enumerate() {
            let text = if count == 0 { "\u{b7}".to_owned() } else { count.to_string() };
            let style = if colour { shade(count as f64 / total, label == predicted) } else { Style::new() };
            write!(out, "{style} {text:>digits$} {style:#}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// The colours of a share of a row: blue where it is right, red where not. Mistakes are shown stronger than they are.
fn shade(share: f64, correct: bool) -> Style {
    const RIGHT: [u8; 5] = [17, 18, 19, 20, 21];
    const WRONG: [u8; 5] = [52, 88, 124, 160, 196];
    if share == 0. {
        return Style::new().dimmed();
    }
    let (colours, strength) = if correct { (RIGHT, share) } else { (WRONG, share.sqrt()) };
    let colour = colours[((strength * 5.) as usize).min(4)];
    Style::new().fg_color(Some(Ansi256Color(231).into())).bg_color(Some(Ansi256Color(colour).into()))
}

fn pairs(out: &mut String, model: &Summary) -> fmt::Result {
    let cells = model
        .confusion
        .iter()
        .enumerate()
        .flat_map(|(label, row)| row.iter().enumerate().map(move |(predicted, &count)| (count, label, predicted)));
    let mut pairs: Vec<_> = cells.filter(|&(count, label, predicted)| count > 0 && label != predicted).collect();
    pairs.sort_by_key(|&(count, label, predicted)| (std::cmp::Reverse(count), label, predicted));
    pairs.truncate(SHOWN);
    if pairs.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nthe most frequent confusions")?;
    let class = |class: usize| name(&model.per_class[class].name);
    for (count, label, predicted) in pairs {
        writeln!(out, "{count:>6}  {} taken for {}", class(label), class(predicted))?;
    }
    Ok(())
}

fn mistakes(out: &mut String, model: &Summary) -> fmt::Result {
    if model.worst.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nworst mistakes, by loss")?;
    for mistake in model.worst.iter().take(MISTAKES) {
        let (label, predicted, loss) = (name(&mistake.label), name(&mistake.predicted), mistake.loss);
        let (source, percent) = (printable(&mistake.source), percent(mistake.confidence));
        writeln!(out, "{loss:>8.3}  {label} taken for {predicted} ({percent})  {source}")?;
    }
    Ok(())
}

fn compared(out: &mut String, comparison: &Comparison) -> fmt::Result {
    let Comparison { both_correct, only_a_correct, only_b_correct, both_wrong, .. } = comparison;
    writeln!(out, "\n{:<10} {:>10}  {:>10}", "", "B correct", "B wrong")?;
    writeln!(out, "{:<10} {both_correct:>10}  {only_a_correct:>10}", "A correct")?;
    writeln!(out, "{:<10} {only_b_correct:>10}  {both_wrong:>10}", "A wrong")?;
    writeln!(out, "\n{}", comparison.conclusion())
}

fn calibrated(out: &mut String, calibration: &Calibration) -> fmt::Result {
    let Calibration { found, before, after, saved } = calibration;
    let (split, images) = (found.split, found.images);
    writeln!(out, "\ntemperature {:.4}, found on {images} images ({split})", found.temperature)?;
    writeln!(out, "{:<10} {:>9}  {:>9}", "", "before", "after")?;
    writeln!(out, "{:<10} {:>9.4}  {:>9.4}  nats", "NLL", before.nll, after.nll)?;
    writeln!(out, "{:<10} {:>9}  {:>9}", "ECE", percent(before.ece), percent(after.ece))?;
    saved.iter().try_for_each(|file| writeln!(out, "saved in {}", printable(file)))
}
