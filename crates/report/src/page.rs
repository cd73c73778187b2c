//! The page.

use crate::blocks::{Block, Figure, Mistake, Report, Section};
use crate::data_uri::data_uri;
use crate::escape::escape;
use crate::table::table;
use crate::{chart, matrix, png};

/// The longer side of a mistake's picture, in pixels.
const SIDE: usize = 96;

const STYLE: &str = include_str!("page/style.css");

impl Report {
    /// The report as an HTML page (also well-formed XML), which loads nothing from elsewhere.
    pub fn to_html(&self) -> String {
        let Self { title, subtitle, sections } = self;
        let (title, subtitle) = (escape(title), escape(subtitle));
        let sections: String = sections.iter().map(section).collect();
        let charts = chart::style();
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta charset=\"utf-8\" />\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n\
             <meta name=\"color-scheme\" content=\"light dark\" />\n<title>{title}</title>\n<style>\n{STYLE}{charts}</style>\n\
             </head>\n<body>\n<header><h1>{title}</h1>\n<p>{subtitle}</p></header>\n<main>\n{sections}</main>\n</body>\n</html>\n"
        )
    }
}

fn section(section: &Section) -> String {
    let blocks: String = section.blocks.iter().map(block).collect();
    format!("<section>\n<h2>{}</h2>\n{blocks}</section>\n", escape(&section.heading))
}

fn block(block: &Block) -> String {
    match block {
        Block::Text(text) => format!("<p>{}</p>\n", escape(text)),
        Block::Figures(figures) => figures_list(figures),
        Block::Table(content) => table(content),
        Block::Charts(charts) => {
            let charts: String = charts.iter().map(chart::curves).collect();
            format!("<div class=\"charts\">\n{charts}</div>\n")
        }
        Block::Reliability(bins) => format!("<div class=\"charts\">\n{}</div>\n", chart::reliability(bins)),
        Block::Confusion(counts) => matrix::confusion(counts),
        Block::Mistakes(mistakes) => gallery(mistakes),
        Block::Code(text) => format!(
            "<pre class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Text of a file\">{}</pre>\n",
            escape(text)
        ),
    }
}

fn figures_list(figures: &[Figure]) -> String {
    let figure = |Figure { name, value, note }: &Figure| {
        let [name, value, note] = [name, value, note].map(|text| escape(text));
        format!("<div><dt>{name}</dt><dd><b>{value}</b> <small>{note}</small></dd></div>\n")
    };
    let figures: String = figures.iter().map(figure).collect();
    format!("<dl class=\"figures\">\n{figures}</dl>\n")
}

fn gallery(mistakes: &[Mistake]) -> String {
    let figure = |mistake: &Mistake| {
        let Mistake { picture, source, truth, predicted, confidence } = mistake;
        let [source, truth, predicted] = [source, truth, predicted].map(|text| escape(text));
        let text = format!("{source}: {truth}, taken for {predicted}");
        let image = match picture.as_ref().and_then(|picture| png::thumbnail(picture, SIDE)) {
            Some(bytes) => format!("<img src=\"{}\" alt=\"{text}\" loading=\"lazy\" />", data_uri(&bytes)),
            None => "<span class=\"nopicture\">no picture</span>".to_owned(),
        };
        let percent = 100. * confidence;
        format!(
            "<figure>{image}<figcaption><b>{truth}</b> taken for <b>{predicted}</b> ({percent:.1}\u{a0}%)<br />\
             <small>{source}</small></figcaption></figure>\n"
        )
    };
    let figures: String = mistakes.iter().map(figure).collect();
    format!("<div class=\"gallery\">\n{figures}</div>\n")
}
