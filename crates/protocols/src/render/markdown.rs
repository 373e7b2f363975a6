//! Tables in Markdown.

use std::fmt::Write;

use super::text::{blocks, legend, lines, partial, title};
use crate::published::paper_name;
use crate::table::Table;

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
            for (label, texts) in lines(row, paper_name(&row.method), "&nbsp; ", true) {
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
