//! `promptsrc bench`: runs the paper's benchmarks, except for finished runs, and prints their
//! tables.

mod plan_listing;
mod progress;

use std::path::Path;

use promptsrc::Clip;
use promptsrc_protocols::{
    Format, ResultError, RunId, Sweep, collect, collect_reference, render, tables,
};

use crate::args::TableArgs;
use crate::failure::Failure;
use crate::output::Printer;
use crate::settings::{SweepSettings, config_usage, decoding_threads};

use progress::SweepProgress;

pub fn run(settings: &SweepSettings, printer: &Printer) -> Result<(), Failure> {
    let SweepSettings {
        plan, part, out, ..
    } = settings;
    if settings.list {
        return plan_listing::print(plan, part, out, printer);
    }
    let clip = settings.clip.open(printer)?;
    for run in &part.runs {
        if let Some(config) = &run.config {
            config.check_for(clip.config()).map_err(config_usage)?;
        }
    }
    let (at_once, decoding) = threads(&clip);
    let sweep = Sweep::new(&clip, &*settings.collection, out)
        .allow_missing(settings.allow_missing)
        .threads(at_once, decoding);
    let progress = SweepProgress::new(part, printer);
    let failed = sweep.make(&part.runs, &|event| progress.show(event));
    progress.close();
    let failed = failed?;

    // The finished results of all parts. They are read from the folder as by `bench table`, because
    // other processes may have executed some of the runs.
    let expected: Vec<RunId> = plan.runs.iter().map(|run| run.id.clone()).collect();
    let mut results = collect_if_there(&out.join(settings.protocol.name()))?;
    results.retain(|(_, result)| expected.contains(&result.run));
    let format = match printer.is_json() {
        true => Format::Json,
        false => Format::Terminal,
    };
    let text = render(&tables(&results, &expected)?, format);
    printer.result(&match printer.is_json() {
        true => text,
        false => format!("\n{text}"),
    })?;
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

type Found = (std::path::PathBuf, promptsrc_protocols::RunResult);

pub fn table(args: &TableArgs, printer: &Printer) -> Result<(), Failure> {
    let mut results = collect(&args.folder)?;
    let reference = collect_reference(&args.folder).map_err(Failure::failed)?;
    for (path, reason) in &reference.left_out {
        printer.warning(&format!("{}: left out: {reason}", path.display()));
    }
    results.extend(reference.results);
    if let Some(protocol) = args.protocol {
        results.retain(|(_, result)| result.run.protocol == protocol);
    }
    if results.is_empty() {
        return Err(ResultError::None {
            path: args.folder.clone(),
        }
        .into());
    }
    let format = match (args.format, printer.is_json()) {
        (None, true) => Format::Json,
        (format, _) => format.unwrap_or_default(),
    };
    let text = render(&tables(&results, &[])?, format);
    printer.result(&match format {
        Format::Terminal => format!("\n{text}"),
        _ => text,
    })
}
