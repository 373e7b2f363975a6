//! Tables in LaTeX, with the package `booktabs`.

use std::fmt::Write;

use super::text::{blocks, legend, lines, name as row_name, partial, remark, title};
use crate::column::Column;
use crate::table::{Row, Table};

pub(super) fn latex(table: &Table) -> String {
    let mut text = String::new();
    let comment = [Some(title(table)), Some(legend(table)), partial(table)];
    for line in comment.iter().flatten().flat_map(|text| text.lines()) {
        let _ = writeln!(text, "% {line}");
    }
    let columns = table.columns.len();
    let heads: Vec<String> = table
        .columns
        .iter()
        .map(|column| match column {
            Column::Base => "Base".to_string(),
            Column::Novel => "Novel".to_string(),
            Column::HarmonicMean => "HM".to_string(),
            Column::Accuracy => "Accuracy".to_string(),
            Column::Shots(_) => column.title(),
        })
        .collect();
    let _ = writeln!(text, "\\begin{{tabular}}{{ll{}}}", "c".repeat(columns));
    let _ = writeln!(
        text,
        "\\toprule\nData set & Method & {} \\\\",
        heads.join(" & ")
    );
    for (name, rows) in blocks(table) {
        let mut name = tex(if name == "average" { "Average" } else { name });
        text += "\\midrule\n";
        for row in rows {
            for (label, texts) in rows_of(row, &tex(&row_name(row, true))) {
                let texts: Vec<String> = texts.iter().map(|text| tex_number(text)).collect();
                let _ = writeln!(
                    text,
                    "{} & {} & {} \\\\",
                    std::mem::take(&mut name),
                    label.replace('%', "\\%"),
                    texts.join(" & ")
                );
            }
        }
    }
    text += "\\bottomrule\n\\end{tabular}\n";
    text
}

/// The lines of a row, and what is to be said about it.
fn rows_of(row: &Row, name: &str) -> Vec<(String, Vec<String>)> {
    let mut all = lines(row, name, "\\quad ", true);
    if let Some(remark) = remark(row) {
        let empty = row.cells.iter().map(|_| String::new()).collect();
        all.push((
            format!("\\quad {}", tex(&remark).replace("\\%", "%")),
            empty,
        ));
    }
    all
}

fn tex_number(text: &str) -> String {
    if text.contains(['±', '(']) {
        format!("${}$", text.replace('±', "\\pm"))
    } else {
        text.to_string()
    }
}

/// Text with the characters that are special to TeX escaped.
fn tex(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                plain.push('\\');
                plain.push(c);
            }
            '~' => plain += "\\textasciitilde{}",
            '^' => plain += "\\textasciicircum{}",
            '\\' => plain += "\\textbackslash{}",
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_special_to_tex_are_escaped() {
        assert_eq!(tex("50 % of a_b"), "50 \\% of a\\_b");
    }
}
