//! The texts that the formats for people share: title, legend, labels and numbers of a table.

use std::fmt::Write;

use crate::protocol::Protocol;
use crate::published::{PAPER, paper_name};
use crate::table::{Cell, Made, Row, Table};

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
    if let Some(group) = &table.group {
        let _ = write!(title, ", {group}");
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
    let _ = write!(legend, "\n{}", how_made(table));
    if cells(table).any(|cell| cell.published.is_some()) {
        let _ = write!(
            legend,
            "\npublished: {PAPER}; in brackets what ours is more."
        );
    } else if rows(table).any(|row| row.published) {
        let _ = write!(legend, "\npublished: {PAPER}.");
    }
    if rows(table).any(|row| !row.differs.is_empty()) {
        legend +=
            "\nWhere a published result is not set beside one of ours, the row says what differs.";
    }
    legend
}

/// CLIP, precision, epochs and program of a table, on one line.
fn how_made(table: &Table) -> String {
    let mut all = Made::default();
    let mut epochs: Vec<String> = Vec::new();
    let mut methods: Vec<&str> = Vec::new();
    for row in rows(table) {
        all.add(&row.made);
        if !row.published && !methods.contains(&row.method.as_str()) {
            methods.push(&row.method);
        }
    }
    for method in methods {
        let mut own = Made::default();
        rows(table)
            .filter(|row| row.method == method)
            .for_each(|row| own.add(&row.made));
        if !own.epochs.is_empty() {
            let own: Vec<String> = own.epochs.iter().map(usize::to_string).collect();
            epochs.push(format!("{method} {}", own.join(", ")));
        }
    }
    let mut parts = vec![
        format!("CLIP {}", all.clips.join(", ")),
        format!("precision {}", all.precisions.join(", ")),
    ];
    if !epochs.is_empty() {
        parts.push(format!("epochs: {}", epochs.join(", ")));
    }
    parts.push(format!("program: {}", all.programs.join(", ")));
    format!("{}.", parts.join("; "))
}

fn rows(table: &Table) -> impl Iterator<Item = &Row> {
    let sets = table.data_sets.iter().flat_map(|(_, rows)| rows);
    sets.chain(&table.average)
}

/// The name of a row: that of its method in the paper or here, and whether it is a published one.
pub(super) fn name(row: &Row, of_paper: bool) -> String {
    match (row.published, of_paper) {
        (true, _) => format!("{} (published)", row.method),
        (false, true) => paper_name(&row.method).to_string(),
        (false, false) => row.method.clone(),
    }
}

/// What differs from the published result, or could not be verified, in a line.
pub(super) fn remark(row: &Row) -> Option<String> {
    match (row.differs.is_empty(), row.unverified.is_empty()) {
        (false, _) => Some(format!("not as published: {}", row.differs.join("; "))),
        (true, false) if row.cells.iter().flatten().any(|c| c.published.is_some()) => {
            Some(row.unverified.join("; "))
        }
        _ => None,
    }
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
    rows(table).flat_map(|row| row.cells.iter().flatten())
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

/// The interval of a method that learns, or why there is none.
fn interval(cell: &Cell) -> Option<String> {
    Some(match (cell.interval, cell.runs) {
        (Some(half), _) => format!("± {half:.2}"),
        (None, 1) => "one seed".to_string(),
        (None, 2) => "2 seeds".to_string(),
        (None, _) => "all equal".to_string(),
    })
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
    let learns = row.by_seed.iter().any(|(seed, _)| seed.is_some());
    if with_interval && learns {
        lines.extend(of(&interval).map(|texts| (format!("{indent}95 % interval"), texts)));
    }
    lines.extend(of(&published).map(|texts| (format!("{indent}published"), texts)));
    lines
}
