//! The texts that the formats for people share: title, legend, labels and numbers of a table.

use std::fmt::Write;

use crate::column::Column;
use crate::paired::{Paired, PairedTest};
use crate::protocol::Protocol;
use crate::published::{paper_name, source_beside};
use crate::published_file::Source;
use crate::render::best::best;
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

/// What the numbers mean. `of_paper`: whether methods have their names in the paper.
pub(super) fn legend(table: &Table, of_paper: bool) -> String {
    let mut legend = "Accuracy in per cent".to_string();
    if cells(table).any(|cell| cell.standard_deviation.is_some()) {
        legend += ", mean ± population deviation over the seeds";
    }
    legend.push('.');
    let _ = write!(legend, "\n{}", how_made(table));
    let is_beside = cells(table).any(|cell| cell.published.is_some());
    let brackets = match is_beside {
        true => "; in brackets what ours is more",
        false => "",
    };
    for (i, (source, methods)) in sources(table).iter().enumerate() {
        let Source {
            name,
            read_in,
            note,
        } = source;
        let brackets = if i == 0 { brackets } else { "" };
        // The paper's own numbers are most of them: what they are of need not be said.
        let what = match read_in.as_str() {
            "" => "published".to_string(),
            _ => format!("published of {}", methods.join(", ")),
        };
        let _ = write!(legend, "\n{what}: {name}{brackets}.");
        if !read_in.is_empty() {
            let _ = write!(legend, " Read in {read_in}.");
        }
        if !note.is_empty() {
            let _ = write!(legend, " {note}");
        }
    }
    if rows(table).any(|row| !row.differs.is_empty()) {
        legend +=
            "\nWhere a published result is not set beside one of ours, the row says what differs.";
    }
    if let Some(baseline) = baseline(table, of_paper) {
        let _ = write!(legend, "\n{}", tests(table, baseline));
    }
    legend
}

/// The name of the baseline, as that of its row.
fn baseline(table: &Table, of_paper: bool) -> Option<&str> {
    let name = table.baseline.as_deref()?;
    Some(if of_paper { paper_name(name) } else { name })
}

/// What the lines of a comparison with a baseline mean.
fn tests(table: &Table, baseline: &str) -> String {
    let mut text = format!(
        "less {baseline}: the mean difference to it over pairs of the same data set and seed; what has \
         no seed is paired with every seed.\np over pairs: two-sided paired t-test over all these \
         pairs (n)"
    );
    if table.averaged.len() > 1 {
        text += ", as if they were independent, which the seeds of a data set are not.\np over data \
                 sets: the same test over the means of the data sets, one pair each";
    }
    text.push('.');
    if table.columns.contains(&Column::HarmonicMean) {
        text += "\nA difference of harmonic means is the mean of those of the pairs, not the \
                 difference of the two numbers shown.";
    }
    text
}

/// The sources of the published numbers that a table shows, with the methods of each.
pub(super) fn sources(table: &Table) -> Vec<(&'static Source, Vec<String>)> {
    let mut found: Vec<(&'static Source, Vec<String>)> = Vec::new();
    for row in rows(table) {
        let is_beside = row.cells.iter().flatten().any(|c| c.published.is_some());
        let name = match row.published {
            Some(_) => row.method.as_str(),
            None => paper_name(&row.method),
        };
        let beside = || source_beside(table.protocol, name).filter(|_| is_beside);
        let Some(source) = row.published.or_else(beside) else {
            continue;
        };
        let known = found.iter().position(|(other, _)| *other == source);
        let place = known.unwrap_or_else(|| {
            found.push((source, Vec::new()));
            found.len() - 1
        });
        if let Some((_, methods)) = found.get_mut(place)
            && !methods.iter().any(|method| method == name)
        {
            methods.push(name.to_string());
        }
    }
    // The paper first: it has no place where it was read.
    found.sort_by_key(|(source, _)| !source.read_in.is_empty());
    found
}

/// What is to be said below a table: what methods need beyond the shots, and what a dash means.
pub(super) fn notes(table: &Table) -> Vec<String> {
    let mut notes = Vec::new();
    let mut fixed: Vec<String> = Vec::new();
    for row in rows(table) {
        let name = name(row, false);
        if !row.needs.is_empty() {
            let note = format!("{name}, beyond the shots: {}.", row.needs.join("; "));
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        let has_dash = row.cells.iter().any(Option::is_none);
        if row.fixed_classes && has_dash && !fixed.contains(&name) {
            fixed.push(name);
        }
    }
    if !fixed.is_empty() {
        notes.push(format!(
            "-: what {} learned belongs to the trained classes and says nothing about others.",
            fixed.join(", ")
        ));
    }
    notes
}

/// CLIP, precision, epochs and program of a table, on one line.
fn how_made(table: &Table) -> String {
    let mut all = Made::default();
    let mut epochs: Vec<String> = Vec::new();
    let mut methods: Vec<&str> = Vec::new();
    for row in rows(table) {
        all.add(&row.made);
        if row.published.is_none() && !methods.contains(&row.method.as_str()) {
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

pub(super) fn rows(table: &Table) -> impl Iterator<Item = &Row> {
    let sets = table.data_sets.iter().flat_map(|(_, rows)| rows);
    sets.chain(&table.average)
}

/// The name of a row: that of its method in the paper or here, and whether it is a published one.
pub(super) fn name(row: &Row, of_paper: bool) -> String {
    match (row.published.is_some(), of_paper) {
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

/// The name of the rows of the average.
pub(super) const AVERAGE: &str = "average";

/// The rows of each data set and of the average, by name.
pub(super) fn blocks(table: &Table) -> impl Iterator<Item = (&str, &[Row])> {
    let sets = table
        .data_sets
        .iter()
        .map(|(name, rows)| (name.as_str(), &rows[..]));
    // With one data set, the average repeats it.
    let several = table.data_sets.len() > 1;
    let average = (several && !table.average.is_empty()).then_some((AVERAGE, &table.average[..]));
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

/// A line of a table: its label, and a text for each column.
pub(super) struct Line {
    pub(super) label: String,
    pub(super) texts: Vec<String>,
    /// Which of the texts is the best number of its column.
    pub(super) best: Vec<bool>,
}

impl Line {
    /// A line of which nothing is best.
    pub(super) fn new(label: String, texts: Vec<String>) -> Self {
        Self {
            label,
            best: vec![false; texts.len()],
            texts,
        }
    }
}

/// The rows of a data set or of the average, with what is best in each.
pub(super) fn with_best(rows: &[Row]) -> impl Iterator<Item = (&Row, Vec<bool>)> {
    rows.iter().zip(best(rows))
}

/// A difference with its sign; none that is nothing but rounding is negative.
fn signed(difference: f64) -> String {
    match format!("{difference:+.2}").as_str() {
        "-0.00" => "+0.00".to_string(),
        text => text.to_string(),
    }
}

fn tested(test: &PairedTest) -> String {
    match test.p {
        Ok(p) if p < 0.0001 => format!("<0.0001, n {}", test.n),
        Ok(p) => format!("{p:.4}, n {}", test.n),
        Err(none) => format!("{}, n {}", none.text(), test.n),
    }
}

/// The lines of a comparison with the baseline.
fn against(row: &Row, baseline: &str, indent: &str, several: bool) -> Vec<Line> {
    if row.against.iter().all(Option::is_none) {
        return Vec::new();
    }
    let line = |label: String, write: &dyn Fn(&Paired) -> String| {
        let cells = row.against.iter().map(|cell| cell.as_ref().map(write));
        let texts = cells.map(Option::unwrap_or_default).collect();
        Line::new(format!("{indent}{label}"), texts)
    };
    let mut lines = vec![
        line(format!("less {baseline}"), &|cell| signed(cell.difference)),
        line("p over pairs".into(), &|cell| tested(&cell.pairs)),
    ];
    if several {
        lines.push(line("p over data sets".into(), &|cell| {
            tested(&cell.data_sets)
        }));
    }
    lines
}

/// The lines of a row: its numbers, their confidence intervals, the published numbers, and the
/// comparison with the baseline. `averages`: whether the row averages several data sets; `of_paper`: whether
/// names are those of the paper.
pub(super) fn lines(
    table: &Table,
    (row, best): (&Row, Vec<bool>),
    (name, of_paper): (&str, bool),
    indent: &str,
    with_interval: bool,
    averages: bool,
) -> Vec<Line> {
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
    let mut lines = vec![Line {
        label: name.to_string(),
        texts: numbers,
        best,
    }];
    let learns = row.by_seed.iter().any(|(seed, _)| seed.is_some());
    if with_interval && learns {
        let line = |texts| Line::new(format!("{indent}95 % interval"), texts);
        lines.extend(of(&interval).map(line));
    }
    lines.extend(of(&published).map(|texts| Line::new(format!("{indent}published"), texts)));
    if let Some(baseline) = baseline(table, of_paper) {
        lines.extend(against(row, baseline, indent, averages));
    }
    lines
}
