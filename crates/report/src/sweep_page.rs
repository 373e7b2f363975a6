//! The page of a sweep: its tables, accuracy over shots, differences by data set, methods side by side.

use maud::{Markup, html};
use promptsrc_protocols::{Cell, Column, Contender, Protocol, Row, Table, TextTable, text_table};

use crate::bars::{Bar, BarRow, bars};
use crate::chart::PlotError;
use crate::colour::Colour;
use crate::data_table::DataTable;
use crate::figure::{Figure, Shape, Size, grid};
use crate::line_plot::{Series, lines};
use crate::number::{shown, signed};
use crate::page::{Head, page};

/// Id and title of the section of machines.
const MACHINES: (&str, &str) = ("machines", "What it was made on");

/// A page of a sweep.
#[derive(Clone, Debug, Default)]
pub struct SweepPage {
    /// Its name: the path as it was given.
    pub name: String,
    /// Its tables.
    pub tables: Vec<Table>,
    /// Whether the tables have the differences to their baselines, with tests: the plots always do.
    pub tests: bool,
    /// The machines of its runs.
    pub machines: Vec<SweepMachine>,
    /// The program that made the page.
    pub program: String,
}

/// A machine of a sweep, with the numbers of its runs. A run that was continued on another one counts for both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepMachine {
    /// What it is; `None`: it was not recorded.
    pub name: Option<String>,
    /// Runs that were trained on it.
    pub trained: usize,
    /// Runs that were evaluated on it.
    pub evaluated: usize,
}

/// The page of a sweep.
///
/// # Errors
/// [`PlotError`].
pub fn sweep_page(content: &SweepPage) -> Result<String, PlotError> {
    let texts: Vec<TextTable> = content
        .tables
        .iter()
        .map(|table| match content.tests {
            true => text_table(table),
            false => text_table(&Table {
                baseline: None,
                ..table.clone()
            }),
        })
        .collect();
    let places = texts.iter().enumerate();
    let places = places.map(|(at, text)| (format!("t{at}"), text.title.clone()));
    let machines = machines(&content.machines);
    let places = places.chain(machines.is_some().then(|| {
        let (id, title) = MACHINES;
        (id.to_string(), title.to_string())
    }));
    let drawn: Vec<Markup> = content
        .tables
        .iter()
        .zip(&texts)
        .enumerate()
        .map(|(at, (table, text))| of_table(at, table, text))
        .collect::<Result<_, _>>()?;
    let body = html! {
        @for section in drawn { (section) }
        @if let Some(table) = machines {
            section id=(MACHINES.0) {
                h2 { (MACHINES.1) }
                (table.html())
            }
        }
    };
    let methods = content.tables.iter().map(|table| methods(table).len());
    let columns = content.tables.iter().map(|table| table.columns.len());
    let head = Head {
        kind: "promptsrc report of a sweep",
        title: &content.name,
        lead: "",
        places: places.collect(),
        series: methods.chain(columns).max().unwrap_or(1),
        program: &content.program,
    };
    Ok(page(&head, &body))
}

/// The machines with the numbers of their runs; `None` if there are none.
fn machines(machines: &[SweepMachine]) -> Option<DataTable> {
    let mut table = DataTable::new(&["machine", "#trained", "#evaluated"]);
    for machine in machines {
        table.row(vec![
            machine.name.clone().unwrap_or("not recorded".to_string()),
            machine.trained.to_string(),
            machine.evaluated.to_string(),
        ]);
    }
    table.note = "Runs that were trained and evaluated on each machine.".to_string();
    (!machines.is_empty()).then_some(table)
}

fn of_table(at: usize, table: &Table, text: &TextTable) -> Result<Markup, PlotError> {
    let over_shots = shots_figures(table);
    let side_by_side = methods_figure(table);
    let differences = difference_figures(table);
    Ok(html! {
        section id=(format!("t{at}")) {
            h2 { (shown(&text.title)) }
            @if let Some(partial) = &text.partial { p.lead { (shown(partial)) } }
            (whole_table(text))
            @if let Some(figure) = side_by_side {
                h3 { "Methods side by side" }
                (grid(&[figure])?)
            }
            @if !over_shots.is_empty() {
                h3 { "Accuracy over shots" }
                (grid(&over_shots)?)
            }
            @match &table.baseline {
                Some(_) if !differences.is_empty() => {
                    h3 { "Differences by data set" }
                    (grid(&differences)?)
                }
                _ => p.note {
                    "There is no method beside which differences could be shown."
                },
            }
        }
    })
}

/// The table as the command prints it.
fn whole_table(text: &TextTable) -> Markup {
    html! {
        @for sentence in &text.legend { p.note { (shown(sentence)) } }
        div.scroll tabindex="0" { table {
            thead { tr {
                th scope="col" { "data set" }
                th scope="col" { "method" }
                @for column in &text.columns { th.n scope="col" { (shown(column)) } }
            } }
            tbody {
                @for (name, lines) in &text.blocks {
                    @for (at, line) in lines.iter().enumerate() {
                        tr class=[if at == 0 { Some("set") } else if line.is_method { None } else { Some("sub") }] {
                            td.set { @if at == 0 { (shown(name)) } }
                            @if line.cells.is_empty() {
                                td colspan=(text.columns.len() + 1) { (shown(&line.label)) }
                            } @else {
                                td.method { (shown(&line.label)) }
                                @for (cell, best) in &line.cells {
                                    td class=(if *best { "n best" } else { "n" }) { (shown(cell)) }
                                }
                            }
                        }
                    }
                }
            }
        } }
        @for note in &text.notes { p.note { (shown(note)) } }
    }
}

/// The name of a row's method, as in the table.
fn name(row: &Row) -> String {
    match row.published {
        Some(_) => format!("{} (published)", row.method),
        None => paper_name(&row.method),
    }
}

fn paper_name(method: &str) -> String {
    Contender::find(method).map_or(method.to_string(), |found| found.paper_name().to_string())
}

/// The methods of a table in the order of its rows: names and whether they are published.
fn methods(table: &Table) -> Vec<(String, bool)> {
    let mut found: Vec<(String, bool)> = Vec::new();
    let sets = table.data_sets.iter().flat_map(|(_, rows)| rows);
    for row in table.average.iter().chain(sets) {
        let own = (row.method.clone(), row.published.is_some());
        if !found.contains(&own) {
            found.push(own);
        }
    }
    found
}

/// Zero-shot CLIP is what others are compared with; every other method has a colour of its own.
fn colour(row: &Row, methods: &[(String, bool)]) -> Colour {
    let own = (row.method.clone(), row.published.is_some());
    match own == ("zero-shot".to_string(), false) {
        true => Colour::Reference,
        false => {
            let others = methods
                .iter()
                .filter(|m| **m != ("zero-shot".to_string(), false));
            let place = others.into_iter().position(|method| *method == own);
            Colour::Series(place.unwrap_or(0))
        }
    }
}

/// The averages, or the rows of the only data set.
fn overall(table: &Table) -> (&str, &[Row]) {
    match table.data_sets.as_slice() {
        [(name, rows)] => (name, rows),
        _ => ("average", &table.average),
    }
}

fn cell(row: &Row, column: usize) -> Option<&Cell> {
    row.cells.get(column)?.as_ref()
}

fn number(cell: &Cell) -> String {
    match cell.standard_deviation {
        Some(deviation) => format!("{:.2} ± {deviation:.2}", cell.mean),
        None => format!("{:.2}", cell.mean),
    }
}

/// A bar for each method and column; `None` without any number.
fn methods_figure(table: &Table) -> Option<Figure> {
    let (what, rows) = overall(table);
    let columns = table.columns.len();
    let bar_rows: Vec<BarRow> = rows
        .iter()
        .map(|row| BarRow {
            name: name(row),
            bars: (0..columns)
                .map(|column| {
                    let cell = cell(row, column)?;
                    Some(Bar {
                        colour: Colour::Series(column),
                        value: cell.mean,
                        spread: cell.standard_deviation,
                        text: format!("{:.2}", cell.mean),
                    })
                })
                .collect(),
        })
        .filter(|row| row.bars.iter().any(Option::is_some))
        .collect();
    if bar_rows.is_empty() {
        return None;
    }
    let mut numbers = DataTable::new(&["method"]);
    numbers
        .columns
        .extend(table.columns.iter().map(|c| (c.title(), true)));
    for row in rows {
        let cells = (0..columns).map(|at| cell(row, at).map_or("-".to_string(), number));
        numbers.row(std::iter::once(name(row)).chain(cells).collect());
    }
    let key = table.columns.iter().enumerate();
    Some(Figure {
        title: match what {
            "average" => "Average over the data sets".to_string(),
            set => format!("Accuracy on {set}"),
        },
        note: "In per cent; the line across the end of a bar is the standard deviation over the seeds.".to_string(),
        key: key.map(|(at, column)| (Colour::Series(at), Shape::Bar, column.title())).collect(),
        chart: bars(&bar_rows, (0.0, 118.0), "", 13),
        table: numbers,
        size: Size::Column,
    })
}

/// Accuracy over shots: of the average, then of each data set; none where there is one number of shots.
fn shots_figures(table: &Table) -> Vec<Figure> {
    let shots: Vec<(usize, usize)> = table
        .columns
        .iter()
        .enumerate()
        .filter_map(|(at, column)| match column {
            Column::Shots(shots) if *shots > 0 => Some((at, *shots)),
            _ => None,
        })
        .collect();
    if table.protocol != Protocol::FewShot || shots.len() < 2 {
        return Vec::new();
    }
    let methods = methods(table);
    let figure = |what: &str, rows: &[Row]| -> Option<Figure> {
        let mut numbers = DataTable::new(&["method"]);
        numbers
            .columns
            .extend(table.columns.iter().map(|c| (c.title(), true)));
        let (mut series, mut key) = (Vec::new(), Vec::new());
        for row in rows {
            let found: Vec<(f64, &Cell)> = shots
                .iter()
                .filter_map(|(at, shots)| Some(((*shots as f64).log2(), cell(row, *at)?)))
                .collect();
            if found.is_empty() {
                continue;
            }
            let colour = colour(row, &methods);
            series.push(Series {
                colour,
                points: found.iter().map(|(x, cell)| (*x, cell.mean)).collect(),
                spread: found
                    .iter()
                    .map(|(_, cell)| cell.standard_deviation.unwrap_or(0.0))
                    .collect(),
                dots: true,
                faint: false,
            });
            key.push((colour, Shape::Line, name(row)));
            let cells =
                (0..table.columns.len()).map(|at| cell(row, at).map_or("-".to_string(), number));
            numbers.row(std::iter::once(name(row)).chain(cells).collect());
        }
        let ticks = shots
            .iter()
            .map(|(_, shots)| ((*shots as f64).log2(), shots.to_string()));
        (!series.is_empty()).then(|| Figure {
            title: what.to_string(),
            note: String::new(),
            key,
            chart: lines(
                &series,
                ("shots per class", "accuracy"),
                false,
                Some(ticks.collect()),
            ),
            table: numbers,
            size: Size::Column,
        })
    };
    let several = table.data_sets.len() > 1;
    let average = several
        .then(|| figure("Average over the data sets", &table.average))
        .flatten();
    let sets = table
        .data_sets
        .iter()
        .filter_map(|(name, rows)| figure(name, rows));
    let mut all: Vec<Figure> = average.into_iter().chain(sets).collect();
    if let Some(first) = all.first_mut() {
        first.note = "The band is the standard deviation over the seeds.".to_string();
    }
    all
}

/// What each method is more than the baseline, by data set: a figure for each method, all with one scale.
fn difference_figures(table: &Table) -> Vec<Figure> {
    let Some(baseline) = &table.baseline else {
        return Vec::new();
    };
    let several = table.data_sets.len() > 1;
    let average = several.then_some(("average", table.average.as_slice()));
    let sets = table
        .data_sets
        .iter()
        .map(|(name, rows)| (name.as_str(), rows.as_slice()));
    let blocks: Vec<(&str, &[Row])> = sets.chain(average).collect();
    let difference = |rows: &[Row], method: &str, column: usize| -> Option<f64> {
        let row = rows
            .iter()
            .find(|row| row.method == method && row.published.is_none())?;
        Some(row.against.get(column)?.as_ref()?.difference)
    };
    let columns = table.columns.len();
    let all = blocks.iter().flat_map(|(_, rows)| rows.iter());
    let all = all.flat_map(|row| {
        row.against
            .iter()
            .flatten()
            .map(|against| against.difference)
    });
    let (least, most) = all.fold((0.0_f64, 0.0_f64), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    // Room for the numbers beyond the bars.
    let room = |end: f64| if end == 0.0 { 0.03 } else { 0.24 };
    let span = (most - least).max(1.0);
    let range = (least - room(least) * span, most + room(most) * span);
    let methods = methods(table);
    let methods = methods
        .iter()
        .filter(|(method, published)| !published && method != baseline);
    methods
        .filter_map(|(method, _)| {
            let mut numbers = DataTable::new(&["data set"]);
            numbers.columns.extend(table.columns.iter().map(|c| (c.title(), true)));
            let rows: Vec<BarRow> = blocks
                .iter()
                .map(|(name, rows)| {
                    let values: Vec<Option<f64>> =
                        (0..columns).map(|at| difference(rows, method, at)).collect();
                    let texts = values.iter().map(|v| v.map_or("-".to_string(), signed));
                    numbers.row(std::iter::once(name.to_string()).chain(texts).collect());
                    let bar = |(at, value): (usize, &Option<f64>)| {
                        Some(Bar {
                            colour: Colour::Series(at),
                            value: (*value)?,
                            spread: None,
                            text: signed((*value)?),
                        })
                    };
                    BarRow {
                        name: name.to_string(),
                        bars: values.iter().enumerate().map(bar).collect(),
                    }
                })
                .filter(|row| row.bars.iter().any(Option::is_some))
                .collect();
            let key = table.columns.iter().enumerate();
            (!rows.is_empty()).then(|| Figure {
                title: format!("{} less {}", paper_name(method), paper_name(baseline)),
                note: "Mean difference over the pairs of the same data set and seed, in points of a per cent."
                    .to_string(),
                key: key.map(|(at, column)| (Colour::Series(at), Shape::Bar, column.title())).collect(),
                chart: bars(&rows, range, "", 12),
                table: numbers,
                size: Size::Column,
            })
        })
        .collect()
}
