//! Tables as text for people, papers and programs. The same tables give the same bytes.

mod csv;
mod json;
mod latex;
mod markdown;
mod terminal;
mod text;

use std::str::FromStr;

use serde_json::Value;

use crate::table::Table;

use csv::{csv, csv_of_seeds};
use json::json;
use latex::latex;
use markdown::markdown;
use terminal::terminal;

/// The format in which tables are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Aligned, for a terminal.
    #[default]
    Terminal,
    /// For a README or a forum.
    Markdown,
    /// One number per line, for spreadsheets.
    Csv,
    /// For a paper, with the package `booktabs`.
    Latex,
    /// One object, or a list of objects where there are several tables.
    Json,
}

impl Format {
    const ALL: [(&'static str, Self); 5] = [
        ("terminal", Self::Terminal),
        ("markdown", Self::Markdown),
        ("csv", Self::Csv),
        ("latex", Self::Latex),
        ("json", Self::Json),
    ];
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = Self::ALL.map(|(name, _)| name).join(", ");
        let found = Self::ALL.into_iter().find(|(own, _)| *own == name);
        found
            .map(|(_, format)| format)
            .ok_or_else(|| format!("unknown format {name:?}: one of {names}"))
    }
}

/// The accuracies of every seed as comma-separated values: protocol, shots, data set, method, seed,
/// metric, value, and how they were made.
pub fn render_seeds(tables: &[Table]) -> String {
    csv_of_seeds(tables)
}

/// The text of tables in a format.
pub fn render(tables: &[Table], format: Format) -> String {
    let each = |one: fn(&Table) -> String| -> String {
        tables.iter().map(one).collect::<Vec<_>>().join("\n")
    };
    match format {
        Format::Terminal => each(terminal),
        Format::Markdown => each(markdown),
        Format::Latex => each(latex),
        Format::Csv => csv(tables),
        Format::Json => {
            let value = match tables {
                [table] => json(table),
                several => Value::Array(several.iter().map(json).collect()),
            };
            format!("{value:#}\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example_results::example;
    use crate::tables::tables;

    fn text(format: Format) -> String {
        render(&tables(&example(), &[]).expect("a table"), format)
    }

    #[test]
    fn a_terminal_shows_aligned_columns() {
        let expected = "\
Base-to-novel generalisation, 16 shots, seeds 1, 2
Accuracy in per cent, mean ± population deviation over the seeds.
CLIP abc; precision f32; epochs: promptsrc 20; program: not recorded.
Where a published result is not set beside one of ours, the row says what differs.

data set  method                   base          novel  harmonic mean

DTD       zero-shot               60.00          20.00          30.00
            not as published: CLIP, split and images not recorded
          promptsrc        65.00 ± 5.00  70.00 ± 10.00   67.41 ± 7.33
            not as published: 2 seeds; CLIP, split and images not recorded

b         zero-shot               50.00          50.00          50.00
          promptsrc        85.00 ± 5.00  50.00 ± 10.00   62.96 ± 9.33

average   zero-shot               55.00          35.00          42.78
          promptsrc        75.00 ± 5.00  60.00 ± 10.00   66.67 ± 8.17
            95 % interval       2 seeds        2 seeds        2 seeds
";
        assert_eq!(text(Format::Terminal), expected);
    }

    #[test]
    fn markdown_and_latex_have_a_cell_for_every_column() {
        let markdown = text(Format::Markdown);
        let rows: Vec<&str> = markdown.lines().filter(|l| l.starts_with('|')).collect();
        assert!(rows.len() > 8, "{markdown}");
        for row in rows {
            assert_eq!(row.matches('|').count(), 6, "{row}");
        }
        assert!(
            markdown.contains("| b | CLIP | 50.00 | 50.00 | 50.00 |"),
            "{markdown}"
        );
        assert!(
            markdown.contains("| PromptSRC | 85.00 ± 5.00 |"),
            "{markdown}"
        );

        let latex = text(Format::Latex);
        let rows: Vec<&str> = latex.lines().filter(|l| l.ends_with("\\\\")).collect();
        assert!(rows.len() > 8, "{latex}");
        for row in rows {
            assert_eq!(row.matches('&').count(), 4, "{row}");
        }
        assert!(latex.contains("PromptSRC & $85.00 \\pm 5.00$"), "{latex}");
        assert!(latex.contains("95 \\% interval"), "{latex}");
    }

    #[test]
    fn csv_and_json_have_every_digit() {
        let csv = text(Format::Csv);
        let third = "base-to-novel,,16,b,promptsrc,hm,62.96296296296296,";
        assert!(csv.contains(third), "{csv}");
        let json: Value = serde_json::from_str(&text(Format::Json)).expect("JSON");
        assert_eq!(json["sets"]["b"]["promptsrc"]["base"]["mean"], 85.0);
        assert_eq!(json["sets"]["b"]["promptsrc"]["base"]["deviation"], 5.0);
        assert_eq!(
            json["average"]["zero-shot"]["base"]["deviation"],
            Value::Null
        );
        assert_eq!(
            json["sets"]["DTD"]["promptsrc"]["novel"]["published"],
            Value::Null
        );
        assert_eq!(
            json["comparison"]["DTD"]["promptsrc"]["differs"][0],
            "2 seeds"
        );
        assert_eq!(json["made"]["DTD"]["promptsrc"]["clip"][0], "abc");
        let csv = render_seeds(&tables(&example(), &[]).expect("a table"));
        let line = "base-to-novel,,16,b,promptsrc,2,novel,60,abc,f32,20,not recorded";
        assert!(csv.contains(line), "{csv}");
        assert_eq!(json["complete"], true);
    }

    #[test]
    fn an_incomplete_table_says_so() {
        let mut results = example();
        results.remove(0);
        let tables = tables(&results, &[]).expect("a table");
        for format in [Format::Terminal, Format::Markdown, Format::Latex] {
            let text = render(&tables, format);
            let words = "Partial: the run b promptsrc, shots 16, seed 1 is missing.";
            assert!(text.contains(words), "{text}");
        }
        let json: Value = serde_json::from_str(&render(&tables, Format::Json)).expect("JSON");
        assert_eq!(json["complete"], false);
        assert_eq!(
            json["missing"][0],
            "base-to-novel/promptsrc/b/shots_16/seed_1"
        );
    }
}
