//! A table of texts and numbers.

use maud::{Markup, html};

use crate::limits::TABLE_ROWS;
use crate::number::shown;

/// Rows from which on a table has a box of its own height.
const LONG: usize = 40;

/// A table.
#[derive(Clone, Debug, Default)]
pub(crate) struct DataTable {
    /// Headings, and whether the column has numbers.
    pub columns: Vec<(String, bool)>,
    /// Rows of as many cells.
    pub rows: Vec<Vec<String>>,
    /// What is to be said below it.
    pub note: String,
}

impl DataTable {
    /// A table without rows; a heading that begins with `#` is of numbers.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let column = |heading: &&str| match heading.strip_prefix('#') {
            Some(heading) => (heading.to_string(), true),
            None => (heading.to_string(), false),
        };
        Self {
            columns: headings.iter().map(column).collect(),
            ..Self::default()
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// As HTML, in a box of its own that scrolls.
    pub(crate) fn html(&self) -> Markup {
        let left_out = self.rows.len().saturating_sub(TABLE_ROWS);
        // A short table is seen whole: what a box hides is overlooked.
        let is_long = self.rows.len() > LONG;
        html! {
            div.scroll.long[is_long] tabindex="0" {
                table {
                    thead { tr {
                        @for (heading, number) in &self.columns {
                            th scope="col" class=[number.then_some("n")] { (shown(heading)) }
                        }
                    } }
                    tbody {
                        @for row in self.rows.iter().take(TABLE_ROWS) {
                            tr {
                                @for (cell, (_, number)) in row.iter().zip(&self.columns) {
                                    td class=[number.then_some("n")] { (shown(cell)) }
                                }
                            }
                        }
                    }
                }
            }
            @if left_out > 0 {
                p.note { (left_out) " more rows are left out." }
            }
            @if !self.note.is_empty() {
                p.note { (shown(&self.note)) }
            }
        }
    }
}
