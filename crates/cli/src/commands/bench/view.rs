//! Shows a sweep while it works: a bar of the whole, and a line for each run that ends.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;
use promptsrc::Event;
use promptsrc_protocols::{Measured, Plan, PlannedRun, RunId, RunResult, SweepEvent};

use crate::output;

/// What a training has of a run's bar; the rest is for measuring.
const TRAINING: f64 = 0.9;
/// Units of the bar.
const UNITS: f64 = 1000.0;

pub struct View {
    quiet: bool,
    bar: ProgressBar,
    cost: f64,
    runs: usize,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Steps done and in all of the trainings that are going on.
    steps: HashMap<RunId, (usize, usize)>,
    /// Share of each run that is done.
    share: HashMap<RunId, f64>,
    done: f64,
    ended: usize,
}

impl View {
    pub fn new(plan: &Plan, quiet: bool) -> Self {
        Self {
            quiet,
            bar: output::percent_bar(UNITS as u64, quiet),
            cost: plan.cost().max(f64::MIN_POSITIVE),
            runs: plan.runs.len(),
            seen: Mutex::default(),
        }
    }

    pub fn close(&self) {
        self.bar.finish_and_clear();
    }

    pub fn show(&self, event: &SweepEvent) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            SweepEvent::Begin(_) => {}
            SweepEvent::Train(run, event) => match event {
                Event::Start {
                    epochs,
                    steps,
                    finished,
                    ..
                } => {
                    if *finished > 0 {
                        self.line(&format!("{}: going on after epoch {finished}", run.id));
                    }
                    let steps = (finished * steps, epochs * steps);
                    seen.steps.insert(run.id.clone(), steps);
                    self.advance(&mut seen, run, steps);
                }
                Event::Step { .. } => {
                    let steps = seen.steps.entry(run.id.clone()).or_default();
                    steps.0 += 1;
                    let steps = *steps;
                    self.advance(&mut seen, run, steps);
                }
                Event::Epoch { .. } | Event::End { .. } => {}
            },
            SweepEvent::Measure { run, done, total } => {
                let trained = if run.config.is_some() { TRAINING } else { 0.0 };
                let measured = *done as f64 / (*total).max(1) as f64;
                self.reach(&mut seen, run, trained + (1.0 - trained) * measured);
            }
            SweepEvent::Warn(run, text) => {
                let text = format!("{}: {text}", run.id);
                if self.bar.is_hidden() {
                    output::warning(&text);
                } else {
                    self.bar.suspend(|| output::warning(&text));
                }
            }
            SweepEvent::End {
                run,
                result,
                already_finished,
            } => {
                self.reach(&mut seen, run, 1.0);
                seen.ended += 1;
                if !already_finished {
                    let width = self.runs.to_string().len();
                    self.line(&format!(
                        "{:>width$}/{}  {}: {}",
                        seen.ended,
                        self.runs,
                        run.id,
                        accuracies(result)
                    ));
                }
            }
            SweepEvent::Fail(run, error) => {
                // With the causes that its own text leaves out, as every other error.
                let told = cause(*error);
                let text = format!("{}: {told}", run.id);
                if self.bar.is_hidden() {
                    output::error(&text);
                } else {
                    self.bar.suspend(|| output::error(&text));
                }
            }
            SweepEvent::Wait(runs) => {
                let s = if *runs == 1 { "" } else { "s" };
                self.line(&format!(
                    "waiting for {runs} run{s} that other processes are at"
                ));
            }
        }
    }

    fn line(&self, text: &str) {
        if self.quiet {
        } else if self.bar.is_hidden() {
            output::note(text);
        } else {
            self.bar.println(text);
        }
    }

    fn advance(&self, seen: &mut Seen, run: &PlannedRun, (done, all): (usize, usize)) {
        self.reach(seen, run, TRAINING * done as f64 / all.max(1) as f64);
    }

    /// So much of a run is done.
    fn reach(&self, seen: &mut Seen, run: &PlannedRun, share: f64) {
        let before = seen.share.insert(run.id.clone(), share).unwrap_or(0.0);
        seen.done += (share - before) * run.cost;
        let position = (UNITS * seen.done / self.cost).clamp(0.0, UNITS);
        self.bar.set_position(position as u64);
    }
}

/// The message of an error and of what is behind it.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        source = inner.source();
    }
    message
}

/// What a run has measured, in a line.
fn accuracies(result: &RunResult) -> String {
    let several = |m: &Measured| m.data_set != result.run.data_set;
    let one = |m: &Measured| {
        let what = match (several(m), m.classes.as_str()) {
            (true, _) => format!("{} ", m.data_set),
            (false, "all") => String::new(),
            (false, classes) => format!("{classes} "),
        };
        format!("{what}{:.1} %", m.accuracy())
    };
    result
        .measured
        .iter()
        .map(one)
        .collect::<Vec<_>>()
        .join(", ")
}
