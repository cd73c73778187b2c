//! Pages as browsers and readers of the screen find them.

use kiln_report::{
    Block, Column, Curve, Curves, Figure, Matrix, Mistake, Reliability, Report, RgbPicture, Section, Table,
};
use roxmltree::{Document, Node, ParsingOptions};

/// What no page must take for more than text.
const HOSTILE: &str = "</td></style><script>alert(1)</script> & \" ' \u{7}\u{202e} 猫 \u{1f600}";

/// As [`HOSTILE`] is read: without the control character.
const READ: &str = "</td></style><script>alert(1)</script> & \" ' \\u{7}\u{202e} 猫 \u{1f600}";

fn text() -> String {
    HOSTILE.to_owned()
}

fn mistake(picture: Option<RgbPicture>) -> Mistake {
    Mistake { picture, source: text(), truth: text(), predicted: text(), confidence: 0.5 }
}

fn matrix(classes: usize) -> Matrix {
    let counts = (0..classes * classes).map(|place| if place % (classes + 1) == 0 { 90 } else { place as u64 % 3 });
    Matrix { classes: (0..classes).map(|class| format!("{HOSTILE} {class}")).collect(), counts: counts.collect() }
}

/// A report with every kind of block.
fn everything(classes: usize) -> Report {
    let curve = |points: &[(f64, f64)]| Curve { name: text(), points: points.to_vec() };
    let curves = |curves| Curves { title: text(), x_name: text(), y_name: text(), curves };
    let charts = vec![
        curves(vec![curve(&[(1., 2.), (2., 0.5), (3., f64::NAN)]), curve(&[(1., 1e9), (2., -1e9)])]),
        curves(vec![curve(&[(1., 0.3)])]),
        curves(vec![curve(&[(1., f64::INFINITY)]), curve(&[])]),
        curves(Vec::new()),
    ];
    let bin = Reliability { low: 0.5, high: 1., images: 9, confidence: 0.8, accuracy: 0.7 };
    let columns = vec![Column { name: text(), numeric: false }, Column { name: text(), numeric: true }];
    let table = |folded| Table { caption: text(), columns: columns.clone(), rows: vec![vec![text(), text()]], folded };
    let picture = RgbPicture::of_planes([1, 2, 3], &[0, 50, 100, 150, 200, 250]);
    let broken = RgbPicture { width: 9, height: 9, pixels: vec![0] };
    let blocks = vec![
        Block::Text(text()),
        Block::Figures(vec![Figure { name: text(), value: text(), note: text() }]),
        Block::Table(table(false)),
        Block::Table(table(true)),
        Block::Charts(charts),
        Block::Reliability(vec![bin]),
        Block::Confusion(matrix(classes)),
        Block::Mistakes(vec![mistake(picture), mistake(None), mistake(Some(broken))]),
        Block::Code(text()),
    ];
    Report { title: text(), subtitle: text(), sections: vec![Section { heading: text(), blocks }] }
}

fn parsed(html: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(html, options).unwrap_or_else(|error| panic!("not well-formed: {error}"))
}

fn named<'a>(page: &'a Document<'a>, name: &'a str) -> impl Iterator<Item = Node<'a, 'a>> {
    page.descendants().filter(move |node| node.tag_name().name() == name)
}

#[test]
fn texts_are_texts_wherever_they_stand() {
    let html = everything(3).to_html();
    let page = parsed(&html);
    assert_eq!(named(&page, "script").count(), 0);
    for name in ["title", "h1", "h2", "p", "dt", "b", "small", "th", "td", "caption", "summary", "text", "pre"] {
        let found =
            named(&page, name).any(|node| node.descendants().filter_map(|part| part.text()).any(|t| t.contains(READ)));
        assert!(found, "no {READ} in a {name}");
    }
    assert!(named(&page, "img").all(|image| image.attribute("alt").unwrap().contains(READ)));
}

#[test]
fn a_page_is_one_file() {
    let html = everything(40).to_html();
    let page = parsed(&html);
    for node in page.descendants() {
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            assert!(!["href", "action", "data"].contains(&name), "{name}=\"{value}\"");
            assert!(name != "src" || value.starts_with("data:image/png;base64,"), "{name}=\"{value}\"");
            assert!(!name.starts_with("on"), "{name}=\"{value}\"");
        }
    }
    let style: String = named(&page, "style").filter_map(|style| style.text()).collect();
    assert!(!style.contains("url(") && !style.contains("@import"), "{style}");
    assert!(style.contains("prefers-color-scheme:dark"));
    assert!(named(&page, "meta").any(|meta| meta.attribute("name") == Some("viewport")));
}

#[test]
fn those_who_do_not_see_it_can_read_it() {
    for classes in [2, 40] {
        let html = everything(classes).to_html();
        let page = parsed(&html);
        assert!(named(&page, "html").all(|html| html.attribute("lang") == Some("en")));
        for table in named(&page, "table") {
            assert!(table.children().any(|part| part.tag_name().name() == "caption"));
            let heads = table.descendants().filter(|node| node.tag_name().name() == "th");
            assert!(heads.clone().count() > 1 && heads.clone().all(|head| head.attribute("scope").is_some()));
        }
        assert!(named(&page, "img").all(|image| image.attribute("alt").is_some_and(|text| !text.is_empty())));
        let charts: Vec<_> = named(&page, "svg").collect();
        assert_eq!(charts.len(), 5);
        assert!(charts.iter().all(|chart| chart.attribute("role") == Some("img") && chart.has_attribute("aria-label")));
    }
}

#[test]
fn charts_leave_their_colours_to_the_page() {
    let html = everything(2).to_html();
    let page = parsed(&html);
    let style: String = named(&page, "style").filter_map(|style| style.text()).collect();
    let mut colours = 0;
    for node in named(&page, "svg").flat_map(|svg| svg.descendants()) {
        for attribute in node.attributes().filter(|attribute| ["fill", "stroke"].contains(&attribute.name())) {
            let (name, value) = (attribute.name(), attribute.value());
            assert!(value == "none" || style.contains(&format!("[{name}=\"{value}\"]")), "{name}=\"{value}\"");
            colours += 1;
        }
    }
    assert!(colours > 20, "{colours}");
}

#[test]
fn the_same_data_gives_the_same_bytes() {
    assert_eq!(everything(25).to_html(), everything(25).to_html());
}
