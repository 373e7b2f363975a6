//! A table as texts, for programs that set it themselves.

use super::text::{
    AVERAGE, blocks, legend, lines, name as row_name, notes, partial, remark, title, with_best,
};
use crate::table::Table;

/// A table as texts: the same as in the other formats.
#[derive(Clone, Debug, PartialEq)]
pub struct TextTable {
    /// Protocol, shots and seeds.
    pub title: String,
    /// What the numbers mean and how they were made: sentences.
    pub legend: Vec<String>,
    /// That runs are missing, where they are.
    pub partial: Option<String>,
    /// Headings of the numbers.
    pub columns: Vec<String>,
    /// The data sets, and the average, with their lines.
    pub blocks: Vec<(String, Vec<TextLine>)>,
    /// What is to be said below it.
    pub notes: Vec<String>,
}

/// A line of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TextLine {
    /// What it is: a method, or something about the method above.
    pub label: String,
    /// Whether it begins a method.
    pub is_method: bool,
    /// A text for each column, and whether it is the best number of its column; empty for a remark.
    pub cells: Vec<(String, bool)>,
}

pub(super) fn shown(table: &Table) -> TextTable {
    let block = |(name, rows): (&str, &[crate::table::Row])| {
        let mut found = Vec::new();
        for (row, best) in with_best(rows) {
            let label = row_name(row, true);
            let all = lines(
                table,
                (row, best),
                (&label, true),
                "",
                true,
                name == AVERAGE,
            );
            found.extend(all.into_iter().enumerate().map(|(at, line)| TextLine {
                label: line.label,
                is_method: at == 0,
                cells: line.texts.into_iter().zip(line.best).collect(),
            }));
            found.extend(remark(row).map(|label| TextLine {
                label,
                is_method: false,
                cells: Vec::new(),
            }));
        }
        (name.to_string(), found)
    };
    TextTable {
        title: title(table),
        legend: legend(table, true).lines().map(str::to_string).collect(),
        partial: partial(table),
        columns: table.columns.iter().map(|column| column.title()).collect(),
        blocks: blocks(table).map(block).collect(),
        notes: notes(table),
    }
}
