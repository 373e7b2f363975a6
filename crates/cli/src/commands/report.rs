//! `promptsrc report`: writes a page of runs or of a sweep.

mod facts;
mod measure;

use std::path::Path;

use promptsrc::provenance::program;
use promptsrc::{Machine, machines_of_training, nearest_words, run_folder};
use promptsrc_protocols::{RunMachines, Table, collect, compare_with};
use promptsrc_report::{
    Log, Run, RunPage, SweepMachine, SweepPage, Words, run_page, sweep_page, training_log,
};
use serde::Serialize;

use crate::commands::bench::{compare_all, published_where_comparable, tables_of};
use crate::failure::Failure;
use crate::output::Printer;
use crate::settings::{ReportSettings, Reported, ReportedRun};

use measure::Measurer;

/// Words that are named for each vector of a context.
const NEAREST: usize = 5;

/// A page that was written.
#[derive(Serialize)]
struct Written {
    out: String,
    /// What it is of: runs or a sweep.
    of: &'static str,
    bytes: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    runs: Vec<WrittenRun>,
    /// Tables of a sweep.
    #[serde(skip_serializing_if = "Option::is_none")]
    tables: Option<usize>,
}

/// A run on the page.
#[derive(Serialize)]
struct WrittenRun {
    run: String,
    method: String,
    measured: Vec<WrittenMeasured>,
}

#[derive(Serialize)]
struct WrittenMeasured {
    classes: String,
    images: u64,
    accuracy: f64,
    zero_shot_accuracy: f64,
}

pub fn run(settings: ReportSettings, printer: &Printer) -> Result<(), Failure> {
    let ReportSettings { out, what } = settings;
    let (page, mut written) = match what {
        Reported::Runs(runs) => of_runs(runs, printer)?,
        Reported::Sweep {
            folder,
            baseline,
            published,
        } => of_sweep(&folder, baseline.as_deref(), published, printer)?,
    };
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|e| Failure::failed(format!("--out {}: {e}", out.display())))?;
    }
    promptsrc_files::write_atomically(&out, page.as_bytes())?;
    written.out = out.display().to_string();
    written.bytes = page.len();
    printer.answer(&written, || {
        let of = match written.tables {
            Some(1) => "a sweep, 1 table".to_string(),
            Some(n) => format!("a sweep, {n} tables"),
            None if written.runs.len() == 1 => "a run".to_string(),
            None => format!("{} runs", written.runs.len()),
        };
        format!("{}: {of}, {:.0} kB", written.out, page.len() as f64 / 1e3)
    })
}

fn of_runs(runs: Vec<ReportedRun>, printer: &Printer) -> Result<(String, Written), Failure> {
    let mut measurer = Measurer::default();
    let runs: Vec<Run> = runs
        .into_iter()
        .map(|run| of_run(run, &mut measurer, printer))
        .collect::<Result<_, _>>()?;
    let measured = |run: &Run| {
        let each = run.measured.iter().map(|measured| WrittenMeasured {
            classes: measured.classes.clone(),
            images: measured.learned.evaluation.total,
            accuracy: measured.learned.evaluation.accuracy,
            zero_shot_accuracy: measured.zero_shot.evaluation.accuracy,
        });
        WrittenRun {
            run: run.name.clone(),
            method: run.method.clone(),
            measured: each.collect(),
        }
    };
    let written = Written {
        out: String::new(),
        of: "runs",
        bytes: 0,
        runs: runs.iter().map(measured).collect(),
        tables: None,
    };
    let page = run_page(&RunPage {
        runs,
        program: program(),
    })?;
    Ok((page, written))
}

fn of_run(run: ReportedRun, measurer: &mut Measurer, printer: &Printer) -> Result<Run, Failure> {
    let path = run.folder.join(run_folder::LOG);
    let (log, machines) = match path.exists() {
        true => {
            let (events, unreadable) = run_folder::read_log(&path)?;
            (
                training_log(&events, unreadable, &run.config.train),
                machines_of_training(&events),
            )
        }
        false => (
            Log::missing(format!(
                "There is no log of the training ({}).",
                run_folder::LOG
            )),
            Vec::new(),
        ),
    };
    let mut page = Run {
        name: run.name,
        method: run.config.train.method().to_string(),
        made: facts::recorded(&run.config, run.adapter.as_ref(), &machines),
        log,
        ..Run::default()
    };
    if let Some(adapter) = &run.adapter
        && adapter.meta.config != run.config.train
    {
        let note = format!(
            "The configuration in {} is not the one that the adapter records: they are of different \
             trainings.",
            run_folder::CONFIG
        );
        printer.warning(&format!("{}: {note}", page.name));
        page.not_measured.push(note);
    }
    let Some(measuring) = run.measuring else {
        page.not_measured.push(match run.adapter {
            Some(_) => "It was not evaluated: --no-evaluation was given.".to_string(),
            None => "The run is not finished, so there is nothing to evaluate.".to_string(),
        });
        page.words = Words::None(
            "They were not looked for: without an evaluation, no CLIP is opened.".to_string(),
        );
        return Ok(page);
    };
    let found = measurer.measure(measuring, &mut page, printer)?;
    page.words = match nearest_words(&found.adapter, &found.clip, NEAREST) {
        Ok(words) => Words::Found(words),
        Err(why) => Words::None(format!("{why}.")),
    };
    page.made.extend(facts::of_evaluation(&found.clip));
    Ok(page)
}

fn of_sweep(
    folder: &Path,
    baseline: Option<&str>,
    published: bool,
    printer: &Printer,
) -> Result<(String, Written), Failure> {
    let mut tables = tables_of(folder, None, printer)?;
    published_where_comparable(&mut tables, published);
    match baseline {
        Some(baseline) => compare_all(&mut tables, baseline, printer)?,
        None => tables.iter_mut().for_each(compare_with_usual),
    }
    let written = Written {
        out: String::new(),
        of: "sweep",
        bytes: 0,
        runs: Vec::new(),
        tables: Some(tables.len()),
    };
    let page = sweep_page(&SweepPage {
        name: folder.display().to_string(),
        tables,
        tests: baseline.is_some(),
        machines: machines_of_sweep(folder)?,
        program: program(),
    })?;
    Ok((page, written))
}

/// How many runs of a sweep were trained and measured on each machine.
fn machines_of_sweep(folder: &Path) -> Result<Vec<SweepMachine>, Failure> {
    let mut found: Vec<(Option<Machine>, SweepMachine)> = Vec::new();
    let mut count = |machine: Option<Machine>, add: fn(&mut SweepMachine)| {
        let place = found.iter().position(|(known, _)| *known == machine);
        let place = place.unwrap_or_else(|| {
            let name = machine.as_ref().map(|of| facts::shortened(&of.to_string()));
            found.push((
                machine,
                SweepMachine {
                    name,
                    ..SweepMachine::default()
                },
            ));
            found.len() - 1
        });
        if let Some((_, counts)) = found.get_mut(place) {
            add(counts);
        }
    };
    for (folder, result) in collect(folder)? {
        let machines = RunMachines::load(&folder)?.unwrap_or_else(|| RunMachines {
            trained_on: match result.configuration.train {
                Some(_) => vec![None],
                None => Vec::new(),
            },
            evaluated_on: vec![None],
        });
        for machine in machines.trained_on {
            count(machine, |counts| counts.trained += 1);
        }
        for machine in machines.evaluated_on {
            count(machine, |counts| counts.evaluated += 1);
        }
    }
    Ok(found.into_iter().map(|(_, counts)| counts).collect())
}

/// Compares with zero-shot CLIP, or else with the first method.
fn compare_with_usual(table: &mut Table) {
    if compare_with(table, "zero-shot") {
        return;
    }
    let rows = table.data_sets.iter().flat_map(|(_, rows)| rows);
    let first = rows
        .filter(|row| row.published.is_none())
        .map(|row| row.method.clone())
        .next();
    if let Some(first) = first {
        compare_with(table, &first);
    }
}
