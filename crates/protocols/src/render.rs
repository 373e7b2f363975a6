//! Tables as text for people, papers and programs. The same tables give the same bytes.

mod best;
mod csv;
mod json;
mod latex;
mod markdown;
mod shown;
mod terminal;
mod text;

use std::str::FromStr;

use serde_json::Value;

use crate::table::Table;

use csv::{csv, csv_of_seeds};
use json::json;
use latex::latex;
use markdown::markdown;
pub use shown::{TextLine, TextTable};
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

/// A table as texts, for programs that set it themselves.
pub fn text_table(table: &Table) -> TextTable {
    shown::shown(table)
}

/// The text of tables in a format. The best number of each column is bold; in a terminal only with
/// `bold`, because that takes control characters.
pub fn render(tables: &[Table], format: Format, bold: bool) -> String {
    let each = |one: &dyn Fn(&Table) -> String| -> String {
        tables.iter().map(one).collect::<Vec<_>>().join("\n")
    };
    match format {
        Format::Terminal => each(&|table| terminal(table, bold)),
        Format::Markdown => each(&markdown),
        Format::Latex => each(&latex),
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
    use crate::baseline::compare_with;
    use crate::example_results::{example, fixed_classes};
    use crate::published::add_published;
    use crate::tables::tables;

    fn text(format: Format) -> String {
        render(&tables(&example(), &[]).expect("a table"), format, false)
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
            markdown.contains("| b | CLIP | 50.00 | **50.00** | 50.00 |"),
            "{markdown}"
        );
        assert!(
            markdown.contains("| PromptSRC | **85.00 ± 5.00** | **50.00 ± 10.00** |"),
            "{markdown}"
        );

        let latex = text(Format::Latex);
        let rows: Vec<&str> = latex.lines().filter(|l| l.ends_with("\\\\")).collect();
        assert!(rows.len() > 8, "{latex}");
        for row in rows {
            assert_eq!(row.matches('&').count(), 4, "{row}");
        }
        let best = "PromptSRC & \\textbf{85.00 $\\pm$ 5.00} & ";
        assert!(latex.contains(best), "{latex}");
        assert!(
            latex.contains("CLIP & 50.00 & \\textbf{50.00} & 50.00"),
            "{latex}"
        );
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
    fn the_best_is_bold_in_a_terminal_that_shows_it() {
        let tables = tables(&example(), &[]).expect("a table");
        let plain = render(&tables, Format::Terminal, false);
        let bold = render(&tables, Format::Terminal, true);
        assert!(!plain.contains('\x1b'));
        assert!(bold.contains("  \x1b[1m85.00 ± 5.00\x1b[0m"), "{bold}");
        assert_eq!(bold.matches("\x1b[1m").count(), 10);
        // Without the codes, it is the same text: columns stay aligned.
        assert_eq!(bold.replace("\x1b[1m", "").replace("\x1b[0m", ""), plain);
        let json: Value =
            serde_json::from_str(&render(&tables, Format::Json, false)).expect("JSON");
        assert_eq!(json["sets"]["b"]["promptsrc"]["base"]["best"], true);
        assert_eq!(json["sets"]["b"]["zero-shot"]["base"]["best"], false);
        assert_eq!(json["sets"]["b"]["zero-shot"]["novel"]["best"], true);
        assert!(!render(&tables, Format::Csv, true).contains("**"));
    }

    #[test]
    fn a_baseline_is_compared_with_in_every_format() {
        let mut tables = tables(&example(), &[]).expect("a table");
        assert!(compare_with(&mut tables[0], "zero-shot"));
        let text = render(&tables, Format::Terminal, false);
        // The p-values are those of scipy.stats.ttest_1samp.
        let expected = "
average   zero-shot                  55.00          35.00          42.78
          promptsrc           75.00 ± 5.00  60.00 ± 10.00   66.67 ± 8.17
            95 % interval          2 seeds        2 seeds        2 seeds
            less zero-shot          +20.00         +25.00         +25.00
            p over pairs       0.1162, n 4    0.2062, n 4    0.0624, n 4
            p over data sets   0.4097, n 2    0.5000, n 2    0.2918, n 2
";
        assert!(text.ends_with(expected), "{text}");
        for words in [
            "less zero-shot: the mean difference to it over pairs of the same data set and seed",
            "which the seeds of a data set are not",
            "            less zero-shot           +5.00",
        ] {
            assert!(text.contains(words), "no {words:?} in {text}");
        }
        let markdown = render(&tables, Format::Markdown, false);
        assert!(
            markdown.contains("&nbsp; p over data sets | 0.4097, n 2 |"),
            "{markdown}"
        );
        let latex = render(&tables, Format::Latex, false);
        assert!(
            latex.contains("\\quad less CLIP & +20.00 & +25.00"),
            "{latex}"
        );
        let json: Value =
            serde_json::from_str(&render(&tables, Format::Json, false)).expect("JSON");
        assert_eq!(json["baseline"], "zero-shot");
        let against = &json["average"]["promptsrc"]["base"]["against_baseline"];
        assert_eq!(against["difference"], 20.0);
        assert_eq!(
            (&against["over_pairs"]["n"], &against["over_data_sets"]["n"]),
            (&4.into(), &2.into())
        );
        let of_set = &json["sets"]["b"]["promptsrc"]["base"]["against_baseline"];
        assert_eq!(of_set["over_data_sets"]["p"], Value::Null);
        assert_eq!(of_set["over_data_sets"]["no_p_because"], "one pair");
        assert_eq!(
            json["average"]["zero-shot"]["base"]["against_baseline"],
            Value::Null
        );
        let csv = render(&tables, Format::Csv, false);
        let (head, _) = csv.split_once('\n').expect("lines");
        assert!(
            head.contains("baseline,less_baseline,p_over_pairs,n_over_pairs"),
            "{csv}"
        );
        assert!(csv.contains(",zero-shot,20,0.116"), "{csv}");
        assert!(csv.contains("data sets: one pair"), "{csv}");
        // Every line has all of the columns.
        let mut reader = ::csv::Reader::from_reader(csv.as_bytes());
        assert_eq!(reader.records().filter(|line| line.is_err()).count(), 0);
        assert!(csv.lines().count() > 12);
        // Without one, there are no columns of it.
        tables[0].baseline = None;
        assert!(!render(&tables, Format::Csv, false).contains("baseline"));
    }

    #[test]
    fn needs_and_dashes_are_explained_below_the_table() {
        let mut results = example();
        results.extend(fixed_classes(&[1, 2]));
        let mut tables = tables(&results, &[]).expect("a table");
        for row in tables[0].data_sets.iter_mut().flat_map(|(_, rows)| rows) {
            if row.method == "promptsrc" {
                row.needs = vec!["texts of a library", "unlabelled images"];
            }
        }
        let needs = "promptsrc, beyond the shots: texts of a library; unlabelled images.";
        let dash = "-: what coop learned belongs to the trained classes";
        for format in [Format::Terminal, Format::Markdown, Format::Latex] {
            let text = render(&tables, format, false);
            assert_eq!(text.matches(needs).count(), 1, "{text}");
            assert!(text.contains(dash), "{text}");
        }
        let text = render(&tables, Format::Terminal, false);
        let row = text
            .lines()
            .find(|line| line.contains("coop   "))
            .expect("a row");
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(cells, ["coop", "91.50", "±", "0.50", "-", "-"], "{text}");
        let json: Value =
            serde_json::from_str(&render(&tables, Format::Json, false)).expect("JSON");
        assert_eq!(json["needs"]["promptsrc"][1], "unlabelled images");
        assert_eq!(json["fixed_classes"], serde_json::json!({ "coop": true }));
        assert_eq!(json["sets"]["DTD"]["coop"]["novel"], Value::Null);
        assert_eq!(json["complete"], true);
        let csv = render(&tables, Format::Csv, false);
        assert!(
            csv.contains("texts of a library; unlabelled images"),
            "{csv}"
        );
    }

    #[test]
    fn published_rows_name_their_sources() {
        let mut tables = tables(&example(), &[]).expect("a table");
        add_published(&mut tables[0]);
        let text = render(&tables, Format::Terminal, false);
        for words in [
            "published: Khattak et al., ICCV 2023, ViT-B/16, mean of 3 seeds.",
            "published of KgCoOp: Wu et al.",
            "published of ProGrad: Wu et al.",
            "Read in github.com/Koorye/DePT at d4ff416",
            "CLIP-Adapter (published)",
        ] {
            assert!(text.contains(words), "no {words:?} in {text}");
        }
        let json: Value =
            serde_json::from_str(&render(&tables, Format::Json, false)).expect("JSON");
        let source = |method: &str| json["published_sources"][method]["source"].to_string();
        assert!(source("MaPLe").contains("Khattak"), "{json}");
        assert!(source("KgCoOp").contains("Skip Tuning"), "{json}");
        let csv = render(&tables, Format::Csv, false);
        assert!(csv.contains("published: Zhang et al., DePT"), "{csv}");
    }

    #[test]
    fn an_incomplete_table_says_so() {
        let mut results = example();
        results.remove(0);
        let tables = tables(&results, &[]).expect("a table");
        for format in [Format::Terminal, Format::Markdown, Format::Latex] {
            let text = render(&tables, format, false);
            let words = "Partial: the run b promptsrc, shots 16, seed 1 is missing.";
            assert!(text.contains(words), "{text}");
        }
        let json: Value =
            serde_json::from_str(&render(&tables, Format::Json, false)).expect("JSON");
        assert_eq!(json["complete"], false);
        assert_eq!(
            json["missing"][0],
            "base-to-novel/promptsrc/b/shots_16/seed_1"
        );
    }
}
