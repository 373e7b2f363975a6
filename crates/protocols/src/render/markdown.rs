//! Tables in Markdown.

use std::fmt::Write;

use super::text::{blocks, legend, lines, name as row_name, partial, remark, title};
use crate::table::{Row, Table};

pub(super) fn markdown(table: &Table) -> String {
    let plain = |text: &str| text.replace('|', "\\|");
    let mut text = format!(
        "**{}.** {}\n",
        title(table),
        legend(table).replace('\n', " ")
    );
    if let Some(partial) = partial(table) {
        let _ = writeln!(text, "\n*{partial}*");
    }
    let heads: Vec<String> = table.columns.iter().map(|c| c.title()).collect();
    let _ = writeln!(text, "\n| data set | method | {} |", heads.join(" | "));
    let _ = writeln!(text, "|---|---|{}", "--:|".repeat(heads.len()));
    for (name, rows) in blocks(table) {
        let mut name = plain(name);
        for row in rows {
            for (label, texts) in rows_of(row) {
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
    text
}

/// The lines of a row, and what is to be said about it.
fn rows_of(row: &Row) -> Vec<(String, Vec<String>)> {
    let mut all = lines(row, &row_name(row, true), "&nbsp; ", true);
    if let Some(remark) = remark(row) {
        let empty = row.cells.iter().map(|_| String::new()).collect();
        all.push((format!("&nbsp; *{remark}*"), empty));
    }
    all
}
