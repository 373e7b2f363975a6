//! Tables as comma-separated values, one number per line.

use super::text::blocks;
use crate::column::Column;
use crate::paired::{Paired, PairedTest};
use crate::table::{Row, Table};

/// What every line begins with.
const HEAD: [&str; 5] = ["protocol", "group", "shots", "data_set", "method"];
/// What every line ends with.
const MADE: [&str; 4] = ["clip", "precision", "epochs", "program"];

/// A line for each mean.
pub(super) fn csv(tables: &[Table]) -> String {
    let own = [
        "metric",
        "mean",
        "deviation",
        "interval95",
        "runs",
        "published",
        "difference",
        "differs",
        "unverified",
        "needs",
    ];
    let tests = [
        "baseline",
        "less_baseline",
        "p_over_pairs",
        "n_over_pairs",
        "p_over_data_sets",
        "n_over_data_sets",
        "no_p_because",
    ];
    // Files without a baseline keep their columns.
    let is_compared = tables.iter().any(|table| table.baseline.is_some());
    let tests = if is_compared { &tests[..] } else { &[] };
    let mut lines = vec![head(&[&own[..], tests].concat())];
    for (table, name, row) in rows(tables) {
        let source = row.published.map(|source| &source.name);
        for (i, (column, cell)) in table.columns.iter().zip(&row.cells).enumerate() {
            let Some(cell) = cell else { continue };
            let optional = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
            let published = match source {
                Some(_) => Some(cell.mean),
                None => cell.published,
            };
            let mut own = vec![
                metric(column),
                optional(source.is_none().then_some(cell.mean)),
                optional(cell.standard_deviation),
                optional(cell.interval),
                cell.runs.to_string(),
                optional(published),
                optional(cell.difference()),
                row.differs.join("; "),
                row.unverified.join("; "),
                row.needs.join("; "),
            ];
            if is_compared {
                own.extend(compared(table, row.against.get(i).and_then(Option::as_ref)));
            }
            lines.push(line(table, name, row, column, &own));
        }
    }
    text(&lines)
}

/// The fields of a comparison with the baseline.
fn compared(table: &Table, against: Option<&Paired>) -> [String; 7] {
    let (Some(baseline), Some(against)) = (&table.baseline, against) else {
        return Default::default();
    };
    let p = |test: &PairedTest| test.p.map_or(String::new(), |p| p.to_string());
    let named = [("pairs", &against.pairs), ("data sets", &against.data_sets)];
    let reasons = named.iter().filter_map(|(name, test)| {
        let none = test.p.err()?;
        Some(format!("{name}: {}", none.text()))
    });
    [
        baseline.clone(),
        against.difference.to_string(),
        p(&against.pairs),
        against.pairs.n.to_string(),
        p(&against.data_sets),
        against.data_sets.n.to_string(),
        reasons.collect::<Vec<_>>().join("; "),
    ]
}

/// A line for each seed.
pub(super) fn csv_of_seeds(tables: &[Table]) -> String {
    let mut lines = vec![head(&["seed", "metric", "value"])];
    for (table, name, row) in rows(tables) {
        for (seed, values) in &row.by_seed {
            for (column, value) in table.columns.iter().zip(values) {
                let Some(value) = value else { continue };
                let seed = seed.map_or(String::new(), |seed| seed.to_string());
                let own = [seed, metric(column), value.to_string()];
                lines.push(line(table, name, row, column, &own));
            }
        }
    }
    text(&lines)
}

fn rows(tables: &[Table]) -> impl Iterator<Item = (&Table, &str, &Row)> {
    tables.iter().flat_map(|table| {
        let rows = blocks(table).flat_map(|(name, rows)| rows.iter().map(move |row| (name, row)));
        rows.map(move |(name, row)| (table, name, row))
    })
}

fn head(own: &[&str]) -> Vec<String> {
    let all = HEAD.iter().chain(own).chain(&MADE);
    all.map(|name| name.to_string()).collect()
}

fn metric(column: &Column) -> String {
    match column {
        Column::Shots(_) => "accuracy".to_string(),
        column => column.key(),
    }
}

fn line(table: &Table, name: &str, row: &Row, column: &Column, own: &[String]) -> Vec<String> {
    let shots = match (column, &table.shots[..]) {
        (Column::Shots(shots), _) => shots.to_string(),
        (_, [shots]) => shots.to_string(),
        _ => String::new(),
    };
    let mut line = vec![
        table.protocol.name().to_string(),
        table.group.clone().unwrap_or_default(),
        shots,
        name.to_string(),
        row.method.clone(),
    ];
    line.extend_from_slice(own);
    let epochs: Vec<String> = row.made.epochs.iter().map(usize::to_string).collect();
    let program = match row.published {
        Some(source) => format!("published: {}", source.name),
        None => row.made.programs.join("; "),
    };
    line.extend([
        row.made.clips.join("; "),
        row.made.precisions.join("; "),
        epochs.join("; "),
        program,
    ]);
    line
}

fn text(lines: &[Vec<String>]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for line in lines {
        // Writing to memory does not fail.
        let _ = writer.write_record(line);
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
