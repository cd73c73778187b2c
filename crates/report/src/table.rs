//! Tables in a page.

use crate::blocks::Table;
use crate::escape::escape;

/// A table, whose first column heads its rows.
pub(crate) fn table(content: &Table) -> String {
    let Table { caption, columns, rows, folded } = content;
    let class = |place: usize| if columns[place].numeric { " class=\"n\"" } else { "" };
    let head = |place: usize| format!("<th scope=\"col\"{}>{}</th>", class(place), escape(&columns[place].name));
    let heads: String = (0..columns.len()).map(head).collect();
    let row = |cells: &Vec<String>| {
        let cell = |(place, text): (usize, &String)| match place {
            0 => format!("<th scope=\"row\"{}>{}</th>", class(0), escape(text)),
            _ => format!("<td{}>{}</td>", class(place), escape(text)),
        };
        let cells: String = cells.iter().take(columns.len()).enumerate().map(cell).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let rows: String = rows.iter().map(row).collect();
    let caption = escape(caption);
    let table = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table>\n<caption>{caption}</caption>\n\
         <thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    );
    if *folded { format!("<details><summary>{caption}</summary>\n{table}</details>\n") } else { table }
}
