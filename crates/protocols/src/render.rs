//! Tables as text for people, papers and programs. The bytes depend on the numbers alone.

use std::fmt::Write;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use crate::protocol::Protocol;
use crate::published::PAPER;
use crate::table::{Cell, Column, Row, Table};
use promptsrc::methods;

/// How a table is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Aligned, for a terminal.
    #[default]
    Terminal,
    /// For a README or a forum.
    Markdown,
    /// One number a line, for spreadsheets.
    Csv,
    /// For a paper, with the package `booktabs`.
    Latex,
    /// One object; of several tables a list of them.
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

/// Writes tables.
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

/// What a table is of.
fn title(table: &Table) -> String {
    let name = match table.protocol {
        Protocol::BaseToNovel => "Base-to-novel generalisation",
        Protocol::FewShot => "Few-shot classification",
        Protocol::CrossDataset => "Cross-dataset transfer",
        Protocol::DomainGeneralization => "Domain generalisation",
    };
    let mut title = name.to_string();
    if let ([shots], false) = (&table.shots[..], table.protocol == Protocol::FewShot) {
        let s = if *shots == 1 { "" } else { "s" };
        let _ = write!(title, ", {shots} shot{s}");
    }
    let seeds: Vec<String> = table.seeds.iter().map(u64::to_string).collect();
    match &seeds[..] {
        [] => {}
        [seed] => {
            let _ = write!(title, ", seed {seed}");
        }
        seeds => {
            let _ = write!(title, ", seeds {}", seeds.join(", "));
        }
    }
    title
}

/// What the numbers are.
fn legend(table: &Table) -> String {
    let mut legend = "Accuracy in per cent".to_string();
    if cells(table).any(|cell| cell.deviation.is_some()) {
        legend += ", mean ± population deviation over the seeds";
    }
    legend.push('.');
    if cells(table).any(|cell| cell.published.is_some()) {
        let _ = write!(
            legend,
            "\npublished: {PAPER}; in brackets what ours is more."
        );
    }
    legend
}

/// That it is not whole, if it is not.
fn partial(table: &Table) -> Option<String> {
    let first = table.missing.first()?;
    let n = table.missing.len();
    Some(match n {
        1 => format!("Partial: the run {first} is missing."),
        _ => format!("Partial: {n} runs are missing, the first: {first}."),
    })
}

fn cells(table: &Table) -> impl Iterator<Item = &Cell> {
    let sets = table.data_sets.iter().flat_map(|(_, rows)| rows);
    let rows = sets.chain(&table.average);
    rows.flat_map(|row| row.cells.iter().flatten())
}

/// The data sets and their average, under their names.
fn blocks(table: &Table) -> impl Iterator<Item = (&str, &[Row])> {
    let sets = table
        .data_sets
        .iter()
        .map(|(name, rows)| (name.as_str(), &rows[..]));
    // The average of one data set says nothing new.
    let several = table.data_sets.len() > 1;
    let average = (several && !table.average.is_empty()).then_some(("average", &table.average[..]));
    sets.chain(average)
}

fn number(cell: &Cell) -> String {
    match cell.deviation {
        Some(deviation) => format!("{:.2} ± {deviation:.2}", cell.mean),
        None => format!("{:.2}", cell.mean),
    }
}

fn published(cell: &Cell) -> Option<String> {
    let (published, difference) = (cell.published?, cell.difference()?);
    Some(format!("{published:.2} ({difference:+.2})"))
}

fn interval(cell: &Cell) -> Option<String> {
    cell.interval.map(|half| format!("± {half:.2}"))
}

/// The lines of a row: the numbers, the interval, the paper's.
fn lines(row: &Row, name: &str, indent: &str, with_interval: bool) -> Vec<(String, Vec<String>)> {
    let of = |write: &dyn Fn(&Cell) -> Option<String>| -> Option<Vec<String>> {
        let texts: Vec<Option<String>> = row
            .cells
            .iter()
            .map(|cell| cell.as_ref().and_then(write))
            .collect();
        let any = texts.iter().any(Option::is_some);
        any.then(|| texts.into_iter().map(Option::unwrap_or_default).collect())
    };
    let numbers = row
        .cells
        .iter()
        .map(|cell| cell.as_ref().map_or("-".to_string(), number))
        .collect();
    let mut lines = vec![(name.to_string(), numbers)];
    if with_interval {
        lines.extend(of(&interval).map(|texts| (format!("{indent}95 % interval"), texts)));
    }
    lines.extend(of(&published).map(|texts| (format!("{indent}published"), texts)));
    lines
}

fn terminal(table: &Table) -> String {
    // Data set, label, numbers; blocks apart.
    let mut rows: Vec<Option<(String, String, Vec<String>)>> = Vec::new();
    for (name, of_it) in blocks(table) {
        // Where methods are compared: in the average, or the only data set.
        let last = name == "average" || table.data_sets.len() == 1;
        let mut name = name.to_string();
        rows.push(None);
        for row in of_it {
            for (label, texts) in lines(row, &row.method, "  ", last) {
                rows.push(Some((std::mem::take(&mut name), label, texts)));
            }
        }
    }
    let heads: Vec<String> = table.columns.iter().map(|c| c.title()).collect();
    let chars = |text: &str| text.chars().count();
    let all = || rows.iter().flatten();
    let first = all().map(|r| chars(&r.0)).max().unwrap_or(0).max(8);
    let second = all().map(|r| chars(&r.1)).max().unwrap_or(0).max(6);
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

fn paper_name(method: &str) -> String {
    methods::find(method)
        .map_or(method, |m| m.paper_name())
        .to_string()
}

fn markdown(table: &Table) -> String {
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
            for (label, texts) in lines(row, &paper_name(&row.method), "&nbsp; ", true) {
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

fn latex(table: &Table) -> String {
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
            for (label, texts) in lines(row, &tex(&paper_name(&row.method)), "\\quad ", true) {
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

fn tex_number(text: &str) -> String {
    if text.contains(['±', '(']) {
        format!("${}$", text.replace('±', "\\pm"))
    } else {
        text.to_string()
    }
}

/// Text with what means something to TeX made harmless.
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

fn csv(tables: &[Table]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = [
        "protocol",
        "shots",
        "data_set",
        "method",
        "metric",
        "mean",
        "deviation",
        "interval95",
        "runs",
        "published",
        "difference",
    ];
    // Writing to memory does not fail.
    let _ = writer.write_record(head);
    for table in tables {
        for (name, rows) in blocks(table) {
            for row in rows {
                for (column, cell) in table.columns.iter().zip(&row.cells) {
                    let Some(cell) = cell else { continue };
                    let shots = match (column, &table.shots[..]) {
                        (Column::Shots(shots), _) => shots.to_string(),
                        (_, [shots]) => shots.to_string(),
                        _ => String::new(),
                    };
                    let metric = match column {
                        Column::Shots(_) => "accuracy".to_string(),
                        column => column.key(),
                    };
                    let optional =
                        |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
                    let _ = writer.write_record([
                        table.protocol.name(),
                        &shots,
                        name,
                        &row.method,
                        &metric,
                        &cell.mean.to_string(),
                        &optional(cell.deviation),
                        &optional(cell.interval),
                        &cell.runs.to_string(),
                        &optional(cell.published),
                        &optional(cell.difference()),
                    ]);
                }
            }
        }
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn json(table: &Table) -> Value {
    let rows = |rows: &[Row]| -> Value {
        let row = |row: &Row| {
            let cells = table.columns.iter().zip(&row.cells);
            let cells: Map<String, Value> = cells
                .map(|(column, cell)| (column.key(), cell.as_ref().map_or(Value::Null, json_cell)))
                .collect();
            (row.method.clone(), Value::Object(cells))
        };
        Value::Object(rows.iter().map(row).collect())
    };
    let sets: Map<String, Value> = table
        .data_sets
        .iter()
        .map(|(name, of_it)| (name.clone(), rows(of_it)))
        .collect();
    let missing: Vec<String> = table
        .missing
        .iter()
        .map(|run| run.path().to_string_lossy().into_owned())
        .collect();
    json!({
        "protocol": table.protocol.name(),
        "shots": table.shots,
        "seeds": table.seeds,
        "complete": missing.is_empty(),
        "missing": missing,
        "sets": sets,
        "average": rows(&table.average),
        "deviation": "population",
        "published_source": PAPER,
    })
}

fn json_cell(cell: &Cell) -> Value {
    json!({
        "mean": cell.mean,
        "deviation": cell.deviation,
        "interval95": cell.interval,
        "runs": cell.runs,
        "published": cell.published,
        "difference": cell.difference(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tables;
    use crate::table::tests::example;

    fn text(format: Format) -> String {
        render(&tables(&example(), &[]).expect("a table"), format)
    }

    #[test]
    fn a_terminal_shows_aligned_columns() {
        let expected = "\
Base-to-novel generalisation, 16 shots, seeds 1, 2
Accuracy in per cent, mean ± population deviation over the seeds.
published: Khattak et al., ICCV 2023, ViT-B/16, mean of 3 seeds; in brackets what ours is more.

data set  method                     base           novel   harmonic mean

DTD       zero-shot                 60.00           20.00           30.00
            published       53.24 (+6.76)  59.90 (-39.90)  56.37 (-26.37)
          promptsrc          65.00 ± 5.00   70.00 ± 10.00    67.41 ± 7.33
            published      83.37 (-18.37)   62.97 (+7.03)   71.75 (-4.34)

b         zero-shot                 50.00           50.00           50.00
          promptsrc          85.00 ± 5.00   50.00 ± 10.00    62.96 ± 9.33

average   zero-shot                 55.00           35.00           42.78
          promptsrc          75.00 ± 5.00   60.00 ± 10.00    66.67 ± 8.17
            95 % interval         ± 63.53        ± 127.06        ± 103.77
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
        assert_eq!(tex("50 % of a_b"), "50 \\% of a\\_b");
    }

    #[test]
    fn csv_and_json_have_every_digit() {
        let csv = text(Format::Csv);
        let third = "base-to-novel,16,b,promptsrc,hm,62.96296296296296,";
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
            62.97
        );
        assert_eq!(json["complete"], true);
    }

    #[test]
    fn a_table_that_is_not_whole_says_so() {
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
