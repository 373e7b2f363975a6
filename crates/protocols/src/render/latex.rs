//! Tables in LaTeX, with the package `booktabs`.

use std::fmt::Write;

use super::text::{
    AVERAGE, Line, blocks, legend, lines, name as row_name, notes, partial, remark, title,
    with_best,
};
use crate::column::Column;
use crate::table::{Row, Table};

pub(super) fn latex(table: &Table) -> String {
    let mut text = String::new();
    let comment = [
        Some(title(table)),
        Some(legend(table, true)),
        partial(table),
    ];
    let notes = notes(table);
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
        let averages = name == AVERAGE;
        let mut name = tex(if averages { "Average" } else { name });
        text += "\\midrule\n";
        for row in with_best(rows) {
            for Line { label, texts, best } in rows_of(table, row, averages) {
                let texts = texts.iter().zip(best);
                let texts: Vec<String> = texts.map(|(text, best)| tex_number(text, best)).collect();
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
    for note in &notes {
        let _ = writeln!(text, "\n{}", tex(note));
    }
    text
}

/// The lines of a row, and what is to be said about it.
fn rows_of(table: &Table, (row, best): (&Row, Vec<bool>), averages: bool) -> Vec<Line> {
    let name = tex(&row_name(row, true));
    let mut all = lines(table, (row, best), (&name, true), "\\quad ", true, averages);
    if let Some(remark) = remark(row) {
        let empty = row.cells.iter().map(|_| String::new()).collect();
        all.push(Line::new(
            format!("\\quad {}", tex(&remark).replace("\\%", "%")),
            empty,
        ));
    }
    all
}

fn tex_number(text: &str, best: bool) -> String {
    if best {
        // Bold text, in which only the sign is mathematics.
        format!("\\textbf{{{}}}", text.replace('±', "$\\pm$"))
    } else if text.contains(['±', '(']) {
        format!("${}$", text.replace('±', "\\pm"))
    } else {
        text.replace('<', "$<$")
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
