//! The confusion matrix in a page: a table where it can be read, a picture and the worst pairs where it cannot.

use crate::blocks::{Column, Matrix, Table};
use crate::data_uri::data_uri;
use crate::escape::escape;
use crate::png;
use crate::table::table;

/// More classes make a picture.
const READABLE: usize = 20;

/// Even more are not drawn: the picture would take hundreds of megabytes, and a pixel a class says nothing.
const DRAWN: usize = 2000;

/// The power by which shares of mistakes are shown: a few among thousands matter.
const MISTAKES: f64 = 0.3;

/// Pairs of classes that are told of.
const PAIRS: usize = 10;

pub(crate) fn confusion(matrix: &Matrix) -> String {
    let whole = match matrix.classes.len() {
        0..=READABLE => grid(matrix),
        count if count <= DRAWN => picture(matrix),
        _ => String::new(),
    };
    whole + &pairs(matrix)
}

fn grid(matrix: &Matrix) -> String {
    let Matrix { classes, counts } = matrix;
    let heads: String = classes.iter().map(|name| format!("<th scope=\"col\">{}</th>", escape(name))).collect();
    let shares = matrix.shares();
    let rows = classes.iter().enumerate().map(|(label, name)| {
        let cell = |predicted: usize| {
            let place = label * classes.len() + predicted;
            cell(counts[place], shares[place], label == predicted)
        };
        let cells: String = (0..classes.len()).map(cell).collect();
        format!("<tr><th scope=\"row\">{}</th>{cells}</tr>\n", escape(name))
    });
    let rows: String = rows.collect();
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Confusion matrix\"><table class=\"matrix\">\
         <caption>Images by true class (rows) and predicted class (columns)</caption>\n\
         <thead><tr><th scope=\"col\">true \\ predicted</th>{heads}</tr></thead>\n<tbody>{rows}</tbody></table></div>\n"
    )
}

/// A count in the colour of its share of the row. Mistakes are shown stronger than they are.
fn cell(count: u64, share: f64, correct: bool) -> String {
    let strength = if correct { share } else { share.powf(MISTAKES) };
    let kind = if correct { "right" } else { "wrong" };
    let strong = if strength > 0.6 { " strong" } else { "" };
    match count {
        0 => "<td class=\"none\">0</td>".to_owned(),
        _ => format!("<td class=\"{kind}{strong}\" style=\"--s:{strength:.3}\">{count}</td>"),
    }
}

fn picture(matrix: &Matrix) -> String {
    let uri = data_uri(&png::confusion(matrix));
    let count = matrix.classes.len();
    let text = format!("Confusion matrix of {count} classes: true ones downwards, predicted ones to the right");
    format!("<figure><img class=\"heat\" src=\"{uri}\" alt=\"{text}\" /><figcaption>{text}</figcaption></figure>\n")
}

fn pairs(matrix: &Matrix) -> String {
    let rows: Vec<_> = matrix
        .mistakes(PAIRS)
        .into_iter()
        .map(|(truth, predicted, count)| vec![truth.to_owned(), predicted.to_owned(), count.to_string()])
        .collect();
    if rows.is_empty() {
        return "<p>No image was misclassified.</p>\n".to_owned();
    }
    let column = |name: &str, numeric| Column { name: name.to_owned(), numeric };
    let columns = vec![column("true class", false), column("predicted as", false), column("images", true)];
    table(&Table { caption: "The most frequent confusions".to_owned(), columns, rows, folded: false })
}
