//! `promptsrc bench`: runs the paper's benchmarks, except for finished runs, and prints their
//! tables.

mod job_script;
mod plan_listing;
mod progress;

use std::ffi::OsString;
use std::path::Path;

use promptsrc::Clip;
use promptsrc_protocols::{
    Format, Protocol, ResultError, RunId, Sweep, Table, add_published, collect, collect_reference,
    compare_with, render, render_seeds, tables,
};

use crate::args::TableArgs;
use crate::failure::Failure;
use crate::output::Printer;
use crate::settings::{SweepSettings, config_usage, decoding_threads};
use crate::signals;

use progress::SweepProgress;

pub fn run(
    settings: &SweepSettings,
    arguments: &[OsString],
    printer: &Printer,
) -> Result<(), Failure> {
    let SweepSettings {
        plan, part, out, ..
    } = settings;
    if let Some(scheduler) = settings.job {
        return printer.raw(&job_script::of(scheduler, settings, arguments)?);
    }
    if let Some(found) = &settings.found {
        printer.note(found);
    }
    if settings.list {
        return plan_listing::print(plan, part, out, &settings.clip, printer);
    }
    signals::stop_when_told(printer)?;
    let clip = settings.clip.open(printer)?;
    for run in &part.runs {
        if let Some(config) = &run.config {
            config.check_for(clip.config()).map_err(config_usage)?;
        }
    }
    let (at_once, decoding) = threads(&clip);
    let sweep = Sweep::new(&clip, &*settings.collection, out)
        .allow_missing(settings.allow_missing)
        .allow_unreadable(settings.allow_unreadable)
        .upright(settings.exif)
        .ignore_few_shot_caches(settings.ignore_few_shot_caches)
        .threads(at_once, decoding);
    let progress = SweepProgress::new(part, printer);
    let failed = sweep.make(&part.runs, &|event| progress.show(event));
    progress.close();
    let failed = failed.map_err(|error| match error.is_stop() {
        true => Failure::Stopped(format!(
            "stopped; what is done is saved in {}: the same command goes on there",
            out.display()
        )),
        false => error.into(),
    })?;

    // The finished results of all parts. They are read from the folder as by `bench table`, because
    // other processes may have executed some of the runs.
    let expected: Vec<RunId> = plan.runs.iter().map(|run| run.id.clone()).collect();
    let mut results = collect_if_there(&out.join(settings.protocol.name()))?;
    results.retain(|(_, result)| expected.contains(&result.run));
    let format = match printer.is_json() {
        true => Format::Json,
        false => Format::Terminal,
    };
    let mut tables = tables(&results, &expected)?;
    published_where_comparable(&mut tables, false);
    if let Some(baseline) = &settings.baseline {
        // Where its runs have failed, or are of another part, the table has only the others.
        for table in &mut tables {
            compare_with(table, baseline);
        }
    }
    let text = render(&tables, format, printer.marks_results());
    match printer.is_json() {
        true => printer.raw(&text),
        false => printer.result(&format!("\n{text}")),
    }?;
    match failed {
        0 => Ok(()),
        1 => Err(Failure::failed("a run failed: see its error above")),
        n => Err(Failure::failed(format!(
            "{n} runs failed: see their errors above"
        ))),
    }
}

/// How many runs are executed in parallel, and how many threads prepare the images of a run. A step
/// of a small model is too short to be divided among threads, and several large models would not
/// fit in memory.
fn threads(clip: &Clip) -> (usize, usize) {
    const SMALL: usize = 256;
    match clip.config().vision.width <= SMALL {
        true => (rayon::current_num_threads(), 1),
        false => (1, decoding_threads()),
    }
}

fn collect_if_there(folder: &Path) -> Result<Vec<Found>, Failure> {
    match folder.exists() {
        true => Ok(collect(folder)?),
        false => Ok(Vec::new()),
    }
}

/// Adds the paper's rows to tables that can be compared with them, or to all.
pub(super) fn published_where_comparable(tables: &mut [Table], all: bool) {
    for table in tables {
        if all || table.is_comparable() {
            add_published(table);
        }
    }
}

/// Compares the rows of all tables with those of a method, and says which tables have none of it.
pub(super) fn compare_all(
    tables: &mut [Table],
    baseline: &str,
    printer: &Printer,
) -> Result<(), Failure> {
    let without: Vec<String> = tables
        .iter_mut()
        .filter_map(|table| (!compare_with(table, baseline)).then(|| table.protocol.to_string()))
        .collect();
    if without.len() == tables.len() {
        let mut methods: Vec<&str> = Vec::new();
        for table in tables.iter() {
            let rows = table.data_sets.iter().flat_map(|(_, rows)| rows);
            for row in rows.filter(|row| row.published.is_none()) {
                if !methods.contains(&row.method.as_str()) {
                    methods.push(&row.method);
                }
            }
        }
        return Err(Failure::usage(format!(
            "--baseline {baseline}: there are no results of it, but of {}",
            methods.join(", ")
        )));
    }
    for protocol in without {
        printer.warning(&format!(
            "a table of {protocol} has no results of {baseline}, so nothing in it is compared"
        ));
    }
    Ok(())
}

type Found = (std::path::PathBuf, promptsrc_protocols::RunResult);

/// The tables of all results below a folder, those of the reference's logs included.
pub(super) fn tables_of(
    folder: &Path,
    protocol: Option<Protocol>,
    printer: &Printer,
) -> Result<Vec<Table>, Failure> {
    let mut results = collect(folder)?;
    let reference = collect_reference(folder).map_err(Failure::failed)?;
    for (path, reason) in &reference.left_out {
        printer.warning(&format!("{}: left out: {reason}", path.display()));
    }
    results.extend(reference.results);
    let wanted = |(_, result): &Found| protocol.is_none_or(|own| own == result.run.protocol);
    results.retain(wanted);
    let mut all = tables(&results, &[])?;
    let mut apart = Vec::new();
    for (words, mut results) in reference.apart {
        results.retain(wanted);
        for table in tables(&results, &[])? {
            apart.push(Table {
                group: Some(words.clone()),
                ..table
            });
        }
    }
    if !apart.is_empty() {
        printer.warning(&format!(
            "the logs of the reference below {} are of different configurations, or evaluate \
             trainings whose logs are not here: {} tables, none of which mixes them",
            folder.display(),
            all.len() + apart.len()
        ));
    }
    all.append(&mut apart);
    if all.is_empty() {
        return Err(ResultError::None {
            path: folder.to_path_buf(),
        }
        .into());
    }
    Ok(all)
}

pub fn table(args: &TableArgs, printer: &Printer) -> Result<(), Failure> {
    let mut all = tables_of(&args.folder, args.protocol, printer)?;
    if args.per_seed {
        return match (args.format, printer.is_json()) {
            (None | Some(Format::Csv), false) => printer.raw(&render_seeds(&all)),
            _ => Err(Failure::usage(
                "--per-seed writes CSV: leave out --json and other formats; the JSON of the tables \
                 has the values of each seed",
            )),
        };
    }
    published_where_comparable(&mut all, args.published);
    if let Some(baseline) = &args.compare.baseline {
        compare_all(&mut all, baseline, printer)?;
    }
    let format = match (args.format, printer.is_json()) {
        (None, true) => Format::Json,
        (format, _) => format.unwrap_or_default(),
    };
    let text = render(&all, format, printer.marks_results());
    match format {
        Format::Terminal => printer.result(&format!("\n{text}")),
        _ => printer.raw(&text),
    }
}
