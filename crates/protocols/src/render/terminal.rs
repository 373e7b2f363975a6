//! Tables for a terminal, in aligned columns.

use std::fmt::Write;

use super::text::{blocks, legend, lines, name as row_name, partial, remark, title};
use crate::table::Table;

pub(super) fn terminal(table: &Table) -> String {
    // Data set, label, numbers; `None` is an empty line between data sets.
    let mut rows: Vec<Option<(String, String, Vec<String>)>> = Vec::new();
    for (name, of_it) in blocks(table) {
        // Intervals only where methods are compared: in the average, or the only data set.
        let last = name == "average" || table.data_sets.len() == 1;
        let mut name = name.to_string();
        rows.push(None);
        for row in of_it {
            for (label, texts) in lines(row, &row_name(row, false), "  ", last) {
                rows.push(Some((std::mem::take(&mut name), label, texts)));
            }
            if let Some(remark) = remark(row) {
                rows.push(Some((String::new(), format!("  {remark}"), Vec::new())));
            }
        }
    }
    let heads: Vec<String> = table.columns.iter().map(|c| c.title()).collect();
    let chars = |text: &str| text.chars().count();
    let all = || rows.iter().flatten();
    let first = all().map(|r| chars(&r.0)).max().unwrap_or(0).max(8);
    // A remark has no numbers, and may be as long as it likes.
    let with_numbers = all().filter(|r| !r.2.is_empty());
    let second = with_numbers.map(|r| chars(&r.1)).max().unwrap_or(0).max(6);
    let widths: Vec<usize> = heads
        .iter()
        .enumerate()
        .map(|(i, head)| {
            let texts = all().map(|r| r.2.get(i).map_or(0, |text| chars(text)));
            texts.max().unwrap_or(0).max(chars(head))
        })
        .collect();
    let mut text = format!("{}\n{}\n\n", title(table), legend(table));
    let mut line = |a: &str, b: &str, texts: &[String]| {
        let mut line = format!("{a:first$}  {b:second$}");
        for (value, width) in texts.iter().zip(&widths) {
            let _ = write!(line, "  {value:>width$}");
        }
        text += line.trim_end();
        text.push('\n');
    };
    line("data set", "method", &heads);
    for row in &rows {
        match row {
            Some((a, b, texts)) => line(a, b, texts),
            None => line("", "", &[]),
        }
    }
    if let Some(partial) = partial(table) {
        let _ = write!(text, "\n{partial}\n");
    }
    text
}
