//! The texts that the formats for people share: title, legend, labels and numbers of a table.

use std::fmt::Write;

use crate::protocol::Protocol;
use crate::published::PAPER;
use crate::table::{Cell, Row, Table};

/// The protocol, shots and seeds of a table.
pub(super) fn title(table: &Table) -> String {
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

/// What the numbers mean.
pub(super) fn legend(table: &Table) -> String {
    let mut legend = "Accuracy in per cent".to_string();
    if cells(table).any(|cell| cell.standard_deviation.is_some()) {
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

/// A remark that runs are missing, where they are.
pub(super) fn partial(table: &Table) -> Option<String> {
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

/// The rows of each data set and of the average, by name.
pub(super) fn blocks(table: &Table) -> impl Iterator<Item = (&str, &[Row])> {
    let sets = table
        .data_sets
        .iter()
        .map(|(name, rows)| (name.as_str(), &rows[..]));
    // With one data set, the average repeats it.
    let several = table.data_sets.len() > 1;
    let average = (several && !table.average.is_empty()).then_some(("average", &table.average[..]));
    sets.chain(average)
}

fn number(cell: &Cell) -> String {
    match cell.standard_deviation {
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

/// The lines of a row: its numbers, their confidence intervals, the published numbers.
pub(super) fn lines(
    row: &Row,
    name: &str,
    indent: &str,
    with_interval: bool,
) -> Vec<(String, Vec<String>)> {
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
