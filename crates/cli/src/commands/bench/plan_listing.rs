//! `promptsrc bench ... --plan`: lists the runs, their state and their cost.

use std::path::Path;
use std::time::Instant;

use promptsrc::{Classes, run_folder};
use promptsrc_clip::values;
use promptsrc_protocols::{Plan, PlannedRun, RunState, Target};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Printer;
use crate::settings::ClipSettings;

#[derive(Serialize)]
struct Line<'a> {
    folder: String,
    method: &'a str,
    data_set: &'a str,
    shots: Option<usize>,
    seed: Option<u64>,
    /// Data sets that the run is evaluated on.
    measured_on: Vec<&'a str>,
    /// What the protocol measures and this run cannot be measured on, because what it learns belongs to
    /// its own classes.
    not_measured_on: Vec<String>,
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
    /// Estimated seconds for the runs that are not finished; `None` if nothing is known.
    seconds_left: Option<f64>,
    /// What the seconds are estimated from, or why they are not known.
    seconds_from: String,
}

/// Prints `part` of `whole`, without reading an image. The time is that of the finished runs in the
/// folder; without any, a forward pass through the CLIP is measured, if that needs no download.
pub fn print(
    whole: &Plan,
    part: &Plan,
    out: &Path,
    clip: &ClipSettings,
    printer: &Printer,
) -> Result<(), Failure> {
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
                not_measured_on: run.left_out.iter().map(named).collect(),
                cost: run.cost,
                percent: 100.0 * run.cost / all,
            })
        })
        .collect::<Result<Vec<Line>, Failure>>()?;
    let left = lines.iter().filter(|line| line.state != RunState::Finished);
    let cost_left: f64 = left.map(|line| line.cost).sum();
    let (pace, seconds_from) = match pace(whole, out)? {
        _ if cost_left == 0.0 => (Some(0.0), "every run is finished".to_string()),
        // A small CLIP trains a run on each thread.
        Some(pace) if clip.is_mini() => (
            Some(pace / rayon::current_num_threads() as f64),
            "the speed of the finished runs".to_string(),
        ),
        Some(pace) => (Some(pace), "the speed of the finished runs".to_string()),
        None => measured(clip, printer),
    };
    let listing = Listing {
        cost: part.cost(),
        cost_left,
        seconds_left: pace.map(|pace| pace * cost_left),
        seconds_from,
        runs: lines,
    };
    printer.answer(&listing, || text(&listing, out))
}

/// A target in words: its data set, and its classes unless they are all.
fn named(target: &Target) -> String {
    match target.classes {
        Classes::All => target.data_set.clone(),
        half => format!("{} ({half} classes)", target.data_set),
    }
}

/// What each method cannot be measured on, a line each.
fn left_out(lines: &[Line]) -> String {
    let mut methods: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in lines.iter().filter(|line| !line.not_measured_on.is_empty()) {
        if methods.iter().all(|(method, _)| *method != line.method) {
            methods.push((line.method, Vec::new()));
        }
        let Some((_, sets)) = methods
            .iter_mut()
            .find(|(method, _)| *method == line.method)
        else {
            continue;
        };
        for set in &line.not_measured_on {
            if !sets.contains(&set.as_str()) {
                sets.push(set);
            }
        }
    }
    let line = |(method, sets): &(&str, Vec<&str>)| {
        format!(
            "{method} is not measured on {}: what it learns belongs to its own classes\n",
            sets.join(", ")
        )
    };
    methods.iter().map(line).collect()
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
    let left_out = left_out(&listing.runs);
    if !left_out.is_empty() {
        text += &format!("\n{left_out}");
    }
    text += &format!(
        "\n{} runs, {finished} of them finished, in {}\n\
         cost: {} forward passes of an image through the image tower, {} of them left{}\n",
        listing.runs.len(),
        out.display(),
        quantity(listing.cost),
        quantity(listing.cost_left),
        match listing.seconds_left {
            Some(seconds) if seconds > 0.0 => format!(
                "\ntime: about {} for one process, from {}",
                duration(seconds),
                listing.seconds_from
            ),
            Some(_) => String::new(),
            None => format!("\ntime: unknown: {}", listing.seconds_from),
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

/// Seconds per forward pass of an image, measured now; or why they cannot be.
fn measured(settings: &ClipSettings, printer: &Printer) -> (Option<f64>, String) {
    /// Images of a training step.
    const IMAGES: usize = 4;
    let spec = &settings.spec;
    if !settings.is_mini() && !promptsrc_clip::hub::is_here(spec) {
        let why = "no run in the folder is finished";
        let clip = format!("the CLIP {spec} is not on this machine, and a plan downloads nothing");
        return (None, format!("{why}, and {clip}"));
    }
    let clip = match settings.open(printer) {
        Ok(clip) => clip,
        Err(error) => return (None, format!("the CLIP {spec} cannot be opened: {error}")),
    };
    let side = clip.config().vision.resolution;
    let pass = || {
        let images = vec![0.0; IMAGES * 3 * side * side];
        let begin = Instant::now();
        let images = clip.vision().images(images, IMAGES);
        let features = values(clip.image_features(images));
        (features.len(), begin.elapsed().as_secs_f64())
    };
    // The first pass packs the weights.
    pass();
    let mut times = [pass().1, pass().1, pass().1];
    times.sort_by(f64::total_cmp);
    let [_, seconds, _] = times;
    let from = format!(
        "a forward pass of {IMAGES} images measured now ({:.3} s); decoding is not counted",
        seconds
    );
    (Some(seconds / IMAGES as f64), from)
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
        let Ok(log) = promptsrc_files::read_regular_text(
            &folder.join(run_folder::LOG),
            promptsrc_files::LARGEST_TEXT,
        ) else {
            continue;
        };
        let epochs = log.lines().filter_map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).ok()?;
            event["event"].as_str().filter(|kind| *kind == "epoch")?;
            event["seconds"].as_f64()
        });
        seconds += epochs.sum::<f64>();
        cost += run.training_cost;
    }
    Ok((cost > 0.0).then(|| seconds / cost))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_method_is_not_measured_on_is_said_once_for_each() {
        let line = |method, not_measured_on: &[Target]| Line {
            folder: String::new(),
            method,
            data_set: "a",
            shots: Some(1),
            seed: Some(1),
            measured_on: vec!["a"],
            not_measured_on: not_measured_on.iter().map(named).collect(),
            state: RunState::New,
            cost: 1.0,
            percent: 1.0,
        };
        let target = |data_set: &str, classes| Target {
            data_set: data_set.to_string(),
            classes,
        };
        let (novel, other) = (target("a", Classes::Novel), target("b", Classes::All));
        let lines = [
            line("one", std::slice::from_ref(&novel)),
            line("one", &[novel, other.clone()]),
            line("two", &[]),
            line("three", &[other]),
        ];
        let expected = "\
one is not measured on a (novel classes), b: what it learns belongs to its own classes
three is not measured on b: what it learns belongs to its own classes
";
        assert_eq!(left_out(&lines), expected);
        assert_eq!(left_out(&lines[2..3]), "");
    }
}
