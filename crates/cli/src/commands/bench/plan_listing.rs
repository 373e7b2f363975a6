//! `promptsrc bench ... --plan`: lists the runs, their state and their cost.

use std::path::Path;

use promptsrc::run_folder;
use promptsrc_protocols::{Plan, PlannedRun, RunState};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Printer;

#[derive(Serialize)]
struct Line<'a> {
    folder: String,
    method: &'a str,
    data_set: &'a str,
    shots: Option<usize>,
    seed: Option<u64>,
    /// Data sets that the run is evaluated on.
    measured_on: Vec<&'a str>,
    state: RunState,
    /// In forward passes of an image through the image tower.
    cost: f64,
    /// Percentage of the cost of all runs.
    percent: f64,
}

/// The printed result.
#[derive(Serialize)]
struct Listing<'a> {
    runs: Vec<Line<'a>>,
    /// Cost of these runs.
    cost: f64,
    /// Cost of the runs that are not finished.
    cost_left: f64,
    /// Estimated seconds for the runs that are not finished, at the speed of the finished runs in
    /// the folder; `None` if no run is finished.
    seconds_left: Option<f64>,
}

/// Prints `part` of `whole`, without reading a CLIP or an image.
pub fn print(whole: &Plan, part: &Plan, out: &Path, printer: &Printer) -> Result<(), Failure> {
    let all = whole.cost();
    let lines = part
        .runs
        .iter()
        .map(|run| {
            let folder = out.join(run.id.path());
            let mut measured_on: Vec<&str> =
                run.targets.iter().map(|t| t.data_set.as_str()).collect();
            measured_on.dedup();
            Ok(Line {
                state: RunState::of(run, &folder)?,
                folder: folder.display().to_string(),
                method: &run.id.method,
                data_set: &run.id.data_set,
                shots: run.id.shots,
                seed: run.id.seed,
                measured_on,
                cost: run.cost,
                percent: 100.0 * run.cost / all,
            })
        })
        .collect::<Result<Vec<Line>, Failure>>()?;
    let left = lines.iter().filter(|line| line.state != RunState::Finished);
    let cost_left: f64 = left.map(|line| line.cost).sum();
    let listing = Listing {
        cost: part.cost(),
        cost_left,
        seconds_left: pace(whole, out)?.map(|pace| pace * cost_left),
        runs: lines,
    };
    printer.answer(&listing, || text(&listing, out))
}

fn text(listing: &Listing, out: &Path) -> String {
    let width = |of: &dyn Fn(&Line) -> usize, least: usize| {
        listing.runs.iter().map(of).max().unwrap_or(0).max(least)
    };
    let (sets, methods) = (
        width(&|line| line.data_set.len(), "data set".len()),
        width(&|line| line.method.len(), "method".len()),
    );
    let mut text = format!(
        "{:sets$}  {:methods$}  shots  seed  state        cost  share\n",
        "data set", "method"
    );
    let number = |value: Option<String>| value.unwrap_or_else(|| "-".to_string());
    for line in &listing.runs {
        text += &format!(
            "{:sets$}  {:methods$}  {:>5}  {:>4}  {:8}  {:>7}  {:>4.1} %\n",
            line.data_set,
            line.method,
            number(line.shots.map(|shots| shots.to_string())),
            number(line.seed.map(|seed| seed.to_string())),
            line.state.name(),
            quantity(line.cost),
            line.percent
        );
    }
    let finished = listing
        .runs
        .iter()
        .filter(|r| r.state == RunState::Finished)
        .count();
    text += &format!(
        "\n{} runs, {finished} of them finished, in {}\n\
         cost: {} forward passes of an image through the image tower, {} of them left{}\n",
        listing.runs.len(),
        out.display(),
        quantity(listing.cost),
        quantity(listing.cost_left),
        match listing.seconds_left {
            Some(seconds) if seconds > 0.0 => format!(
                ":\nabout {} for one process, at the speed of the finished runs",
                duration(seconds)
            ),
            _ => String::new(),
        }
    );
    text
}

fn quantity(passes: f64) -> String {
    match passes {
        0.0..1e3 => format!("{passes:.0}"),
        1e3..1e6 => format!("{:.1} k", passes / 1e3),
        _ => format!("{:.2} M", passes / 1e6),
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        0.0..90.0 => format!("{seconds:.0} s"),
        90.0..5400.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

/// Seconds per forward pass, from the logs of the finished trainings of the plan.
fn pace(plan: &Plan, out: &Path) -> Result<Option<f64>, Failure> {
    let (mut seconds, mut cost) = (0.0, 0.0);
    let trained = |run: &&PlannedRun| run.config.is_some();
    for run in plan.runs.iter().filter(trained) {
        let folder = out.join(run.id.path());
        if RunState::of(run, &folder)? != RunState::Finished {
            continue;
        }
        let Ok(log) = std::fs::read_to_string(folder.join(run_folder::LOG)) else {
            continue;
        };
        let epochs = log.lines().filter_map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).ok()?;
            event["event"].as_str().filter(|kind| *kind == "epoch")?;
            event["seconds"].as_f64()
        });
        seconds += epochs.sum::<f64>();
        cost += run.cost;
    }
    Ok((cost > 0.0).then(|| seconds / cost))
}
