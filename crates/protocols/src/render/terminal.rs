//! Tables for a terminal, in aligned columns.

use std::fmt::Write;

use super::text::{
    AVERAGE, Line, blocks, legend, lines, name as row_name, notes, partial, remark, title,
    with_best,
};
use crate::table::Table;

/// `bold`: whether the best number of each column is bold, which not every terminal shows.
pub(super) fn terminal(table: &Table, bold: bool) -> String {
    // Data set and line; `None` is an empty line between data sets.
    let mut rows: Vec<Option<(String, Line)>> = Vec::new();
    for (name, of_it) in blocks(table) {
        // Intervals only where methods are compared: in the average, or the only data set.
        let averages = name == AVERAGE;
        let last = averages || table.data_sets.len() == 1;
        let mut name = name.to_string();
        rows.push(None);
        for (row, best) in with_best(of_it) {
            let label = row_name(row, false);
            for line in lines(table, (row, best), (&label, false), "  ", last, averages) {
                rows.push(Some((std::mem::take(&mut name), line)));
            }
            if let Some(remark) = remark(row) {
                let line = Line::new(format!("  {remark}"), Vec::new());
                rows.push(Some((String::new(), line)));
            }
        }
    }
    let heads: Vec<String> = table.columns.iter().map(|c| c.title()).collect();
    let chars = |text: &str| text.chars().count();
    let all = || rows.iter().flatten();
    let first = all().map(|r| chars(&r.0)).max().unwrap_or(0).max(8);
    // A remark has no numbers, and may be as long as it likes.
    let with_numbers = all().filter(|r| !r.1.texts.is_empty());
    let second = with_numbers
        .map(|r| chars(&r.1.label))
        .max()
        .unwrap_or(0)
        .max(6);
    let widths: Vec<usize> = heads
        .iter()
        .enumerate()
        .map(|(i, head)| {
            let texts = all().map(|r| r.1.texts.get(i).map_or(0, |text| chars(text)));
            texts.max().unwrap_or(0).max(chars(head))
        })
        .collect();
    let mut text = format!("{}\n{}\n\n", title(table), legend(table, false));
    let mut line = |a: &str, line: &Line| {
        let mut whole = format!("{a:first$}  {:second$}", line.label);
        for ((value, best), width) in line.texts.iter().zip(&line.best).zip(&widths) {
            // Codes have no width on the screen.
            let spaces = width.saturating_sub(chars(value));
            let value = match bold && *best {
                true => format!("\x1b[1m{value}\x1b[0m"),
                false => value.clone(),
            };
            let _ = write!(whole, "  {:spaces$}{value}", "");
        }
        text += whole.trim_end();
        text.push('\n');
    };
    line("data set", &Line::new("method".into(), heads.clone()));
    for row in &rows {
        match row {
            Some((name, of_it)) => line(name, of_it),
            None => line("", &Line::new(String::new(), Vec::new())),
        }
    }
    let notes = notes(table);
    if !notes.is_empty() {
        let _ = write!(text, "\n{}\n", notes.join("\n"));
    }
    if let Some(partial) = partial(table) {
        let _ = write!(text, "\n{partial}\n");
    }
    text
}
