//! Tables in Markdown.

use std::fmt::Write;

use super::text::{
    AVERAGE, Line, blocks, legend, lines, name as row_name, notes, partial, remark, title,
    with_best,
};
use crate::table::{Row, Table};

pub(super) fn markdown(table: &Table) -> String {
    let plain = |text: &str| text.replace('|', "\\|");
    let mut text = format!(
        "**{}.** {}\n",
        title(table),
        legend(table, true).replace('\n', " ")
    );
    if let Some(partial) = partial(table) {
        let _ = writeln!(text, "\n*{partial}*");
    }
    let heads: Vec<String> = table.columns.iter().map(|c| c.title()).collect();
    let _ = writeln!(text, "\n| data set | method | {} |", heads.join(" | "));
    let _ = writeln!(text, "|---|---|{}", "--:|".repeat(heads.len()));
    for (name, rows) in blocks(table) {
        let averages = name == AVERAGE;
        let mut name = plain(name);
        for row in with_best(rows) {
            for Line { label, texts, best } in rows_of(table, row, averages) {
                let texts = texts.into_iter().zip(best).map(|(text, best)| match best {
                    true => format!("**{text}**"),
                    false => text,
                });
                let texts: Vec<String> = texts.collect();
                let _ = writeln!(
                    text,
                    "| {} | {} | {} |",
                    std::mem::take(&mut name),
                    plain(&label),
                    texts.join(" | ")
                );
            }
        }
    }
    for note in notes(table) {
        let _ = writeln!(text, "\n{}", plain(&note));
    }
    text
}

/// The lines of a row, and what is to be said about it.
fn rows_of(table: &Table, (row, best): (&Row, Vec<bool>), averages: bool) -> Vec<Line> {
    let name = row_name(row, true);
    let mut all = lines(table, (row, best), (&name, true), "&nbsp; ", true, averages);
    if let Some(remark) = remark(row) {
        let empty = row.cells.iter().map(|_| String::new()).collect();
        all.push(Line::new(format!("&nbsp; *{remark}*"), empty));
    }
    all
}
